"""The asynchronous client."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
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


class AsyncLicenseClient(Base[httpx.AsyncClient]):
    """`LicenseClient` for asyncio: the same methods, arguments, results and promises, to be awaited.

    One client serves all tasks of an event loop. Close it, or use it in an `async with` statement.
    """

    async def validate(self, key: Optional[str] = None, fingerprint: Optional[str] = None) -> ValidateResult:
        """See `LicenseClient.validate`."""
        return await self._core.validate(key, fingerprint)

    async def validate_offline(self, key: Optional[str] = None, fingerprint: Optional[str] = None) -> ValidateResult:
        """See `LicenseClient.validate_offline`."""
        return await self._core.validate_offline(key, fingerprint)

    async def activate(
        self,
        fingerprint: str,
        hostname: Optional[str] = None,
        platform: Optional[str] = None,
        metadata: Optional[Mapping[str, Any]] = None,
        *,
        key: Optional[str] = None,
        idempotency_key: Optional[str] = None,
    ) -> ActivateResult:
        """See `LicenseClient.activate`."""
        return await self._core.activate(fingerprint, hostname, platform, metadata, key, idempotency_key)

    async def deactivate(
        self, fingerprint: str, *, key: Optional[str] = None, idempotency_key: Optional[str] = None
    ) -> DeactivateResult:
        """See `LicenseClient.deactivate`."""
        return await self._core.deactivate(fingerprint, key, idempotency_key)

    async def heartbeat(
        self, fingerprint: str, version: Optional[str] = None, *, key: Optional[str] = None
    ) -> HeartbeatResult:
        """See `LicenseClient.heartbeat`."""
        return await self._core.heartbeat(fingerprint, version, key)

    async def record_usage(
        self,
        metric: str,
        value: Amount = 1,
        metadata: Optional[Mapping[str, Any]] = None,
        *,
        key: Optional[str] = None,
        idempotency_key: Optional[str] = None,
    ) -> RecordUsageResult:
        """See `LicenseClient.record_usage`."""
        return await self._core.record_usage(metric, value, metadata, key, idempotency_key)

    async def validate_agent(self, agent_code: str, *, key: Optional[str] = None) -> ValidateAgentResult:
        """See `LicenseClient.validate_agent`."""
        return await self._core.validate_agent(agent_code, key)

    async def get_entitled_agents(self, key: Optional[str] = None, fingerprint: Optional[str] = None) -> list[str]:
        """See `LicenseClient.get_entitled_agents`."""
        return await self._core.get_entitled_agents(key, fingerprint)

    async def get_composed_entitlements(self, customer_id: str) -> ComposedEntitlements:
        """See `LicenseClient.get_composed_entitlements`."""
        return await self._core.get_composed_entitlements(customer_id)

    async def close(self) -> None:
        """Closes connections. Leases stay."""
        if self._owns_http:
            await self._http.aclose()

    async def __aenter__(self) -> AsyncLicenseClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @staticmethod
    def _connect(timeout: float) -> httpx.AsyncClient:
        return httpx.AsyncClient(timeout=timeout)

    def _io(self) -> Io:
        return _Suspending(self)


class _Suspending:
    def __init__(self, client: AsyncLicenseClient) -> None:
        self._client = client

    async def send(self, call: Call[Any]) -> Answer:
        return answer(await self._client._http.send(self._client._request(call)))

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def run(self, work: Callable[[], T]) -> T:
        return await asyncio.to_thread(work)
