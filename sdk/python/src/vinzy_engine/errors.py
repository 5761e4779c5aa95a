"""What can go wrong, as exceptions.

A refusal that belongs to licensing (`SUSPENDED`, `ACTIVATION_LIMIT`, `LIMIT_EXCEEDED` …) is no exception: it is an
answer, and the result's `code` tells it. No message here holds a license key, an API key or a secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional


class VinzyError(Exception):
    """Everything that this package raises of its own."""


class ServerUnreachableError(VinzyError):
    """No answer came: no connection, a broken one, or none in time, at every try.

    Whether the server did what it was asked is not known. Calls with an idempotency key can be repeated under
    the same key; nothing is then done twice.
    """


class UnexpectedAnswerError(VinzyError):
    """What answered does not speak this API: a captive portal, a proxy's page, a wrong address."""


@dataclass(frozen=True)
class FieldError:
    """Something wrong with one field of a request."""

    field: str
    """Where: the field's name, with dots into objects."""
    message: str
    """What is wrong with it."""


class ApiError(VinzyError):
    """The server refused a request and said why (RFC 9457)."""

    def __init__(
        self,
        status: int,
        *,
        code: str = "",
        title: str = "",
        detail: str = "",
        request_id: str = "",
        errors: Sequence[FieldError] = (),
        retry_after: Optional[float] = None,
        problem: Optional[Mapping[str, Any]] = None,
    ) -> None:
        super().__init__(status, code, detail)
        self.status = status
        """The HTTP status."""
        self.code = code
        """Names the kind of problem, for programs: `EMAIL_TAKEN`, `RATE_LIMITED` …"""
        self.title = title
        """The status in words."""
        self.detail = detail
        """What is wrong, as a sentence."""
        self.request_id = request_id
        """Under which the server's log tells more: name it when you ask for help."""
        self.errors = tuple(errors)
        """Every field that is wrong, with status 422."""
        self.retry_after = retry_after
        """Seconds after which to come again, if the server said so."""
        self.problem: Mapping[str, Any] = dict(problem or {})
        """The whole problem document, with members such as `required_scopes`."""

    def __str__(self) -> str:
        text = self.detail or f"The server answered with status {self.status}."
        fields = "; ".join(f"{error.field} {error.message}" for error in self.errors)
        if fields:
            text = f"{text} {fields}."
        marks = [str(self.status), self.code, self.request_id and f"request {self.request_id}"]
        return f"{text} [{', '.join(mark for mark in marks if mark)}]"


class InvalidRequestError(ApiError):
    """The request is not as the server wants it (400, 413, 415, 422 …); `errors` names the fields."""


class AuthenticationError(ApiError):
    """The API key is missing or unknown (401)."""


class PermissionDeniedError(ApiError):
    """The API key may not do that (403)."""


class NotFoundError(ApiError):
    """There is no such thing, or it is somebody else's (404)."""


class ConflictError(ApiError):
    """Something stands against it (409): an idempotency key that was used for another request, say."""


class RateLimitedError(ApiError):
    """Too many requests (429), also after all tries; see `retry_after`."""


class ServerError(ApiError):
    """The server could not do it (5xx), also after all tries."""


class LeaseError(VinzyError):
    """A lease is not to be trusted. `code` says why, as the `code` of an offline result does."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        """`LEASE_INVALID`, `LEASE_EXPIRED`, `FINGERPRINT_MISMATCH`, `CLOCK_SET_BACK` or `LEASE_MISSING`."""


class WebhookVerificationError(VinzyError):
    """A webhook is not genuine, or too old."""


def api_error(status: int, **details: Any) -> ApiError:
    """The exception for a status."""
    kinds: dict[int, type[ApiError]] = {
        401: AuthenticationError,
        403: PermissionDeniedError,
        404: NotFoundError,
        409: ConflictError,
        429: RateLimitedError,
    }
    otherwise = ServerError if status >= 500 else InvalidRequestError
    return kinds.get(status, otherwise)(status, **details)
