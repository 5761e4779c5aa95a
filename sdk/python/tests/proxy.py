"""Stands before the server and fails as it is told."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Optional, Union

import httpx


@dataclass(frozen=True)
class Drop:
    """The connection breaks: before the server hears of the request, or after it has done it."""

    after_acting: bool = False


@dataclass(frozen=True)
class Reply:
    """An answer that is not the server's."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b'{"detail":"not now","code":"BUSY"}'


Fault = Union[Drop, Reply]


@dataclass
class Seen:
    """A request that came."""

    path: str
    headers: dict[str, str]
    body: bytes


class Proxy:
    """Its address, what it has seen, and the faults that come next."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.seen: list[Seen] = []
        self.faults: deque[Fault] = deque()
        self.broken: dict[str, Fault] = {}
        """What comes of every request for a path."""
        self.url = ""

    def fail(self, *faults: Fault) -> None:
        """Each spoils one request; then all goes well again."""
        self.faults.extend(faults)

    def paths(self) -> list[str]:
        """Where requests went."""
        return [seen.path for seen in self.seen]


@contextmanager
def proxy(upstream: str) -> Iterator[Proxy]:
    """Listens until the block ends."""
    state = Proxy(upstream)
    # One for all requests, and without certificates: reading them takes longer than a request.
    http = httpx.Client(verify=False, timeout=60)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            state.seen.append(Seen(self.path, headers, body))
            fault: Optional[Fault] = state.faults.popleft() if state.faults else state.broken.get(self.path)
            if isinstance(fault, Reply):
                self._reply(fault)
                return
            if not isinstance(fault, Drop) or fault.after_acting:
                reply = self._forward(body, headers)
            if isinstance(fault, Drop):
                self.close_connection = True
                return
            self._reply(reply)

        do_GET = do_POST = _handle  # noqa: N815 (http.server looks for these names)

        def _forward(self, body: bytes, headers: dict[str, str]) -> Reply:
            kept = {name: value for name, value in headers.items() if name not in ("host", "connection")}
            response = http.request(self.command, state.upstream + self.path, content=body, headers=kept)
            names = ("content-type", "x-request-id")
            passed = {name: response.headers[name] for name in names if name in response.headers}
            return Reply(response.status_code, passed, response.content)

        def _reply(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        listener.daemon_threads = True
        state.url = f"http://127.0.0.1:{listener.server_address[1]}"
        # It looks for the end often, so that nobody waits for it.
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield state
        finally:
            listener.shutdown()
            thread.join()
            http.close()
