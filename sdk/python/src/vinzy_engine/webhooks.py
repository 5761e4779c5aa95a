"""Checking that a webhook is genuine, whichever web framework received it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any, Optional, Union

from .errors import WebhookVerificationError

TOLERANCE = 300
"""Seconds that a webhook may be old, or ahead of the clock: as the libraries of Standard Webhooks have it."""

Secrets = Union[str, Iterable[str]]
"""The endpoint's secret, or several while it is rotated."""

_PREFIX = "whsec_"
_MOST_DIGITS = 15


def verify_webhook_signature(
    body: Union[str, bytes],
    signature: Union[str, Mapping[str, str]],
    secret: Secrets,
    *,
    tolerance: float = TOLERANCE,
    now: Optional[float] = None,
) -> bool:
    """Whether a webhook is genuine.

    Args:
        body: The body as it came: the raw bytes, not JSON that was read and written again.
        signature: The request's headers, whose `webhook-signature` is checked with its id and its time: do this. Or
            the text of the older `X-Vinzy-Signature`, which says nothing of the time, so that a request that was
            overheard could be sent again.
        secret: The endpoint's secret, or several of which one must fit.
        tolerance: Seconds that the webhook may be old, or ahead of the clock.
        now: Seconds since 1970; the clock's time if left out.
    """
    try:
        if isinstance(signature, str):
            _check_body_signature(_bytes(body), signature, _list(secret))
        else:
            _check_standard(_bytes(body), signature, _list(secret), tolerance, now)
    except WebhookVerificationError:
        return False
    return True


def verify_webhook(
    body: Union[str, bytes],
    headers: Mapping[str, str],
    secret: Secrets,
    *,
    tolerance: float = TOLERANCE,
    now: Optional[float] = None,
) -> dict[str, Any]:
    """The event of a genuine webhook: `event_type`, `timestamp`, `data`, `ledger`.

    The arguments are those of `verify_webhook_signature`. The same event can come twice: remember the `webhook-id`s
    that you have dealt with.

    Raises:
        WebhookVerificationError: It is not genuine, or too old; the message says what is wrong.
    """
    raw = _bytes(body)
    _check_standard(raw, headers, _list(secret), tolerance, now)
    try:
        event = json.loads(raw)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise WebhookVerificationError("the body is no event")
    return event


def _check_standard(
    body: bytes, headers: Mapping[str, str], secrets: list[str], tolerance: float, now: Optional[float]
) -> None:
    """As Standard Webhooks say: `v1,` and the base64 of HMAC-SHA256 over `{id}.{timestamp}.{body}`."""
    given = {name.lower(): value for name, value in headers.items()}
    try:
        id_, timestamp, signatures = (given[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
    except KeyError as error:
        raise WebhookVerificationError(f"the header {error.args[0]} is missing") from None
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _MOST_DIGITS):
        raise WebhookVerificationError("webhook-timestamp is no time")
    if abs((time.time() if now is None else now) - int(timestamp)) > tolerance:
        raise WebhookVerificationError("it is too old, or the clock is wrong")
    signed = b".".join((_bytes(id_), _bytes(timestamp), body))
    expected = [base64.b64encode(_mac(_signing_key(secret), signed)) for secret in secrets]
    shown = [_bytes(part[3:]) for part in signatures.split() if part.startswith("v1,")]
    _require_one(expected, shown)


def _check_body_signature(body: bytes, signature: str, secrets: list[str]) -> None:
    """`X-Vinzy-Signature`: HMAC-SHA256 of the body as lower hex, keyed with the secret's own characters."""
    expected = [_mac(secret.encode(), body).hex().encode() for secret in secrets]
    _require_one(expected, [_bytes(signature)])


def _require_one(expected: list[bytes], shown: list[bytes]) -> None:
    # All are compared, each in constant time: how long it takes tells nothing of what would have fitted.
    fits = [hmac.compare_digest(one, other) for one in expected for other in shown]
    if not any(fits):
        raise WebhookVerificationError("no signature fits")


def _signing_key(secret: str) -> bytes:
    """What follows `whsec_` is base64; a secret of the vendor's own signs with its own bytes."""
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret[len(_PREFIX) :], validate=True)
    except binascii.Error:
        raise ValueError("what follows whsec_ in the secret is not base64") from None


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


def _bytes(body: Union[str, bytes]) -> bytes:
    # Whatever a web framework made of odd bytes is compared, and does not fit.
    return body.encode(errors="surrogatepass") if isinstance(body, str) else body


def _list(secrets: Secrets) -> list[str]:
    some = [secrets] if isinstance(secrets, str) else list(secrets)
    if not all(some) or not some:
        raise ValueError("a secret is missing")
    return some
