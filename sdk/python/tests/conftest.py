"""One server for all tests, and clients of both kinds."""

from __future__ import annotations

import asyncio
import inspect
import socket
import time
from collections.abc import Iterator
from typing import Any, Callable, cast

import httpx
import pytest

from tests.proxy import Proxy, proxy
from tests.server import Issued, MissingServerError, Server, binary
from vinzy_engine import AsyncLicenseClient, LicenseClient

DAY = 86_400
Connect = Callable[..., LicenseClient]


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Awaited:
    """An asynchronous client whose methods are awaited for the test: so that both are tested by the same tests."""

    def __init__(self, client: AsyncLicenseClient, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if not inspect.iscoroutinefunction(found):
            return found
        return lambda *args, **kwargs: self._loop.run_until_complete(found(*args, **kwargs))

    def __setattr__(self, name: str, value: object) -> None:
        if name.startswith("_"):
            super().__setattr__(name, value)
        else:
            setattr(self._client, name, value)


def pytest_sessionstart() -> None:
    """Says at once what is missing, instead of at each test."""
    try:
        binary()
    except MissingServerError as missing:
        raise pytest.UsageError(str(missing)) from None


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server."""
    running = Server()
    yield running
    running.stop()


@pytest.fixture
def flaky(server: Server) -> Iterator[Proxy]:
    """The server behind something that can fail."""
    with proxy(server.url) as state:
        yield state


@pytest.fixture
def license_(server: Server) -> Issued:
    """A license that nobody else uses."""
    return server.license()


@pytest.fixture
def clock() -> Clock:
    """A clock that starts now."""
    return Clock()


@pytest.fixture(params=["blocking", "asynchronous"])
def connect(request: pytest.FixtureRequest, server: Server, license_: Issued) -> Iterator[Connect]:
    """Makes clients of either kind for the license, with pauses of no length and no answers that are remembered."""
    loop = asyncio.new_event_loop()
    clients: list[LicenseClient] = []
    # Their own HTTP clients would read the system's certificates, for a tenth of a second each.
    blocking = httpx.Client(verify=False, timeout=30)
    suspending = httpx.AsyncClient(verify=False, timeout=30)

    def make(server_url: str = server.url, **settings: Any) -> LicenseClient:
        chosen = {"license_key": license_.key, "cache_ttl": 0, "retry_backoff_base": 0, **settings}
        if request.param == "blocking":
            client = LicenseClient(server_url, http_client=blocking, **chosen)
        else:
            twin = AsyncLicenseClient(server_url, http_client=suspending, **chosen)
            client = cast(LicenseClient, Awaited(twin, loop))
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()
    blocking.close()
    loop.run_until_complete(suspending.aclose())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@pytest.fixture
def client(connect: Connect) -> LicenseClient:
    """A client of either kind for the license."""
    return connect()


@pytest.fixture(scope="session")
def nowhere() -> Iterator[str]:
    """An address where nothing answers: taken, so that nobody else can listen there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
