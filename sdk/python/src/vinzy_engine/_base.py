"""What both clients are made of besides their methods."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Callable, Generic, Optional, TypeVar

import httpx

from ._calls import Answer, Call
from ._core import Core, Io
from ._version import __version__
from .webhooks import verify_webhook_signature

Http = TypeVar("Http", httpx.Client, httpx.AsyncClient)


class Base(Generic[Http]):
    """The constructor of both clients."""

    def __init__(
        self,
        server_url: str,
        license_key: Optional[str] = None,
        api_key: Optional[str] = None,
        cache_ttl: float = 60,
        timeout: float = 5,
        max_retries: int = 2,
        retry_backoff_base: float = 1,
        lease_cache_path: Optional[str] = None,
        *,
        jwks: Optional[Mapping[str, Any]] = None,
        issuer: Optional[str] = None,
        offline_grace: float = 0,
        http_client: Optional[Http] = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Asks nothing of the server yet.

        What is left out is as for an application that somebody waits for: where no server answers at all, it turns to
        its lease in about twenty seconds at most; and it writes no file that nobody asked for.

        Args:
            server_url: The server's address, with its `VINZY_API_PREFIX` if it has one. There is none to fall back on:
                whatever listens on the user's own machine must not be asked by mistake.
            license_key: The key for calls that are given none.
            api_key: For `get_composed_entitlements` only; an application in the field has none.
            cache_ttl: Seconds that a good answer of `validate` is given again without asking; 0 always asks. After
                a minute a suspension is noticed soon enough, and not each of an application's steps has to ask.
            timeout: Seconds to wait for a connection, and for each part of an answer: as many as `httpx` waits.
            max_retries: How often a request is sent again after the first try: twice gets over a lost connection and a
                server that restarts.
            retry_backoff_base: Seconds that the first pause takes at most; doubled with each retry, up to 30. It is the
                second that a server with too much to do asks for.
            lease_cache_path: A file that keeps leases over restarts, made with mode 0600; without it they are kept in
                memory.
            jwks: The public keys of your server, the document at `/.well-known/jwks.json`: give them with your
                application. Then neither a server nor a lease that is signed by others is believed.
            issuer: Whose leases to believe, as their `iss` says, if several vendors share the server.
            offline_grace: Seconds for which an expired lease is still good, but not after the license's own end.
            http_client: Sends the requests: for proxies, certificates, tests. It stays open when this is closed, and
                has its own time-outs.
            clock: Gives the time in seconds since 1970.

        Raises:
            ValueError: One of them cannot be used.
        """
        self._owns_http = http_client is None
        self._http: Http = self._connect(timeout) if http_client is None else http_client
        self._core = Core(
            self._io(),
            server_url=server_url,
            license_key=license_key,
            api_key=api_key,
            cache_ttl=cache_ttl,
            max_retries=max_retries,
            retry_backoff_base=retry_backoff_base,
            lease_cache_path=lease_cache_path,
            jwks=jwks,
            issuer=issuer,
            offline_grace=offline_grace,
            clock=clock,
        )

    @staticmethod
    def _connect(timeout: float) -> Http:
        raise NotImplementedError

    def _io(self) -> Io:
        raise NotImplementedError

    @property
    def server_url(self) -> str:
        """The server's address."""
        return self._core.server_url

    @property
    def license_key(self) -> Optional[str]:
        """The key for calls that are given none. It may be changed."""
        return self._core.license_key

    @license_key.setter
    def license_key(self, key: Optional[str]) -> None:
        self._core.license_key = key

    verify_webhook_signature = staticmethod(verify_webhook_signature)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._core!r})"

    def _request(self, call: Call[Any]) -> httpx.Request:
        headers = {"user-agent": f"vinzy-engine-python/{__version__}", "accept": "application/json", **call.headers}
        return self._http.build_request(
            call.method, self._core.server_url + call.path, content=call.body, headers=headers
        )


def answer(response: httpx.Response) -> Answer:
    """What a server answered."""
    return Answer(
        response.status_code, {name.lower(): value for name, value in response.headers.items()}, response.content
    )
