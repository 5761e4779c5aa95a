"""A real server on a database of its own."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import httpx

VARIABLE = "VINZY_BIN"
ADMIN_KEY = "the-admins-key-for-the-python-sdk"
SUPER_ADMIN_KEY = "another-key-for-the-python-sdk"
# The server ends when its standard input does: also when the tests are killed.
WATCHED = """
"$1" serve --port 0 --data-dir "$2" &
exec >&2
read -r _
kill $!
wait $!
rm -rf "$2"
"""
FEATURES = {
    "export": True,
    "sso": False,
    "api_calls": {"enabled": True, "limit": 1000, "compose": "sum"},
    "agents": {
        "CTO": {"enabled": True, "token_limit": 50_000, "model_tier": "premium"},
        "CFO": {"enabled": False},
    },
}


class MissingServerError(Exception):
    """There is no server to test with."""


def binary() -> Path:
    """The server's program."""
    named = os.environ.get(VARIABLE)
    if not named:
        raise MissingServerError(
            f"these tests need a server: build one with `cargo build --bin vinzy` and name it in {VARIABLE}, "
            f"as in `{VARIABLE}=../../target/debug/vinzy pytest`"
        )
    path = Path(named).resolve()
    if not os.access(path, os.X_OK):
        raise MissingServerError(f"{VARIABLE} names {path}, which is no program")
    return path


@dataclass(frozen=True)
class Issued:
    """A license."""

    id: str
    key: str
    customer_id: str


class Server:
    """Started by its constructor; `stop` ends it and removes its data."""

    def __init__(self, products: bool = True) -> None:
        program = binary()
        # Not made here: started as root, the server becomes somebody who must be able to write it.
        self._directory = Path(tempfile.gettempdir()) / f"vinzy-python-{uuid.uuid4()}"
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `stop`)
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", WATCHED, "sh", program, self._directory],
            env={
                **os.environ,
                "VINZY_DB_URL": "",
                "VINZY_API_KEY": ADMIN_KEY,
                "VINZY_SUPER_ADMIN_KEY": SUPER_ADMIN_KEY,
                "VINZY_RATE_LIMIT_ENABLED": "false",
                "VINZY_WEBHOOK_ALLOW_CIDRS": "127.0.0.0/8",
                "VINZY_LOG": "warn",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        try:
            self.url = self._greeting()
            self.admin = httpx.Client(base_url=self.url, headers={"X-Vinzy-Api-Key": ADMIN_KEY}, timeout=60)
            self._numbers = itertools.count(1)
            if products:
                self._product("PRD", FEATURES)
                self._product("OT", {})
        except BaseException:
            self.stop()
            raise

    def _greeting(self) -> str:
        assert self._process.stdout is not None
        # The pipe stays open, or the server would fail to write what follows.
        words = self._process.stdout.readline().split()
        addresses = [word for word in words if word.startswith("http://")]
        if not addresses:
            self._log.seek(0)
            raise RuntimeError(f"the server did not start: {self._log.read().decode()}")
        return addresses[0]

    def stop(self) -> None:
        """Ends the server, and the database with it."""
        if hasattr(self, "admin"):
            self.admin.close()
        # Ends what it stands for, and waits for that.
        self._process.communicate(timeout=120)
        self._log.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def post(self, path: str, body: Optional[dict[str, Any]] = None) -> Any:
        """Does something as the admin."""
        response = self.admin.post(path, json={} if body is None else body)
        assert response.is_success, response.text
        return response.json()

    def get(self, path: str) -> Any:
        """Reads something as the admin."""
        response = self.admin.get(path)
        assert response.is_success, response.text
        return response.json()

    def _product(self, code: str, features: dict[str, Any]) -> None:
        """Makes a product."""
        self.post("/products", {"code": code, "name": code, "features": features})

    def license(self, **fields: Any) -> Issued:
        """Issues a license to a new customer."""
        email = f"jane{next(self._numbers)}@example.com"
        customer_id = self.post("/customers", {"name": "Jane", "email": email})["id"]
        body = {"product_code": "PRD", "customer_id": customer_id, **fields}
        issued = self.post("/licenses", body)
        return Issued(issued["id"], issued["key"], customer_id)

    def total(self, license_: Issued, metric: str) -> float:
        """How much the ledger has of a metric."""
        totals = {row["metric"]: row["total_value"] for row in self.get(f"/usage/{license_.id}")}
        return float(totals.get(metric, 0))

    def jwks(self) -> dict[str, Any]:
        """The public keys."""
        keys: dict[str, Any] = self.get("/.well-known/jwks.json")
        return keys
