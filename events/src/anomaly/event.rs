//! What can have happened to an anomaly.

use serde::{Deserialize, Serialize};

use super::Severity;
use crate::stream::stream_events;
use crate::{AnomalyId, Decimal, EventId, LicenseId, Timestamp};

stream_events! {
    /// A fact about an anomaly.
    pub enum AnomalyEvent {
        /// It was found.
        "anomaly.detected" v 1 => Detected(Box<AnomalyDetected>),
        /// It was taken over from the system that was there before.
        "anomaly.imported" v 1 => Imported(Box<AnomalyImported>),
        /// Somebody has dealt with it.
        "anomaly.resolved" v 1 => Resolved(AnomalyResolved),
    }
}

/// Payload of `anomaly.detected`. Figures are decimal texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AnomalyDetected {
    /// Its id.
    pub anomaly_id: AnomalyId,
    /// Under which license.
    pub license_id: LicenseId,
    /// What kind: `usage_spike`, for values above and below.
    pub anomaly_type: String,
    /// How far the value stands out.
    pub severity: Severity,
    /// Of what.
    pub metric: String,
    /// The value.
    pub observed_value: Decimal,
    /// Mean of the values before.
    pub baseline_mean: Decimal,
    /// Sample standard deviation of the values before.
    pub baseline_stddev: Decimal,
    /// (value − mean) / standard deviation; 999 where that is 0.
    pub z_score: Decimal,
    /// The usage event that caused it.
    pub usage_event_id: EventId,
    /// When that was recorded.
    pub detected_at: Timestamp,
}

/// Payload of `anomaly.imported`: an anomaly that was found in the system that was there before. Figures are decimal texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AnomalyImported {
    /// Its id.
    pub anomaly_id: AnomalyId,
    /// Under which license.
    pub license_id: LicenseId,
    /// What kind, as it was called there.
    pub anomaly_type: String,
    /// How far the value stood out.
    pub severity: Severity,
    /// Of what.
    pub metric: String,
    /// The value.
    pub observed_value: Decimal,
    /// Mean of the values before.
    pub baseline_mean: Decimal,
    /// Sample standard deviation of the values before.
    pub baseline_stddev: Decimal,
    /// (value − mean) / standard deviation; 999 where that was 0.
    pub z_score: Decimal,
    /// When it was found.
    pub detected_at: Timestamp,
    /// Who had dealt with it, and when; `null` if nobody had.
    pub resolved: Option<AnomalyResolved>,
}

/// Payload of `anomaly.resolved`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AnomalyResolved {
    /// Who dealt with it, in the vendor's words.
    pub resolved_by: String,
    /// When.
    pub resolved_at: Timestamp,
}
