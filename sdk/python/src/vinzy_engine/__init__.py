"""Client for Vinzy-Engine: validate license keys, take seats, meter use, and go on offline with a signed lease.

from vinzy_engine import LicenseClient

with LicenseClient("https://licenses.example.com", license_key="PRD-…") as client:
    if client.validate().valid:
        client.record_usage("api_calls")
"""

from ._calls import Amount
from ._version import __version__
from .aio import AsyncLicenseClient
from .client import LicenseClient
from .errors import (
    ApiError,
    AuthenticationError,
    ConflictError,
    FieldError,
    InvalidRequestError,
    LeaseError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
    ServerUnreachableError,
    UnexpectedAnswerError,
    VinzyError,
    WebhookVerificationError,
)
from .results import (
    ActivateResult,
    Agent,
    ComposedEntitlements,
    ComposedFeature,
    ComposedSource,
    DeactivateResult,
    Entitlement,
    HeartbeatResult,
    License,
    RecordUsageResult,
    ValidateAgentResult,
    ValidateResult,
)
from .webhooks import verify_webhook, verify_webhook_signature

__all__ = [
    "ActivateResult",
    "Agent",
    "Amount",
    "ApiError",
    "AsyncLicenseClient",
    "AuthenticationError",
    "ComposedEntitlements",
    "ComposedFeature",
    "ComposedSource",
    "ConflictError",
    "DeactivateResult",
    "Entitlement",
    "FieldError",
    "HeartbeatResult",
    "InvalidRequestError",
    "LeaseError",
    "License",
    "LicenseClient",
    "NotFoundError",
    "PermissionDeniedError",
    "RateLimitedError",
    "RecordUsageResult",
    "ServerError",
    "ServerUnreachableError",
    "UnexpectedAnswerError",
    "ValidateAgentResult",
    "ValidateResult",
    "VinzyError",
    "WebhookVerificationError",
    "__version__",
    "verify_webhook",
    "verify_webhook_signature",
]
