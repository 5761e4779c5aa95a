//! A customer as their events have made them.

use serde::{Deserialize, Serialize};

use super::CustomerEvent;
use crate::Timestamp;

/// The customer aggregate: nothing before its creation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Customer {
    state: Option<CustomerState>,
}

/// What is true of a customer, personal data aside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomerState {
    /// When they came to be.
    pub created_at: Timestamp,
    /// Whether they were removed.
    pub deleted: bool,
    /// When their personal data were erased; `None` if they were not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<Timestamp>,
}

impl From<CustomerState> for Customer {
    /// The aggregate whose events led to `state`, as a read model or a snapshot holds it.
    fn from(state: CustomerState) -> Self {
        Self { state: Some(state) }
    }
}

impl Customer {
    /// The state, also of a removed customer; `None` before creation.
    pub const fn state(&self) -> Option<&CustomerState> {
        self.state.as_ref()
    }

    /// The state of a customer who was not removed.
    pub fn live(&self) -> Option<&CustomerState> {
        self.state.as_ref().filter(|state| !state.deleted)
    }

    /// Follows one event. Projections and the validation directory use the same function.
    pub fn evolve(&mut self, event: CustomerEvent) {
        match (event, &mut self.state) {
            (CustomerEvent::Created(event), state) => {
                *state = Some(CustomerState {
                    created_at: event.created_at,
                    deleted: false,
                    erased_at: None,
                });
            }
            (CustomerEvent::Imported(event), state) => {
                *state = Some(CustomerState {
                    created_at: event.created_at,
                    deleted: event.deleted_at.is_some(),
                    erased_at: None,
                });
            }
            (CustomerEvent::Deleted(_), Some(state)) => state.deleted = true,
            (CustomerEvent::Erased(event), Some(state)) => state.erased_at = Some(event.erased_at),
            (CustomerEvent::Updated(_), _) | (CustomerEvent::Deleted(_) | CustomerEvent::Erased(_), None) => {
            }
        }
    }
}
