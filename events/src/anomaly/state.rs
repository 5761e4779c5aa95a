//! An anomaly as its events have made it.

use serde::{Deserialize, Serialize};

use super::{AnomalyDetected, AnomalyEvent, AnomalyResolved};

/// The anomaly aggregate: nothing before it was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Anomaly {
    state: Option<AnomalyState>,
}

/// What is true of an anomaly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnomalyState {
    /// How it was found.
    pub detected: AnomalyDetected,
    /// How it was dealt with; `None` if nobody has.
    pub resolved: Option<AnomalyResolved>,
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
                    detected: *detected,
                    resolved: None,
                });
            }
            (AnomalyEvent::Resolved(resolved), Some(state)) => state.resolved = Some(resolved),
            // A fact about an anomaly that was never found: there is nothing to change.
            (AnomalyEvent::Resolved(_), None) => {}
        }
    }
}
