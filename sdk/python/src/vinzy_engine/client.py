"""The blocking client."""

from __future__ import annotations

import time
from collections.abc import Coroutine, Mapping
from typing import Any, Callable, Optional, TypeVar

import httpx

from ._base import Base, answer
from ._calls import Amount, Answer, Call
from ._core import Io
from .results import (
    ActivateResult,
    ComposedEntitlements,
    DeactivateResult,
    HeartbeatResult,
    RecordUsageResult,
    ValidateAgentResult,
    ValidateResult,
)

T = TypeVar("T")


class LicenseClient(Base[httpx.Client]):
    """Asks a Vinzy server about a license, and goes on with a signed lease when there is no server.

    One client may serve many threads. Close it, or use it in a `with` statement.

    Every request is sent again, after growing random pauses, when no answer comes or the server has too much to do
    (429, 502, 503, 504), `max_retries` times at most; what the server says in `Retry-After` is kept to. What changes
    something carries an idempotency key, so that the server does it once, however often it arrives.

    Every method but `validate` and `validate_offline` may raise `ServerUnreachableError`, `UnexpectedAnswerError` and
    the kinds of `ApiError`.
    """

    def validate(self, key: Optional[str] = None, fingerprint: Optional[str] = None) -> ValidateResult:
        """Whether the license is good, and what for.

        A good answer is given again for `cache_ttl` seconds, until something is changed by this client. When there
        is no server, or none that could answer, the lease is asked, as `validate_offline` does; `offline` is true then.

        Args:
            key: The license key; the client's if left out.
            fingerprint: What the machine is known by, 1 to 255 characters. The lease is bound to it.

        Raises:
            InvalidRequestError: The fingerprint is too long, say.
        """
        return self._wait(self._core.validate(key, fingerprint))

    def validate_offline(self, key: Optional[str] = None, fingerprint: Optional[str] = None) -> ValidateResult:
        """What the last lease says, without asking the server. `code` says what is wrong with a lease that is refused.

        It must be signed by a pinned key, or one that was fetched before; be for this product and this machine; not
        have expired, or be within `offline_grace`; and the clock must not have been set back by more than five minutes.

        Args:
            key: The license key; the client's if left out.
            fingerprint: What the machine is known by. If left out, what this client validated with last.
        """
        return self._wait(self._core.validate_offline(key, fingerprint))

    def activate(
        self,
        fingerprint: str,
        hostname: Optional[str] = None,
        platform: Optional[str] = None,
        metadata: Optional[Mapping[str, Any]] = None,
        *,
        key: Optional[str] = None,
        idempotency_key: Optional[str] = None,
    ) -> ActivateResult:
        """Takes a seat for a machine. Doing it again costs no other.

        Args:
            fingerprint: What the machine is known by, 1 to 255 characters. It stands in the ledger for good.
            hostname: Its name, at most 255 characters. Leave it out if it names a person.
            platform: Its operating system, at most 255 characters.
            metadata: Your own data about it.
            key: The license key; the client's if left out.
            idempotency_key: Makes repeating this very call safe, for ever, also in another process. Made if left out.
        """
        return self._wait(self._core.activate(fingerprint, hostname, platform, metadata, key, idempotency_key))

    def deactivate(
        self, fingerprint: str, *, key: Optional[str] = None, idempotency_key: Optional[str] = None
    ) -> DeactivateResult:
        """Gives a machine's seat up. `success` says whether it had one.

        Args:
            fingerprint: What the machine is known by.
            key: The license key; the client's if left out.
            idempotency_key: Makes repeating this very call safe, for ever. Made if left out.

        Raises:
            NotFoundError: No license has this key.
        """
        return self._wait(self._core.deactivate(fingerprint, key, idempotency_key))

    def heartbeat(
        self, fingerprint: str, version: Optional[str] = None, *, key: Optional[str] = None
    ) -> HeartbeatResult:
        """Says that a machine is alive. `success` says whether it counts; if not, `code` says why.

        Args:
            fingerprint: What the machine is known by.
            version: The application's version, at most 100 characters.
            key: The license key; the client's if left out.
        """
        return self._wait(self._core.heartbeat(fingerprint, version, key))

    def record_usage(
        self,
        metric: str,
        value: Amount = 1,
        metadata: Optional[Mapping[str, Any]] = None,
        *,
        key: Optional[str] = None,
        idempotency_key: Optional[str] = None,
    ) -> RecordUsageResult:
        """Counts use. A record that would pass a limit is refused (`LIMIT_EXCEEDED`) and changes nothing.

        Args:
            metric: Of what, 1 to 255 characters. A feature's name is limited by its `limit`; `agent.{CODE}.tokens` by
                the agent's `token_limit`.
            value: How much: more than 0. A `Decimal` or its text counts with every digit.
            metadata: Your own data about it.
            key: The license key; the client's if left out.
            idempotency_key: Names this use, so that it counts once, for ever, whoever records it again: an order's
                number, say. Made if left out, which covers the retries of this call only.

        Raises:
            ConflictError: The idempotency key was used for another record.
            InvalidRequestError: The value is 0 or less, say.
            ServerUnreachableError: Whether it was counted is not known; record it again with the same key.
        """
        return self._wait(self._core.record_usage(metric, value, metadata, key, idempotency_key))

    def validate_agent(self, agent_code: str, *, key: Optional[str] = None) -> ValidateAgentResult:
        """Whether the license is entitled to an agent, and what of its tokens is left. It always asks the server."""
        return self._wait(self._core.validate_agent(agent_code, key))

    def get_entitled_agents(self, key: Optional[str] = None, fingerprint: Optional[str] = None) -> list[str]:
        """The codes of the agents that are on, as `validate` knows them; none if the license is not good.

        Args:
            key: The license key; the client's if left out.
            fingerprint: What the machine is known by. If left out, what this client validated with last.
        """
        return self._wait(self._core.get_entitled_agents(key, fingerprint))

    def get_composed_entitlements(self, customer_id: str) -> ComposedEntitlements:
        """What all active licenses of a customer amount to. Wants the client's `api_key`.

        Raises:
            AuthenticationError: There is no API key, or the server does not know it.
            NotFoundError: There is no such customer.
        """
        return self._wait(self._core.get_composed_entitlements(customer_id))

    def close(self) -> None:
        """Closes connections. Leases stay."""
        if self._owns_http:
            self._http.close()

    def __enter__(self) -> LicenseClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @staticmethod
    def _connect(timeout: float) -> httpx.Client:
        return httpx.Client(timeout=timeout)

    def _io(self) -> Io:
        return _Blocking(self)

    @staticmethod
    def _wait(work: Coroutine[Any, Any, T]) -> T:
        """Runs what never suspends, because `_Blocking` does not."""
        try:
            work.send(None)
        except StopIteration as done:
            result: T = done.value
            return result
        raise AssertionError("a blocking client suspends nowhere")


class _Blocking:
    def __init__(self, client: LicenseClient) -> None:
        self._client = client

    async def send(self, call: Call[Any]) -> Answer:
        return answer(self._client._http.send(self._client._request(call)))

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251 (there is no event loop to block)

    async def run(self, work: Callable[[], T]) -> T:
        return work()
