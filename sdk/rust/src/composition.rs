//! What all licenses of a customer amount to together.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Object;

/// What a customer's active licenses amount to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ComposedEntitlements {
    /// Whose.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub customer_id: String,
    /// How many products are among them.
    pub total_products: usize,
    /// Every feature, sorted by name.
    pub features: Vec<ComposedFeature>,
    /// Every agent with its fields, by code: on if it is on anywhere, token limits added up, of other fields
    /// the last.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub agents: Object,
}

/// A feature under all licenses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ComposedFeature {
    /// Its name.
    pub feature: String,
    /// What it amounts to; `null` is unlimited.
    pub effective_value: Value,
    /// How that came about: `sum`, `max` or `union`.
    pub strategy: String,
    /// What it is made of.
    pub sources: Vec<ComposedSource>,
}

/// The value of a feature under one license.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ComposedSource {
    /// Code of the license's product.
    pub product_code: String,
    /// The license.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub license_id: String,
    /// Its limit; where it has none, whether it is on.
    pub value: Value,
}
