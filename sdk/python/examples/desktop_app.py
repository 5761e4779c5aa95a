"""A desktop application that takes a seat, and that goes on for a week without a network.

It knows the server's public keys from when it was built, so that neither an edited lease nor a server of somebody
else's opens it.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Callable

from vinzy_engine import LicenseClient, VinzyError

WEEK = 7 * 86_400


@dataclass(frozen=True)
class Window:
    """What the user sees at start."""

    title: str
    menu: list[str]
    notice: str = ""


class DesktopApp:
    def __init__(
        self,
        server_url: str,
        license_key: str,
        state: str,
        jwks: Mapping[str, Any],
        fingerprint: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._fingerprint = fingerprint or machine()
        self._clock = clock
        self._client = LicenseClient(
            server_url,
            license_key,
            lease_cache_path=state,
            jwks=jwks,
            offline_grace=WEEK,
            max_retries=1,
            clock=clock,
        )

    def start(self) -> Window:
        """Opens the window: with everything that the license allows, or with the way to get one."""
        license_ = self._client.validate(fingerprint=self._fingerprint)
        if not license_.valid:
            return Window("Unlicensed", ["Enter a license"], license_.message)
        notice = ""
        if license_.offline:
            notice = f"Offline: connect within {self._days_until(license_.offline_until)} days"
        elif not self._has_seat():
            return Window("Unlicensed", ["Give up a seat"], "All seats of the license are taken")
        return Window(f"Paint ({license_.tier})", ["Open", *sorted(license_.features)], notice)

    def close(self) -> None:
        self._client.close()

    def _has_seat(self) -> bool:
        # Whoever has one keeps it; that costs no other. Without an answer the lease still holds.
        try:
            return self._client.activate(self._fingerprint, platform="desktop").success
        except VinzyError:
            return True

    def _days_until(self, end: Any) -> int:
        now = datetime.fromtimestamp(self._clock(), tz=timezone.utc)
        return int((end - now).total_seconds() // 86_400)


def machine() -> str:
    """A fingerprint that names nobody: it stands in the vendor's ledger for good."""
    return hashlib.sha256(f"paint:{uuid.getnode()}".encode()).hexdigest()
