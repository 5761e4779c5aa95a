"""Leases: what an application may go on with while it is offline. Nothing here reads a clock or a file.

A lease is a compact JWS with an Ed25519 signature. Only what the signature covers is believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Optional

import jwt

from .errors import LeaseError

CLOCK_TOLERANCE = 300
"""Seconds that a clock may be behind without having been set back."""

_LAST_SECOND = 253_402_300_799
"""Of the year 9999, after which there are no `datetime`s."""
_TYPE = "lease+jwt"
_ALGORITHM = "EdDSA"
# JSON that is nested too deep is a RecursionError.
_UNREADABLE = (jwt.PyJWTError, ValueError, RecursionError)
# Times are checked by the caller's clock, the audience by the license key.
_OPTIONS: Any = {
    "require": ["iss", "aud", "sub", "iat", "nbf", "exp"],
    **{f"verify_{name}": False for name in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")},
}


class KeySet:
    """Public keys that leases verify with: the document at `/.well-known/jwks.json`."""

    def __init__(self, document: Optional[Mapping[str, Any]] = None) -> None:
        """Takes the Ed25519 keys out of a JWK set (RFC 7517). Raises `ValueError` if there is no list of keys."""
        self._keys: dict[str, Any] = {}
        keys = [] if document is None else document.get("keys")
        if not isinstance(keys, list):
            raise ValueError("a JWK set has a list of keys")
        for jwk in keys:
            if isinstance(jwk, dict) and jwk.get("crv") == "Ed25519" and isinstance(jwk.get("kid"), str):
                try:
                    self._keys[jwk["kid"]] = jwt.PyJWK(jwk, algorithm=_ALGORITHM).key
                except jwt.PyJWTError:
                    continue  # Other keys are as good as without it.

    def __contains__(self, kid: str) -> bool:
        return kid in self._keys

    def __getitem__(self, kid: str) -> Any:
        return self._keys[kid]


@dataclass(frozen=True)
class Lease:
    """What a lease says, once its signature has been checked."""

    claims: Mapping[str, Any]

    @property
    def issued_at(self) -> int:
        """Seconds since 1970, by the server's clock."""
        return int(self.claims["iat"])

    @property
    def expires_at(self) -> int:
        """Seconds since 1970; the lease holds before that."""
        return int(self.claims["exp"])


def key_id(token: str) -> str:
    """Which key has signed a lease, as it says itself. Raises `LeaseError` for what is no lease."""
    try:
        header = jwt.get_unverified_header(token)
    except _UNREADABLE as error:
        raise LeaseError("LEASE_INVALID", "What is stored is no lease.") from error
    kid = header.get("kid")
    if header.get("typ") != _TYPE or header.get("alg") != _ALGORITHM or not isinstance(kid, str):
        raise LeaseError("LEASE_INVALID", "It is not signed as a lease is.")
    return kid


def verify(token: str, keys: KeySet) -> Lease:
    """Reads a lease whose signature fits a key of `keys`. Whether it holds here and now is not judged.

    Raises `LeaseError` for anything else.
    """
    kid = key_id(token)
    if kid not in keys:
        raise LeaseError("LEASE_INVALID", "The lease is signed by an unknown key.")
    try:
        claims = jwt.decode(token, keys[kid], algorithms=[_ALGORITHM], options=_OPTIONS)
    except _UNREADABLE as error:
        raise LeaseError("LEASE_INVALID", "The lease was edited: its signature does not fit.") from error
    if not all(type(claims[name]) is int and 0 <= claims[name] <= _LAST_SECOND for name in ("iat", "nbf", "exp")):
        raise LeaseError("LEASE_INVALID", "The lease says no times.")
    return Lease(claims)


def check_subject(lease: Lease, key: str, fingerprint: Optional[str], issuer: Optional[str]) -> None:
    """Raises `LeaseError` unless a lease is for this license key's product, this machine and of this issuer."""
    product = str(lease.claims["aud"])
    # As license keys begin: three characters, filled up with X.
    if normal_key(key).split("-")[0] != product[:3].ljust(3, "X"):
        raise LeaseError("LEASE_INVALID", "The lease is for another product.")
    if issuer is not None and lease.claims["iss"] != issuer:
        raise LeaseError("LEASE_INVALID", "The lease is of another issuer.")
    bound_to = lease.claims.get("fingerprint")
    if bound_to != fingerprint:
        if bound_to is None:
            what = "The lease is bound to no machine."
        elif fingerprint is None:
            what = "The lease is bound to a machine: give its fingerprint."
        else:
            what = "The lease is another machine's."
        raise LeaseError("FINGERPRINT_MISMATCH", what)


def check_time(lease: Lease, now: float, seen: float, ends: float) -> None:
    """Raises `LeaseError` unless a lease holds now.

    `now` is the clock's time, `seen` the latest that was ever read, `ends` when the lease ends with all grace; all in
    seconds since 1970. The signed `iat` is a time that has been, too.
    """
    if now < max(seen, lease.issued_at) - CLOCK_TOLERANCE:
        raise LeaseError("CLOCK_SET_BACK", "The clock was set back: connect once to go on.")
    if now >= ends:
        raise LeaseError("LEASE_EXPIRED", "The lease has expired: connect once to go on.")


def ends_at(lease: Lease, license_ends: Optional[float], grace: float) -> float:
    """When a lease ends: `grace` seconds after what it says itself, but not after the license."""
    ends = min(lease.expires_at + grace, _LAST_SECOND)
    # A lease is never longer than its license, whatever is written beside it.
    return ends if license_ends is None else max(lease.expires_at, min(ends, license_ends))


def normal_key(key: str) -> str:
    """A license key as the server reads it: white space around it and the case of letters do not matter."""
    return key.strip().upper()


def utc(seconds: float) -> datetime:
    """Seconds since 1970 as a time."""
    return datetime.fromtimestamp(seconds, tz=timezone.utc)
