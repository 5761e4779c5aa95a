//! Anomalies.

use serde::{Deserialize, Serialize};

use crate::{Amount, Object};

/// A recorded value that stands out from those before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Anomaly {
    /// Its id.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub id: String,
    /// Under which license.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub license_id: String,
    /// What kind: `usage_spike`, for values above and below.
    pub anomaly_type: String,
    /// `medium` (|z| > 1.5), `high` (|z| > 2) or `critical` (|z| > 3).
    pub severity: String,
    /// Of what.
    pub metric: String,
    /// How many standard deviations the value is from the mean; 999 where all values before were equal.
    #[cfg_attr(feature = "openapi", schema(value_type = f64))]
    pub z_score: Amount,
    /// Mean of the up to 30 values before.
    #[cfg_attr(feature = "openapi", schema(value_type = f64))]
    pub baseline_mean: Amount,
    /// Their sample standard deviation.
    #[cfg_attr(feature = "openapi", schema(value_type = f64))]
    pub baseline_stddev: Amount,
    /// The value.
    #[cfg_attr(feature = "openapi", schema(value_type = f64))]
    pub observed_value: Amount,
    /// `{"usage_event_id": …}`: the event that caused it; `{}` if it was imported.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub detail: Object,
    /// Whether somebody has dealt with it.
    pub resolved: bool,
    /// Who.
    pub resolved_by: Option<String>,
    /// When.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub resolved_at: Option<String>,
    /// When the value was recorded.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub created_at: String,
}

/// Says who has dealt with an anomaly.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResolveAnomaly {
    /// 1 to 255 characters; the caller if left out. Stands in the ledger for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 255))]
    pub resolved_by: Option<String>,
}

/// An anomaly among the values around it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AnomalyContext {
    /// The anomaly.
    pub anomaly: Anomaly,
    /// The values of its meter in their order: the baseline (up to 30), the observed one, and up to 10 after it.
    pub values: Vec<AnomalyValue>,
}

/// A recorded value beside an anomaly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AnomalyValue {
    /// `baseline`, `observed` or `after`.
    pub role: String,
    /// How much was recorded.
    #[cfg_attr(feature = "openapi", schema(value_type = f64))]
    pub value: Amount,
    /// When.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub recorded_at: String,
    /// Where it stands in the ledger.
    pub position: u64,
}
