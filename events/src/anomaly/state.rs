//! An anomaly as its events have made it.

use serde::{Deserialize, Serialize};

use super::{AnomalyDetected, AnomalyEvent, AnomalyImported, AnomalyResolved, Severity};
use crate::{AnomalyId, Decimal, EventId, LicenseId, Timestamp};

/// The anomaly aggregate: nothing before it was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Anomaly {
    state: Option<AnomalyState>,
}

/// What is true of an anomaly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnomalyState {
    /// How it was found.
    pub detected: Found,
    /// How it was dealt with; `None` if nobody has.
    pub resolved: Option<AnomalyResolved>,
}

/// How an anomaly was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// Its id.
    pub anomaly_id: AnomalyId,
    /// Under which license.
    pub license_id: LicenseId,
    /// What kind.
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
    /// How many standard deviations it is from the mean.
    pub z_score: Decimal,
    /// The usage event that caused it; `None` if it was imported.
    pub usage_event_id: Option<EventId>,
    /// When that was recorded.
    pub detected_at: Timestamp,
}

impl From<AnomalyDetected> for Found {
    fn from(event: AnomalyDetected) -> Self {
        Self {
            anomaly_id: event.anomaly_id,
            license_id: event.license_id,
            anomaly_type: event.anomaly_type,
            severity: event.severity,
            metric: event.metric,
            observed_value: event.observed_value,
            baseline_mean: event.baseline_mean,
            baseline_stddev: event.baseline_stddev,
            z_score: event.z_score,
            usage_event_id: Some(event.usage_event_id),
            detected_at: event.detected_at,
        }
    }
}

impl From<AnomalyImported> for AnomalyState {
    fn from(event: AnomalyImported) -> Self {
        Self {
            detected: Found {
                anomaly_id: event.anomaly_id,
                license_id: event.license_id,
                anomaly_type: event.anomaly_type,
                severity: event.severity,
                metric: event.metric,
                observed_value: event.observed_value,
                baseline_mean: event.baseline_mean,
                baseline_stddev: event.baseline_stddev,
                z_score: event.z_score,
                usage_event_id: None,
                detected_at: event.detected_at,
            },
            resolved: event.resolved,
        }
    }
}

impl From<AnomalyState> for Anomaly {
    /// The aggregate whose events led to `state`, as a read model holds it.
    fn from(state: AnomalyState) -> Self {
        Self { state: Some(state) }
    }
}

impl Anomaly {
    /// The state; `None` before it was found.
    pub const fn state(&self) -> Option<&AnomalyState> {
        self.state.as_ref()
    }

    /// Follows one event. The projection uses the same function.
    pub fn evolve(&mut self, event: AnomalyEvent) {
        match (event, &mut self.state) {
            (AnomalyEvent::Detected(detected), state) => {
                *state = Some(AnomalyState {
                    detected: (*detected).into(),
                    resolved: None,
                });
            }
            (AnomalyEvent::Imported(imported), state) => *state = Some((*imported).into()),
            (AnomalyEvent::Resolved(resolved), Some(state)) => state.resolved = Some(resolved),
            // A fact about an anomaly that was never found: there is nothing to change.
            (AnomalyEvent::Resolved(_), None) => {}
        }
    }
}
