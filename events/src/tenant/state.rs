//! A tenant as its events have made it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{TenantEvent, TenantSlug};
use crate::Timestamp;
use crate::stream::replace;

/// The tenant aggregate: nothing before its creation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tenant {
    state: Option<TenantState>,
}

/// What is true of a tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TenantState {
    /// What people call it.
    pub name: String,
    /// Its short name, which is its ledger's.
    pub slug: TenantSlug,
    /// Version of the HMAC key that signs its license keys; `None` is always the newest.
    pub hmac_key_version: Option<u8>,
    /// Settings that differ from the server's, and the operator's own data.
    pub config_overrides: Map<String, Value>,
    /// When it came to be.
    pub created_at: Timestamp,
    /// When it was shut out.
    pub closed_at: Option<Timestamp>,
}

impl From<TenantState> for Tenant {
    /// The aggregate whose events led to `state`, as a read model or a snapshot holds it.
    fn from(state: TenantState) -> Self {
        Self { state: Some(state) }
    }
}

impl Tenant {
    /// The state, also of a closed tenant; `None` before its creation.
    pub const fn state(&self) -> Option<&TenantState> {
        self.state.as_ref()
    }

    /// The state of a tenant that was not closed.
    pub fn live(&self) -> Option<&TenantState> {
        self.state().filter(|state| state.closed_at.is_none())
    }

    /// Follows one event. Projections use the same function.
    pub fn evolve(&mut self, event: TenantEvent) {
        match (event, &mut self.state) {
            (TenantEvent::Created(event), state) => {
                *state = Some(TenantState {
                    name: event.name,
                    slug: event.slug,
                    hmac_key_version: event.hmac_key_version,
                    config_overrides: event.config_overrides,
                    created_at: event.created_at,
                    closed_at: None,
                });
            }
            (TenantEvent::Imported(event), state) => {
                *state = Some(TenantState {
                    name: event.name,
                    slug: event.slug,
                    hmac_key_version: event.hmac_key_version,
                    config_overrides: event.config_overrides,
                    created_at: event.created_at,
                    closed_at: event.closed_at,
                });
            }
            (TenantEvent::Updated(event), Some(state)) => {
                replace(&mut state.name, event.name);
                replace(&mut state.hmac_key_version, event.hmac_key_version);
                replace(&mut state.config_overrides, event.config_overrides);
            }
            (TenantEvent::Closed(event), Some(state)) => state.closed_at = Some(event.closed_at),
            // A fact about a tenant that was never taken in: there is nothing to change.
            (TenantEvent::Updated(_) | TenantEvent::Closed(_), None) => {}
        }
    }
}
