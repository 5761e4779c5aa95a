"""What both clients do, written once.

The blocking client runs these coroutines with an `Io` that never waits for anything but the network itself, so they
run through without an event loop; the asynchronous one awaits them.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Callable, Optional, Protocol, TypeVar
from urllib.parse import urlsplit

import httpx

from . import _calls, leases
from ._calls import Amount, Answer, Call
from ._store import Answers, LeaseStore, Stored
from .errors import (
    LeaseError,
    RateLimitedError,
    ServerError,
    ServerUnreachableError,
    UnexpectedAnswerError,
    VinzyError,
)
from .leases import KeySet, Lease
from .results import (
    ActivateResult,
    ComposedEntitlements,
    DeactivateResult,
    HeartbeatResult,
    RecordUsageResult,
    ValidateAgentResult,
    ValidateResult,
)

logger = logging.getLogger("vinzy_engine")

T = TypeVar("T")

LONGEST_PAUSE = 30.0
"""Seconds between two tries, at most, unless the server asks for more."""
LONGEST_RETRY_AFTER = 60.0
"""Seconds that the server may ask for; what takes longer is for the application to wait for."""
_TRY_AGAIN = frozenset({429, 502, 503, 504})
_NO_ANSWER = (ServerUnreachableError, UnexpectedAnswerError, ServerError, RateLimitedError)
_REFUSALS = frozenset({"INVALID_KEY", "NOT_FOUND", "EXPIRED", "SUSPENDED"})


class Io(Protocol):
    """What touches the outside."""

    async def send(self, call: Call[Any]) -> Answer:
        """Sends a request once. Raises `httpx.TransportError` if no answer comes."""

    async def sleep(self, seconds: float) -> None:
        """Waits."""

    async def run(self, work: Callable[[], T]) -> T:
        """Runs what reads or writes files."""


class Core:
    """A client without its transport."""

    def __init__(
        self,
        io: Io,
        *,
        server_url: str,
        license_key: Optional[str],
        api_key: Optional[str],
        cache_ttl: float,
        max_retries: int,
        retry_backoff_base: float,
        lease_cache_path: Optional[str],
        jwks: Optional[Mapping[str, Any]],
        issuer: Optional[str],
        offline_grace: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if min(cache_ttl, max_retries, retry_backoff_base, offline_grace) < 0:
            raise ValueError("cache_ttl, max_retries, retry_backoff_base and offline_grace are 0 or more")
        self._io = io
        self.server_url = checked_url(server_url)
        self.license_key = license_key
        self._api_key = api_key and _calls.header_text("api_key", api_key)
        self._max_retries = max_retries
        self._backoff_base = retry_backoff_base
        self._store = LeaseStore(lease_cache_path)
        self._answers = Answers(cache_ttl)
        self._pinned = None if jwks is None else KeySet(jwks)
        self._fetched: Optional[KeySet] = None
        self._issuer = issuer
        self._grace = offline_grace
        self._clock = clock

    def __repr__(self) -> str:
        keys = {"license_key": self.license_key, "api_key": self._api_key}
        return ", ".join([repr(self.server_url), *(f"{name}=…" for name, key in keys.items() if key)])

    async def validate(self, key: Optional[str], fingerprint: Optional[str]) -> ValidateResult:
        key, fingerprint = self._key(key), fingerprint or None
        known = self._answers.get(key, fingerprint, self._clock())
        if known is not None:
            return known
        mark = self._answers.mark()
        try:
            result = await self._ask(_calls.validate(key, fingerprint))
        except _NO_ANSWER as error:
            logger.info("the server gives no answer; the lease is asked")
            cause = error
            return await self._io.run(lambda: self._offline(key, fingerprint, cause))
        if not result.valid:
            await self._refused(key, result.code)
            return result
        result = await self._admitted(key, fingerprint, result)
        if result.valid:
            self._answers.put(key, fingerprint, self._clock(), result, mark)
        return result

    async def validate_offline(self, key: Optional[str], fingerprint: Optional[str]) -> ValidateResult:
        key = self._key(key)
        return await self._io.run(
            lambda: self._offline(key, fingerprint or self._store.fingerprint(key), None),
        )

    async def activate(
        self,
        fingerprint: str,
        hostname: Optional[str],
        platform: Optional[str],
        metadata: Optional[Mapping[str, Any]],
        key: Optional[str],
        idempotency_key: Optional[str],
    ) -> ActivateResult:
        key = self._key(key)
        call = _calls.activate(key, fingerprint, hostname, platform, metadata, idempotency_key)
        return await self._change(key, call)

    async def deactivate(
        self, fingerprint: str, key: Optional[str], idempotency_key: Optional[str]
    ) -> DeactivateResult:
        key = self._key(key)
        return await self._change(key, _calls.deactivate(key, fingerprint, idempotency_key))

    async def heartbeat(self, fingerprint: str, version: Optional[str], key: Optional[str]) -> HeartbeatResult:
        key = self._key(key)
        result = await self._ask(_calls.heartbeat(key, fingerprint, version))
        if not result.success:
            self._answers.forget(key)
        return result

    async def record_usage(
        self,
        metric: str,
        value: Amount,
        metadata: Optional[Mapping[str, Any]],
        key: Optional[str],
        idempotency_key: Optional[str],
    ) -> RecordUsageResult:
        key = self._key(key)
        return await self._change(key, _calls.record_usage(key, metric, value, metadata, idempotency_key))

    async def validate_agent(self, agent_code: str, key: Optional[str]) -> ValidateAgentResult:
        return await self._ask(_calls.validate_agent(self._key(key), agent_code))

    async def get_entitled_agents(self, key: Optional[str], fingerprint: Optional[str]) -> list[str]:
        key = self._key(key)
        result = await self.validate(key, fingerprint or self._store.fingerprint(key))
        return [agent.agent_code for agent in result.agents if agent.enabled] if result.valid else []

    async def get_composed_entitlements(self, customer_id: str) -> ComposedEntitlements:
        return await self._ask(_calls.composed_entitlements(customer_id, self._api_key))

    def _key(self, key: Optional[str]) -> str:
        # Without any the server is asked about an empty one, and says that it is none.
        return (self.license_key or "") if key is None else key

    async def _change(self, key: str, call: Call[T]) -> T:
        """Asks for a change; what was answered before is true no longer, also if the change failed half-way."""
        try:
            return await self._ask(call)
        finally:
            self._answers.forget(key)

    async def _ask(self, call: Call[T]) -> T:
        """Sends a request, again if need be, and reads the answer."""
        answer = await self._exchange(call)
        try:
            return call.read(answer)
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise UnexpectedAnswerError("the server's answer could not be read") from error

    async def _exchange(self, call: Call[Any]) -> Answer:
        """Sends a request until there is an answer that another try would not better."""
        retries = 0
        while True:
            asked_for: Optional[float] = None
            try:
                answer = await self._io.send(call)
            except httpx.RequestError as error:
                final = not isinstance(error, httpx.TransportError) or isinstance(error, httpx.UnsupportedProtocol)
                if final or retries == self._max_retries:
                    why = str(error) or type(error).__name__
                    raise ServerUnreachableError(f"{self.server_url} gave no answer: {why}") from error
                what = type(error).__name__
            else:
                asked_for = _calls.retry_after(answer)
                too_long = (asked_for or 0) > LONGEST_RETRY_AFTER
                if answer.status not in _TRY_AGAIN or retries == self._max_retries or too_long:
                    return answer
                what = f"status {answer.status}"
            seconds = pause(self._backoff_base, retries, asked_for)
            retries += 1
            logger.info("%s %s: %s; try %d follows in %.2f s", call.method, call.path, what, retries + 1, seconds)
            await self._io.sleep(seconds)

    async def _admitted(self, key: str, fingerprint: Optional[str], result: ValidateResult) -> ValidateResult:
        """What to make of a server's yes: its lease is checked and kept."""
        try:
            lease, ends = await self._keep(key, fingerprint, result)
        except LeaseError as error:
            if self._pinned is None:
                logger.warning("the license is good, but its lease cannot be used offline: %s", error)
                return result
            # Whoever has not the pinned key is not the vendor's server.
            return _refusal(error)
        if self._pinned is not None:
            result = _with_claims(result, lease)
        return replace(result, offline_until=leases.utc(ends))

    async def _keep(self, key: str, fingerprint: Optional[str], result: ValidateResult) -> tuple[Lease, float]:
        given = result.lease or {}
        token = str(given.get("token", ""))
        lease = leases.verify(token, await self._keys(leases.key_id(token)))
        leases.check_subject(lease, key, fingerprint, self._issuer)
        expires_at = result.license.expires_at if result.license else None
        now = self._clock()
        stored = Stored(
            token=token,
            payload=dict(given.get("payload") or {}),
            lease_expires_at=str(given.get("lease_expires_at", "")),
            license_ends=None if expires_at is None else expires_at.timestamp(),
        )
        if self._pinned is not None:
            # A server that is none could show an old lease for ever.
            leases.check_time(lease, now, now, lease.expires_at)
        await self._io.run(lambda: self._store.put(key, fingerprint, stored, now))
        return lease, leases.ends_at(lease, stored.license_ends, self._grace)

    async def _keys(self, kid: str) -> KeySet:
        """Pinned keys; or those that were fetched, fetched again if a lease names another."""
        if self._pinned is not None:
            return self._pinned
        keys = self._fetched or KeySet()
        if kid in keys:
            return keys
        try:
            document = await self._ask(_calls.jwks())
            keys = KeySet(document)
        except (VinzyError, ValueError) as error:
            raise LeaseError("LEASE_INVALID", "The server's public keys cannot be fetched.") from error
        self._fetched = keys
        await self._io.run(lambda: self._store.put_jwks(document))
        return keys

    async def _refused(self, key: str, code: str) -> None:
        """A license that is good no longer is so offline, too."""
        self._answers.forget(key)
        if code in _REFUSALS:
            await self._io.run(lambda: self._store.drop(key))

    def _offline(self, key: str, fingerprint: Optional[str], cause: Optional[VinzyError]) -> ValidateResult:
        """What the lease says, if it can be believed."""
        try:
            result = self._from_lease(key, fingerprint)
        except LeaseError as error:
            result = _refusal(error)
        return replace(result, offline=True, cause=cause)

    def _from_lease(self, key: str, fingerprint: Optional[str]) -> ValidateResult:
        stored = self._store.get(key, fingerprint)
        if stored is None:
            raise LeaseError("LEASE_MISSING", "There is no lease for this license key: connect once.")
        now = self._clock()
        # Also of a lease that is refused: once it was seen to have expired, an earlier time is no excuse.
        seen = self._store.saw(now)
        lease = leases.verify(stored.token, self._known_keys())
        leases.check_subject(lease, key, fingerprint, self._issuer)
        ends = leases.ends_at(lease, stored.license_ends, self._grace)
        leases.check_time(lease, now, seen, ends)
        in_grace = now >= lease.expires_at
        given = {
            "token": stored.token,
            "payload": stored.payload,
            "signature": stored.token.rpartition(".")[2],
            "lease_expires_at": stored.lease_expires_at,
        }
        result = ValidateResult(
            valid=True,
            code="LEASE_GRACE" if in_grace else "OK",
            message="The lease has expired; its grace goes on" if in_grace else "The lease is valid",
            lease=given,
            offline_until=leases.utc(ends),
        )
        return _with_claims(result, lease)

    def _known_keys(self) -> KeySet:
        keys = self._pinned or self._fetched
        try:
            return keys or KeySet(self._store.jwks())
        except (ValueError, AttributeError) as error:
            raise LeaseError("LEASE_INVALID", "The stored public keys cannot be read.") from error


def _with_claims(result: ValidateResult, lease: Lease) -> ValidateResult:
    """A result that says what was signed."""
    claims = dict(lease.claims)
    return replace(
        result,
        tier=claims.get("tier", ""),
        features=list(claims.get("features", [])),
        entitlements=_calls.entitlements(claims),
        agents=_calls.agents(claims),
    )


def _refusal(error: LeaseError) -> ValidateResult:
    return ValidateResult(valid=False, code=error.code, message=str(error))


def pause(base: float, retries: int, asked_for: Optional[float]) -> float:
    """Seconds until the next try: any part of a time that doubles, so that clients do not come back together.

    Never less than the server asked for.
    """
    jitter = random.uniform(0, min(LONGEST_PAUSE, base * 2**retries))  # noqa: S311 (nothing to guess)
    return jitter if asked_for is None else asked_for + jitter


def checked_url(server_url: str) -> str:
    """The server's address without a slash at its end. Raises `ValueError` for what is none."""
    parts = urlsplit(server_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("server_url must be like https://licenses.example.com")
    if parts.username is not None or parts.password is not None:
        raise ValueError("server_url must hold no user and no password: it is logged")
    return server_url.rstrip("/")
