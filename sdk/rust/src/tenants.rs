//! Tenants.

use serde::{Deserialize, Serialize};

use crate::{Object, present};

/// A tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Tenant {
    /// Its id.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Its short name: its ledger is called `…/t/{slug}`.
    pub slug: String,
    /// Version of the HMAC key that signs its license keys; `null` is always the newest.
    pub hmac_key_version: Option<u8>,
    /// Settings that differ from the server's, and the operator's own data.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub config_overrides: Object,
    /// When it was created.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub created_at: String,
}

/// A tenant with its first API key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewTenant {
    /// The tenant.
    #[serde(flatten)]
    pub tenant: Tenant,
    /// An API key with the scope `admin`, shown this once.
    pub api_key: String,
}

/// Asks for a new tenant.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateTenant {
    /// 1 to 255 characters. It stands in events for good: no personal data.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 255))]
    pub name: String,
    /// Unique for ever, and fixed: 1 to 63 of a–z, 0–9 and `-`; not `default` or `system`.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"))]
    pub slug: String,
    /// Version of the HMAC key that shall sign its license keys, which the server must have; the newest if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(maximum = 31))]
    pub hmac_key_version: Option<u8>,
    /// `lease_ttl` (seconds), `rate_limit_per_minute` (requests of all its API keys together, and as many
    /// of all its license keys, per node), `ledger_public`
    /// (true or false), `cors_origins` (array of origins). Other names are the operator's own data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub config_overrides: Option<Object>,
}

/// Changes a tenant; what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpdateTenant {
    /// New name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 255))]
    pub name: Option<String>,
    /// New version of the HMAC key; `null` is always the newest.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(maximum = 31, value_type = Option<u8>))]
    pub hmac_key_version: Option<Option<u8>>,
    /// New overrides, replacing the old ones as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub config_overrides: Option<Object>,
}
