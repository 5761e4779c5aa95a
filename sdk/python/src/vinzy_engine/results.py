"""What the server answers, as values: fields have their names on the wire.

Whether something was allowed or done is `valid` or `success`: a result itself is true in a condition, whatever it says.
Times are aware `datetime`s in UTC. Results do not show keys or leases when they are printed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Optional, Union

from .errors import VinzyError

Number = Union[int, float]
"""A number as JSON has it."""


@dataclass(frozen=True)
class License:
    """A license as its application sees it."""

    id: str
    key: str = field(repr=False)
    """The key that was asked about."""
    status: str
    product_code: str
    customer_id: str
    tier: str
    machines_limit: Optional[int] = None
    """How many machines at once; `None` is unlimited."""
    machines_used: int = 0
    expires_at: Optional[datetime] = None
    """When it ends; `None` is never."""
    features: list[str] = field(default_factory=list)
    """Names of the enabled features."""
    entitlements: dict[str, Any] = field(default_factory=dict)
    """Overrides as the vendor gave them."""
    metadata: dict[str, Any] = field(default_factory=dict)
    """The vendor's own data."""


@dataclass(frozen=True)
class Entitlement:
    """A feature with its limit."""

    feature: str
    enabled: bool
    limit: Optional[Number] = None
    """How much of it; `None` is unlimited."""
    used: Number = 0
    """How much was used, in the current period if the limit has one."""
    remaining: Optional[Number] = None
    """How much is left; `None` is unlimited."""


@dataclass(frozen=True)
class Agent:
    """An agent with its limits."""

    agent_code: str
    enabled: bool
    token_limit: Optional[Number] = None
    """How many tokens; `None` is unlimited."""
    model_tier: Optional[str] = None
    """The class of model that it may use."""


@dataclass(frozen=True)
class ValidateResult:
    """Whether a license key is good, and what for."""

    valid: bool
    """Whether the application may run."""
    code: str = ""
    """Of the server: `OK`, `INVALID_KEY`, `NOT_FOUND`, `EXPIRED`, `SUSPENDED` (suspended or revoked).

    From a lease: `OK`; `LEASE_GRACE` (expired, within `offline_grace`); `LEASE_MISSING`; `LEASE_EXPIRED`;
    `LEASE_INVALID` (edited, or not signed by a known key, or of another product); `FINGERPRINT_MISMATCH`
    (another machine's); `CLOCK_SET_BACK`.
    """
    message: str = ""
    """The same in words."""
    license: Optional[License] = None
    """The license; `None` offline."""
    features: list[str] = field(default_factory=list)
    """Names of the enabled features."""
    entitlements: list[Entitlement] = field(default_factory=list)
    """Every feature with its limit. Offline, with what was used when the lease was signed."""
    agents: list[Agent] = field(default_factory=list)
    """Every agent with its limit."""
    lease: Optional[dict[str, Any]] = field(default=None, repr=False)
    """The signed lease as it came: `token`, `payload`, `signature`, `lease_expires_at`."""
    tier: str = ""
    """The license's; offline, the lease's."""
    offline: bool = False
    """Whether this is the lease's answer and not the server's."""
    offline_until: Optional[datetime] = None
    """Until when the application may go on without the server, grace included; `None` if it may not."""
    cause: Optional[VinzyError] = field(default=None, compare=False)
    """Why the server was not asked, or did not answer."""


@dataclass(frozen=True)
class ActivateResult:
    """Whether a machine has a seat."""

    success: bool
    machine_id: Optional[str] = None
    """The machine's id, if it has."""
    code: str = ""
    """`ACTIVATED`, `ALREADY_ACTIVATED`, `ACTIVATION_LIMIT`, `INVALID_KEY`, `NOT_FOUND`, `EXPIRED` or `SUSPENDED`."""
    message: str = ""
    """The same in words."""
    license: Optional[License] = None
    """The license, if it has."""


@dataclass(frozen=True)
class DeactivateResult:
    """Whether a seat was given up."""

    success: bool
    """Whether the machine had one."""
    code: str = ""
    """`DEACTIVATED` or `NOT_ACTIVATED`."""
    message: str = ""
    """The same in words."""


@dataclass(frozen=True)
class HeartbeatResult:
    """Whether a machine's heartbeat counts."""

    success: bool
    code: str = ""
    """`OK`, `NOT_FOUND` (no such license, or the machine has no seat), `EXPIRED` or `SUSPENDED`."""
    message: str = ""
    """The same in words."""


@dataclass(frozen=True)
class RecordUsageResult:
    """Whether use was counted. The server counts exact decimals; these are the nearest doubles."""

    success: bool
    metric: str = ""
    value_added: float = 0.0
    total_value: float = 0.0
    limit: Optional[float] = None
    """The limit; `None` is unlimited."""
    remaining: Optional[float] = None
    """What is left of it; 0 once it is passed."""
    code: str = ""
    """`RECORDED`, `LIMIT_EXCEEDED` (nothing was counted), `NOT_FOUND`, `EXPIRED` or `SUSPENDED`."""
    message: str = ""
    """The same in words."""
    period: Optional[str] = None
    """What the limit is for: `day`, `week`, `month` or `year`; `None` is for ever."""


@dataclass(frozen=True)
class ValidateAgentResult:
    """Whether a license is entitled to an agent."""

    valid: bool
    code: str = ""
    """`OK`, `AGENT_NOT_ENTITLED`, `LIMIT_EXCEEDED` (more tokens were used than there are), or as of `validate`."""
    message: str = ""
    """The same in words."""
    agent_code: str = ""
    enabled: bool = False
    token_limit: Optional[Number] = None
    """How many tokens; `None` is unlimited."""
    model_tier: Optional[str] = None
    """The class of model that it may use."""
    tokens_used: Optional[Number] = None
    """How many were used, as `agent.{CODE}.tokens`, in the limit's period."""
    tokens_remaining: Optional[Number] = None
    """How many are left; `None` is unlimited."""


@dataclass(frozen=True)
class ComposedSource:
    """The value of a feature under one license."""

    product_code: str
    license_id: str
    value: Any
    """Its limit; where it has none, whether it is on."""


@dataclass(frozen=True)
class ComposedFeature:
    """A feature under all licenses."""

    feature: str
    effective_value: Any
    """What it amounts to; `None` is unlimited."""
    strategy: str
    """How that came about: `sum`, `max` or `union`."""
    sources: list[ComposedSource]
    """What it is made of."""


@dataclass(frozen=True)
class ComposedEntitlements:
    """What all active licenses of a customer amount to."""

    customer_id: str
    total_products: int
    features: list[ComposedFeature]
    agents: dict[str, dict[str, Any]]
    """Every agent with its fields, by code."""
