//! Licenses.

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use crate::{Object, present};

/// A license. Its key is shown at creation only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct License {
    /// Its id.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub id: String,
    /// `active`, `suspended`, `revoked` or `expired`, as of the answer.
    pub status: String,
    /// Code of its product.
    pub product_code: String,
    /// Whose it is.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub customer_id: String,
    /// Tier.
    pub tier: String,
    /// How many machines at once; `null` is unlimited.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub machines_limit: Option<u32>,
    /// How many machines there are.
    pub machines_used: u32,
    /// When it ends; `null` is never.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub expires_at: Option<String>,
    /// Its own features; empty means the product's.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub features: Object,
    /// Overrides of the features, field by field.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub entitlements: Object,
    /// The vendor's own data.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub metadata: Object,
    /// When it was created.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub created_at: String,
}

/// A license with its key: the one time that the key is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IssuedLicense {
    /// The license key. It is stored nowhere: keep it.
    pub key: String,
    /// The license.
    #[serde(flatten)]
    pub license: License,
}

/// Asks for a new license.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateLicense {
    /// Code of an existing product.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[A-Z]{1,3}$"))]
    pub product_code: String,
    /// Id of an existing customer.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub customer_id: String,
    /// 1 to 100 characters; the product's default tier if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 100))]
    pub tier: Option<String>,
    /// At least 1; `null` is unlimited; if left out, as the tier has it, else 3.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, minimum = 1, maximum = 4_294_967_295_i64))]
    pub machines_limit: Option<Option<u32>>,
    /// Days from now until it ends, 1 to 36,500; `null` is never; if neither this nor `expires_at` is
    /// given, as the tier has it, else 365.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u32>, minimum = 1, maximum = 36500))]
    pub days_valid: Option<Option<u32>>,
    /// When it ends, in the future; `null` is never. Not together with `days_valid`.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = "date-time"))]
    pub expires_at: Option<Option<String>>,
    /// Its own features; if left out, as the tier has them; when there are none, the product's apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub features: Option<Object>,
    /// Overrides of the features, field by field; if left out, as the tier has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub entitlements: Option<Object>,
    /// The vendor's own data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub metadata: Option<Object>,
}

/// Changes a license; what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpdateLicense {
    /// `active`, `suspended` or `revoked` (final).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(pattern = "^(active|suspended|revoked)$"))]
    pub status: Option<String>,
    /// New tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 100))]
    pub tier: Option<String>,
    /// New machine limit; `null` is unlimited.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>, minimum = 1, maximum = 4_294_967_295_i64))]
    pub machines_limit: Option<Option<u32>>,
    /// New expiry, also in the past; `null` is never.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = "date-time"))]
    pub expires_at: Option<Option<String>>,
    /// New features, replacing the old ones as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub features: Option<Object>,
    /// New overrides, replacing the old ones as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub entitlements: Option<Object>,
    /// New metadata, replacing the old ones as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub metadata: Option<Object>,
}

/// Says why a license is suspended, reinstated or revoked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Reason {
    /// At most 500 characters. Stands in the ledger for good: name no person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 500))]
    pub reason: Option<String>,
}

/// Moves the expiry of a license. With neither field: 365 days.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RenewLicense {
    /// Days to add to its expiry, or to now when that has passed; 1 to 36,500.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 36500))]
    pub days_valid: Option<u32>,
    /// The new expiry, in the future; `null` is never. Not together with `days_valid`.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = "date-time"))]
    pub expires_at: Option<Option<String>>,
}

/// Where each entitlement of a license comes from, and how much of it was used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LicenseEntitlements {
    /// Whose features they start from: `license` when it has its own, else `product`.
    pub base: String,
    /// Every entitlement, by name.
    pub entitlements: Vec<ExplainedEntitlement>,
}

/// An entitlement with where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExplainedEntitlement {
    /// Its name.
    pub feature: String,
    /// What the base says: `true`, `false` or an object; `null` if nothing.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub base_value: Option<Value>,
    /// What the license overrides, likewise.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub override_value: Option<Value>,
    /// Whether it is on.
    pub enabled: bool,
    /// How much of it; `null` is unlimited.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<f64>))]
    pub limit: Option<Number>,
    /// How much of it was used in the current period, or in all.
    #[cfg_attr(feature = "openapi", schema(value_type = f64))]
    pub used: Number,
    /// How much is left; `null` is unlimited.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<f64>))]
    pub remaining: Option<Number>,
    /// What the limit is for: `day`, `week`, `month` or `year`; `null` is for ever.
    pub period: Option<String>,
    /// When the period ends.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub period_ends_at: Option<String>,
    /// Whether more than the limit may be recorded.
    pub overage_allowed: bool,
}
