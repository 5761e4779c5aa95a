"""What outlives a call: leases, in memory and in a file; and answers, for a while, in memory."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import logging
import os
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Optional

from .leases import normal_key
from .results import ValidateResult

logger = logging.getLogger("vinzy_engine")

_FORMAT = 1
_MOST_LEASES = 64
_MOST_ANSWERS = 1024
_STEP = 60
"""Seconds by which the latest time must have grown to be written again."""


@dataclass(frozen=True)
class Stored:
    """A lease with what is needed to judge it later. No license key."""

    token: str
    payload: dict[str, Any]
    """Its claims under older names. Not signed."""
    lease_expires_at: str
    license_ends: Optional[float]
    """When the license itself ends, in seconds since 1970; not signed, so it only shortens grace."""


class LeaseStore:
    """The last lease of each license key and fingerprint, and the latest time that was ever read from the clock.

    Safe for threads. The file is replaced at once, and readable by its owner only. Processes that share it keep each
    other's leases, but for the moment in which two of them write.
    """

    def __init__(self, path: Optional[str]) -> None:
        self._path = None if path is None else Path(path).expanduser()
        self._lock = threading.Lock()
        self._leases: dict[str, Stored] = {}
        self._jwks: Optional[dict[str, Any]] = None
        self._seen = 0.0
        self._seen_in_file = 0.0
        self._fingerprints: dict[str, Optional[str]] = {}
        self._loaded = False

    def get(self, key: str, fingerprint: Optional[str]) -> Optional[Stored]:
        """The lease of a license key: the one for this fingerprint, else another, which then does not fit."""
        with self._lock:
            self._load()
            exact = self._leases.get(_place(key, fingerprint))
            if exact is not None:
                return exact
            return next((lease for place, lease in self._leases.items() if place.startswith(_digest(key))), None)

    def fingerprint(self, key: str) -> Optional[str]:
        """The fingerprint that the last lease was asked for with, if that was in this process."""
        with self._lock:
            return self._fingerprints.get(_digest(key))

    def jwks(self) -> Optional[dict[str, Any]]:
        """The keys that were last fetched."""
        with self._lock:
            self._load()
            return self._jwks

    def put(self, key: str, fingerprint: Optional[str], lease: Stored, now: float) -> None:
        """Keeps a lease instead of the one before. The server has just said so: what time it is begins anew."""
        place = _place(key, fingerprint)
        with self._lock:
            self._load(again=True)
            self._leases.pop(place, None)
            self._leases[place] = lease
            while len(self._leases) > _MOST_LEASES:
                del self._leases[next(iter(self._leases))]
            self._fingerprints[_digest(key)] = fingerprint
            while len(self._fingerprints) > _MOST_LEASES:
                del self._fingerprints[next(iter(self._fingerprints))]
            self._seen = now
            self._save()

    def put_jwks(self, document: Mapping[str, Any]) -> None:
        """Keeps fetched keys, to verify with after a restart."""
        with self._lock:
            self._load()
            if document != self._jwks:
                self._jwks = dict(document)
                self._save()

    def drop(self, key: str) -> None:
        """Forgets the leases of a license key that is good no longer."""
        with self._lock:
            self._load(again=True)
            places = [place for place in self._leases if place.startswith(_digest(key))]
            for place in places:
                del self._leases[place]
            if places:
                self._save()

    def saw(self, now: float) -> float:
        """Notes what time it is, and gives the latest that was noted before."""
        with self._lock:
            self._load()
            before, self._seen = self._seen, max(self._seen, now)
            if self._leases and self._seen >= self._seen_in_file + _STEP:
                self._save()
            return before

    def _load(self, again: bool = False) -> None:
        if self._path is None or (self._loaded and not again):
            return
        self._loaded = True
        try:
            document = json.loads(self._path.read_text(encoding="utf-8"))
            if document["format"] != _FORMAT:
                raise ValueError("another format")
            leases = {place: _stored(entry) for place, entry in document["leases"].items()}
            self._seen_in_file = float(document["seen"])
            self._jwks = document["jwks"]
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            # As good as none: a lease that is missing opens nothing.
            logger.warning("the lease cache cannot be read (%s)", type(error).__name__)
            return
        self._leases = leases
        self._seen = max(self._seen, self._seen_in_file)

    def _save(self) -> None:
        if self._path is None:
            return
        leases = {place: asdict(lease) for place, lease in self._leases.items()}
        document = {"format": _FORMAT, "seen": self._seen, "leases": leases, "jwks": self._jwks}
        try:
            _write(self._path, json.dumps(document, indent=1))
        except OSError as error:
            # The application goes on, with the lease in memory.
            logger.warning("the lease cache cannot be written (%s)", error.strerror)
        else:
            self._seen_in_file = self._seen


def _stored(entry: Mapping[str, Any]) -> Stored:
    stored = Stored(**entry)
    if not isinstance(stored.token, str) or not isinstance(stored.license_ends, (int, float, type(None))):
        raise TypeError("no lease")
    return stored


def _write(path: Path, text: str) -> None:
    """Replaces a file at once: whoever reads it sees the old text or the new, also after a crash."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Only its owner may read it from the beginning on.
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _digest(key: str) -> str:
    return _sha256(normal_key(key))


def _place(key: str, fingerprint: Optional[str]) -> str:
    """Where a lease stands: by key and fingerprint, of which neither is written."""
    machine = "" if fingerprint is None else "." + _sha256(fingerprint)
    return _digest(key) + machine


def _sha256(text: str) -> str:
    # Also of text that no server takes: it is the server that says so.
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


class Answers:
    """Good answers to validations, for `ttl` seconds each. Safe for threads."""

    def __init__(self, ttl: float) -> None:
        self._ttl = ttl
        self._lock = threading.Lock()
        self._answers: dict[tuple[str, Optional[str]], tuple[float, float, ValidateResult]] = {}
        self._forgotten = 0

    def get(self, key: str, fingerprint: Optional[str], now: float) -> Optional[ValidateResult]:
        """A copy of the answer for a key, unless it is too old, or newer than the clock."""
        with self._lock:
            made_at, ends, result = self._answers.get((_digest(key), fingerprint), (0, 0, None))
        if result is None or not made_at <= now < ends:
            return None
        return copy.deepcopy(result)

    def mark(self) -> int:
        """To be taken before the server is asked, and given to `put`."""
        with self._lock:
            return self._forgotten

    def put(self, key: str, fingerprint: Optional[str], now: float, result: ValidateResult, mark: int) -> None:
        """Keeps an answer, unless something was forgotten since `mark`: then it may tell of before."""
        ends = now + self._ttl
        if result.license is not None and result.license.expires_at is not None:
            ends = min(ends, result.license.expires_at.timestamp())
        with self._lock:
            if mark == self._forgotten and now < ends:
                self._answers[_digest(key), fingerprint] = (now, ends, copy.deepcopy(result))
                while len(self._answers) > _MOST_ANSWERS:
                    del self._answers[next(iter(self._answers))]

    def forget(self, key: str) -> None:
        """What was answered for a key is true no longer."""
        digest = _digest(key)
        with self._lock:
            self._forgotten += 1
            for asked in [asked for asked in self._answers if asked[0] == digest]:
                del self._answers[asked]
