//! Products.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Object, present};

/// What a license of a tier gets, as far as whoever issues it says nothing else.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TierTemplate {
    /// The license's own features.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub features: Option<Object>,
    /// The license's overrides of features, field by field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub entitlements: Option<Object>,
    /// At least 1; `null` is unlimited.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, minimum = 1, maximum = 4_294_967_295_i64))]
    pub machines_limit: Option<Option<u32>>,
    /// Days until it ends, 1 to 36,500; `null` is never.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u32>, minimum = 1, maximum = 36500))]
    pub days_valid: Option<Option<u32>>,
}

/// A product.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Product {
    /// Its id.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub id: String,
    /// One to three of `A`–`Z`; the prefix of its license keys.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[A-Z]{1,3}$"))]
    pub code: String,
    /// What people call it.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Tier of licenses that name none.
    pub default_tier: String,
    /// Features that licenses inherit: `true`, `false`, or an object with `enabled`, `limit`, ….
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub features: Object,
    /// What licenses of its tiers get, by the tiers' names.
    #[serde(default)]
    pub tiers: BTreeMap<String, TierTemplate>,
    /// The vendor's own data.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub metadata: Object,
    /// When it was created.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub created_at: String,
}

/// Asks for a new product.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateProduct {
    /// One to three of `A`–`Z`, unique; fixed for good.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[A-Z]{1,3}$"))]
    pub code: String,
    /// 1 to 255 characters.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 255))]
    pub name: String,
    /// At most 2,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 2000))]
    pub description: Option<String>,
    /// 1 to 100 characters; `standard` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 100))]
    pub default_tier: Option<String>,
    /// Features that licenses inherit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub features: Option<Object>,
    /// What licenses of its tiers get, by the tiers' names: at most 100, each of 1 to 100 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiers: Option<BTreeMap<String, TierTemplate>>,
    /// The vendor's own data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub metadata: Option<Object>,
}

/// Changes a product; what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpdateProduct {
    /// New name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 255))]
    pub name: Option<String>,
    /// New description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 2000))]
    pub description: Option<String>,
    /// New default tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 100))]
    pub default_tier: Option<String>,
    /// New features, replacing the old ones as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub features: Option<Object>,
    /// New tiers, replacing the old ones as a whole. Licenses that were issued before stay as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiers: Option<BTreeMap<String, TierTemplate>>,
    /// New metadata, replacing the old ones as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub metadata: Option<Object>,
}
