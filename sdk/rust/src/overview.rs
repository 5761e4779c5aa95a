//! The state of a tenant at a glance.

use serde::{Deserialize, Serialize};

use crate::Amount;
use crate::usage::UsagePoint;

/// What there is, what happened lately, and what wants attention.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Overview {
    /// As of when.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub as_of: String,
    /// Licenses by status, as of then.
    pub licenses: LicenseCounts,
    /// Licenses that are active and end within 30 days.
    pub expiring_licenses: u64,
    /// What happened, day by day (UTC), oldest first; every day is there. The last one is not over.
    pub activity: Vec<DayOfActivity>,
    /// The metrics that were recorded most often in these days, the most frequent first; at most 6.
    pub usage: Vec<MetricUsage>,
    /// Open anomalies by severity.
    pub anomalies: AnomalyCounts,
    /// How webhooks do; `null` for keys that may not read webhooks.
    pub webhooks: Option<WebhookHealth>,
    /// Where the ledger stands.
    pub ledger: LedgerHead,
}

/// Licenses by status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LicenseCounts {
    /// In force.
    pub active: u64,
    /// Suspended, and not expired.
    pub suspended: u64,
    /// Revoked.
    pub revoked: u64,
    /// Past their end, and not revoked.
    pub expired: u64,
}

/// What happened on a day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DayOfActivity {
    /// When the day begins, in UTC.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub starts_at: String,
    /// Licenses issued.
    pub licenses_created: u64,
    /// Seats taken.
    pub activations: u64,
    /// Seats given up.
    pub deactivations: u64,
    /// Validations, as far as the ledger notes them.
    pub validations: u64,
}

/// The use of a metric by all licenses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MetricUsage {
    /// Of what.
    pub metric: String,
    /// How much in these days; as in every point, at most 1.7976931348623157e308.
    #[cfg_attr(feature = "openapi", schema(value_type = f64))]
    pub total_value: Amount,
    /// How often it was recorded in these days.
    pub record_count: u64,
    /// Day by day, as in `activity`.
    pub points: Vec<UsagePoint>,
}

/// Open anomalies by severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AnomalyCounts {
    /// |z| above 1.5.
    pub medium: u64,
    /// |z| above 2.
    pub high: u64,
    /// |z| above 3.
    pub critical: u64,
}

/// How webhooks do. Of deliveries at most 100,000 of a kind are counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WebhookHealth {
    /// Endpoints that are sent to.
    pub active: u64,
    /// Endpoints that are paused.
    pub paused: u64,
    /// Endpoints that are disabled: they failed for days, are gone, or somebody asked for it.
    pub disabled: u64,
    /// Deliveries that wait for their first or next try.
    pub pending: u64,
    /// Deliveries that were given up in the last 24 hours.
    pub failed: u64,
    /// Deliveries that arrived in the last 24 hours.
    pub delivered: u64,
    /// When the oldest event was recorded whose delivery waits; `null` if none does.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub oldest_pending_at: Option<String>,
}

/// Where a ledger stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LedgerHead {
    /// Its name, the origin of its checkpoints.
    pub origin: String,
    /// How many events it has.
    pub size: u64,
    /// How many of them the newest signed checkpoint covers; `null` before the first.
    pub checkpoint_size: Option<u64>,
    /// When that one was signed; `null` also if it is from a server that did not note it.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub checkpoint_at: Option<String>,
}
