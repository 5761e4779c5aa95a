//! A webhook endpoint as its events have made it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{DisableReason, EndpointEvent, EndpointStatus, EndpointUpdated, EventPattern};
use crate::stream::replace;
use crate::{SecretId, Timestamp};

/// The endpoint aggregate: nothing before its creation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Endpoint {
    state: Option<EndpointState>,
}

/// What is true of an endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndpointState {
    /// Where events are sent.
    pub url: String,
    /// Free text.
    pub description: String,
    /// Which events; empty is all that can be subscribed to.
    pub event_types: BTreeSet<EventPattern>,
    /// Whether it is sent to.
    pub status: EndpointStatus,
    /// How often a delivery is tried again; `None` is as often as the schedule has it.
    pub max_retries: Option<u32>,
    /// How long an answer may take, in seconds.
    pub timeout_seconds: u32,
    /// Which secret signs.
    pub secret_id: SecretId,
    /// The secret of before, while it may still sign.
    pub previous: Option<PreviousSecret>,
    /// Why and since when it is disabled; nothing when it is not.
    pub disabled: Option<Disabled>,
    /// Since when it is active at this address: failures of before do not count.
    pub active_since: Timestamp,
    /// When it was set up.
    pub created_at: Timestamp,
    /// When something of it last changed.
    pub updated_at: Timestamp,
    /// When it was removed.
    pub deleted_at: Option<Timestamp>,
}

/// A secret that was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousSecret {
    /// Which one.
    pub secret_id: SecretId,
    /// Until when it signs.
    pub valid_until: Timestamp,
}

/// Why and since when an endpoint is disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disabled {
    /// Why.
    pub reason: DisableReason,
    /// Since when.
    pub at: Timestamp,
}

impl From<EndpointState> for Endpoint {
    /// The aggregate whose events led to `state`, as a read model or a snapshot holds it.
    fn from(state: EndpointState) -> Self {
        Self { state: Some(state) }
    }
}

impl EndpointState {
    /// Whether it is subscribed to events of a type.
    pub fn wants(&self, event_type: &str) -> bool {
        self.event_types.is_empty() || self.event_types.iter().any(|pattern| pattern.matches(event_type))
    }

    fn update(&mut self, change: EndpointUpdated) {
        let moved = change.url.is_some();
        let resumed = change.status == Some(EndpointStatus::Active);
        if moved || resumed {
            self.active_since = change.updated_at;
        }
        if change.status.is_some() {
            self.disabled = None;
        }
        replace(&mut self.url, change.url);
        replace(&mut self.description, change.description);
        replace(&mut self.event_types, change.event_types);
        replace(&mut self.status, change.status);
        replace(&mut self.max_retries, change.max_retries);
        replace(&mut self.timeout_seconds, change.timeout_seconds);
        self.updated_at = change.updated_at;
    }
}

impl Endpoint {
    /// The state, also of a removed endpoint; `None` before its creation.
    pub const fn state(&self) -> Option<&EndpointState> {
        self.state.as_ref()
    }

    /// The state of an endpoint that was not removed.
    pub fn live(&self) -> Option<&EndpointState> {
        self.state().filter(|state| state.deleted_at.is_none())
    }

    /// Follows one event. Projections use the same function.
    pub fn evolve(&mut self, event: EndpointEvent) {
        match (event, &mut self.state) {
            (EndpointEvent::Created(event), state) => {
                *state = Some(EndpointState {
                    url: event.url,
                    description: event.description,
                    event_types: event.event_types,
                    status: EndpointStatus::Active,
                    max_retries: event.max_retries,
                    timeout_seconds: event.timeout_seconds,
                    secret_id: event.secret_id,
                    previous: None,
                    disabled: None,
                    active_since: event.created_at,
                    created_at: event.created_at,
                    updated_at: event.created_at,
                    deleted_at: None,
                });
            }
            (EndpointEvent::Imported(event), state) => {
                *state = Some(EndpointState {
                    url: event.url,
                    description: event.description,
                    event_types: event.event_types,
                    status: event.status,
                    max_retries: event.max_retries,
                    timeout_seconds: event.timeout_seconds,
                    secret_id: event.secret_id,
                    previous: None,
                    disabled: None,
                    active_since: event.updated_at,
                    created_at: event.created_at,
                    updated_at: event.updated_at,
                    deleted_at: None,
                });
            }
            (EndpointEvent::Updated(event), Some(state)) => state.update(event),
            (EndpointEvent::SecretRotated(event), Some(state)) => {
                let secret_id = std::mem::replace(&mut state.secret_id, event.secret_id);
                state.previous = (event.previous_valid_until > event.rotated_at).then_some(PreviousSecret {
                    secret_id,
                    valid_until: event.previous_valid_until,
                });
                state.updated_at = event.rotated_at;
            }
            (EndpointEvent::Disabled(event), Some(state)) => {
                state.status = EndpointStatus::Disabled;
                state.disabled = Some(Disabled {
                    reason: event.reason,
                    at: event.disabled_at,
                });
                state.updated_at = event.disabled_at;
            }
            (EndpointEvent::Deleted(event), Some(state)) => state.deleted_at = Some(event.deleted_at),
            // A fact about an endpoint that was never made: there is nothing to change.
            (_, None) => {}
        }
    }
}
