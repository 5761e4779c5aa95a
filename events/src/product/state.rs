//! A product as its events have made it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ProductCode, ProductEvent, Tiers};
use crate::Timestamp;
use crate::stream::replace;

/// The product aggregate: nothing before its creation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Product {
    state: Option<Arc<ProductState>>,
}

/// What is true of a product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProductState {
    /// Prefix of its license keys.
    pub code: ProductCode,
    /// What people call it.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Tier of licenses that name none.
    pub default_tier: String,
    /// Features that licenses inherit.
    pub features: Map<String, Value>,
    /// What licenses of its tiers get.
    pub tiers: Tiers,
    /// The vendor's own data.
    pub metadata: Map<String, Value>,
    /// When it came to be.
    pub created_at: Timestamp,
    /// Whether it was withdrawn.
    pub deleted: bool,
}

impl From<ProductState> for Product {
    /// The aggregate whose events led to `state`, as a read model or a snapshot holds it.
    fn from(state: ProductState) -> Self {
        Self {
            state: Some(Arc::new(state)),
        }
    }
}

impl Product {
    /// The state, also of a withdrawn product; `None` before its creation.
    pub fn state(&self) -> Option<&ProductState> {
        self.state.as_deref()
    }

    /// The state of a product that is on offer.
    pub fn live(&self) -> Option<&ProductState> {
        self.state().filter(|state| !state.deleted)
    }

    /// Follows one event. Projections and the validation directory use the same function.
    pub fn evolve(&mut self, event: ProductEvent) {
        match (event, &mut self.state) {
            (ProductEvent::Created(event), state) => {
                *state = Some(Arc::new(ProductState {
                    code: event.code,
                    name: event.name,
                    description: event.description,
                    default_tier: event.default_tier,
                    features: event.features,
                    tiers: event.tiers,
                    metadata: event.metadata,
                    created_at: event.created_at,
                    deleted: false,
                }));
            }
            (ProductEvent::Imported(event), state) => {
                *state = Some(Arc::new(ProductState {
                    code: event.code,
                    name: event.name,
                    description: event.description,
                    default_tier: event.default_tier,
                    features: event.features,
                    tiers: Tiers::default(),
                    metadata: event.metadata,
                    created_at: event.created_at,
                    deleted: event.deleted_at.is_some(),
                }));
            }
            (ProductEvent::Updated(event), Some(state)) => {
                let state = Arc::make_mut(state);
                replace(&mut state.name, event.name);
                replace(&mut state.description, event.description);
                replace(&mut state.default_tier, event.default_tier);
                replace(&mut state.features, event.features);
                replace(&mut state.tiers, event.tiers);
                replace(&mut state.metadata, event.metadata);
            }
            (ProductEvent::Deleted(_), Some(state)) => Arc::make_mut(state).deleted = true,
            // A fact about a product that was never created: there is nothing to change.
            (ProductEvent::Updated(_) | ProductEvent::Deleted(_), None) => {}
        }
    }
}
