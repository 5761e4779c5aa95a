//! What can have happened to a product.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ProductCode, Tiers};
use crate::Timestamp;
use crate::stream::stream_events;

stream_events! {
    /// A fact about a product.
    pub enum ProductEvent {
        /// It was offered.
        "product.created" v 1 => Created(ProductCreated),
        /// It was taken over from the system that was there before.
        "product.imported" v 1 => Imported(ProductImported),
        /// Some of its fields changed.
        "product.updated" v 1 => Updated(ProductUpdated),
        /// It was withdrawn.
        "product.deleted" v 1 => Deleted(ProductDeleted),
    }
}

/// Payload of `product.created`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProductCreated {
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
    /// What licenses of its tiers get; without them, a tier is a name.
    #[serde(default, skip_serializing_if = "Tiers::is_empty")]
    pub tiers: Tiers,
    /// The vendor's own data.
    pub metadata: Map<String, Value>,
    /// When it came to be; for imported products, in the system it came from.
    pub created_at: Timestamp,
}

/// Payload of `product.imported`: the product as it was in the system that was there before. Its times are those of then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProductImported {
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
    /// The vendor's own data.
    pub metadata: Map<String, Value>,
    /// When it came to be.
    pub created_at: Timestamp,
    /// When something of it last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    /// When it was withdrawn; one that was not has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// Payload of `product.updated`: the fields that changed, with their new values.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProductUpdated {
    /// New name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// New description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// New default tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_tier: Option<String>,
    /// New features as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<Map<String, Value>>,
    /// New tiers as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiers: Option<Tiers>,
    /// New metadata as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
}

/// Payload of `product.deleted`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProductDeleted {}
