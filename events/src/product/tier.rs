//! What a product's tiers give the licenses that are issued with them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::stream::present;

/// The tiers of a product by their names.
pub type Tiers = BTreeMap<String, TierTemplate>;

/// What a license of a tier gets, as far as whoever issues it says nothing else. What is left out is as it is
/// without a template.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TierTemplate {
    /// The license's own features.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<Map<String, Value>>,
    /// The license's overrides of features.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entitlements: Option<Map<String, Value>>,
    /// How many machines at once; `null` is unlimited.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub machines_limit: Option<Option<u32>>,
    /// Days until it ends; `null` is never.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub days_valid: Option<Option<u32>>,
}
