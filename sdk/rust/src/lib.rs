//! Wire types of the Vinzy-Engine API: what requests and responses look like as JSON.
//!
//! [`calls`] has its operations as values, which any HTTP client can send.
//!
//! Times are RFC 3339 text in UTC with `Z`, ids are UUID text. With the feature `openapi` every type
//! describes itself in the `OpenAPI` document.

pub mod access;
pub mod amount;
pub mod anomalies;
pub mod audit;
pub mod call;
pub mod calls;
pub mod composition;
pub mod customers;
pub mod events;
pub mod licenses;
pub mod machines;
pub mod overview;
pub mod products;
pub mod provisioning;
pub mod service;
pub mod settings;
pub mod tenants;
pub mod usage;
pub mod validation;
pub mod webhooks;

pub use amount::Amount;

use serde::Deserialize;
use serde_json::{Map, Value};

/// A JSON object of the vendor's own.
pub type Object = Map<String, Value>;

/// Keeps `null` apart from absence: absent → `None`, `null` → `Some(None)`.
pub(crate) fn present<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}
