//! A license as its events have made it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{LicenseCreated, LicenseEvent, LicenseImported, LicenseStatus, LicenseUpdated, Machines};
use crate::product::ProductCode;
use crate::stream::replace;
use crate::{CustomerId, ProductId, Timestamp};

/// What the vendor decided about a license. Expiry is no decision but a fact of time, so it is not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// In force.
    Active,
    /// Held back for a while.
    Suspended,
    /// Withdrawn for good.
    Revoked,
}

impl Standing {
    /// The standing as rows hold it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
        }
    }
}

/// The license aggregate: nothing before its creation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct License {
    state: Option<Arc<LicenseState>>,
    machines: Machines,
}

/// What is true of a license.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LicenseState {
    /// The product.
    pub product_id: ProductId,
    /// Its code.
    pub product_code: ProductCode,
    /// Whose it is.
    pub customer_id: CustomerId,
    /// Tier name.
    pub tier: String,
    /// How many machines at once; `None` is unlimited.
    pub machines_limit: Option<u32>,
    /// When it ends; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// Its own features; empty means the product's.
    pub features: Map<String, Value>,
    /// Overrides of the features, field by field.
    pub entitlements: Map<String, Value>,
    /// The vendor's own data.
    pub metadata: Map<String, Value>,
    /// What the vendor decided about it.
    pub standing: Standing,
    /// When it came to be.
    pub created_at: Timestamp,
    /// Whether it was hidden.
    pub deleted: bool,
}

impl LicenseState {
    /// The status as everyone sees it at `at`.
    pub fn status(&self, at: Timestamp) -> LicenseStatus {
        LicenseStatus::of(self.standing, self.expires_at, at)
    }
}

impl From<LicenseCreated> for LicenseState {
    fn from(event: LicenseCreated) -> Self {
        Self {
            product_id: event.product_id,
            product_code: event.product_code,
            customer_id: event.customer_id,
            tier: event.tier,
            machines_limit: event.machines_limit,
            expires_at: event.expires_at,
            features: event.features,
            entitlements: event.entitlements,
            metadata: event.metadata,
            standing: Standing::Active,
            created_at: event.created_at,
            deleted: false,
        }
    }
}

impl From<LicenseImported> for LicenseState {
    fn from(event: LicenseImported) -> Self {
        Self {
            product_id: event.product_id,
            product_code: event.product_code,
            customer_id: event.customer_id,
            tier: event.tier,
            machines_limit: event.machines_limit,
            expires_at: event.expires_at,
            features: event.features,
            entitlements: event.entitlements,
            metadata: event.metadata,
            standing: event.standing,
            created_at: event.created_at,
            deleted: event.deleted_at.is_some(),
        }
    }
}

impl From<LicenseState> for License {
    /// The aggregate whose events led to `state`, as a read model holds it: without its machines.
    fn from(state: LicenseState) -> Self {
        Self {
            state: Some(Arc::new(state)),
            machines: Machines::default(),
        }
    }
}

impl License {
    /// The state, also of a deleted license; `None` before its creation.
    pub fn state(&self) -> Option<&LicenseState> {
        self.state.as_deref()
    }

    /// The state as [`License::state`] gives it, to keep.
    pub fn shared(&self) -> Option<Arc<LicenseState>> {
        self.state.clone()
    }

    /// The state of a license that was not deleted.
    pub fn live(&self) -> Option<&LicenseState> {
        self.state().filter(|state| !state.deleted)
    }

    /// The machines it is activated on.
    pub const fn machines(&self) -> &Machines {
        &self.machines
    }

    /// Follows one event. Projections and the validation directory use the same function.
    pub fn evolve(&mut self, event: LicenseEvent) {
        match (event, &mut self.state) {
            (LicenseEvent::ActivationCreated(event), _) => {
                self.machines.add(event.fingerprint, event.machine_id);
            }
            (LicenseEvent::ActivationRemoved(event), _) => self.machines.remove(&event.fingerprint),
            (LicenseEvent::Heartbeat(event), _) => {
                self.machines.beat(&event.fingerprint, event.at, event.version);
            }
            (LicenseEvent::ActivationImported(event), _) => {
                if event.removed_at.is_none() {
                    self.machines.take_over(*event);
                }
            }
            (LicenseEvent::Validated(_) | LicenseEvent::HistoryImported(_), _) => {}
            (LicenseEvent::Imported(event), state) => *state = Some(Arc::new((*event).into())),
            (LicenseEvent::Created(event), state) => *state = Some(Arc::new(event.into())),
            (event, Some(state)) => Arc::make_mut(state).evolve(event),
            // A fact about a license that was never created: there is nothing to change.
            (_, None) => {}
        }
    }
}

impl LicenseState {
    fn evolve(&mut self, event: LicenseEvent) {
        match event {
            LicenseEvent::Created(event) => *self = event.into(),
            LicenseEvent::Imported(event) => *self = (*event).into(),
            LicenseEvent::Updated(event) => self.update(event),
            LicenseEvent::Suspended(_) => self.standing = Standing::Suspended,
            LicenseEvent::Reinstated(_) => self.standing = Standing::Active,
            LicenseEvent::Renewed(event) => self.expires_at = event.expires_at,
            LicenseEvent::Revoked(_) => self.standing = Standing::Revoked,
            LicenseEvent::Deleted(_) => self.deleted = true,
            // Nothing of these stands in the state.
            LicenseEvent::ActivationCreated(_)
            | LicenseEvent::ActivationRemoved(_)
            | LicenseEvent::Heartbeat(_)
            | LicenseEvent::ActivationImported(_)
            | LicenseEvent::HistoryImported(_)
            | LicenseEvent::Validated(_) => {}
        }
    }

    fn update(&mut self, event: LicenseUpdated) {
        replace(&mut self.tier, event.tier);
        replace(&mut self.machines_limit, event.machines_limit);
        replace(&mut self.expires_at, event.expires_at);
        replace(&mut self.features, event.features);
        replace(&mut self.entitlements, event.entitlements);
        replace(&mut self.metadata, event.metadata);
    }
}
