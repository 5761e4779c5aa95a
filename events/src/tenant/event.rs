//! What can have happened to a tenant.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::TenantSlug;
use crate::Timestamp;
use crate::stream::{present, stream_events};

stream_events! {
    /// A fact about a tenant.
    pub enum TenantEvent {
        /// It was taken in.
        "tenant.created" v 1 => Created(TenantCreated),
        /// It was taken over from the system that was there before.
        "tenant.imported" v 1 => Imported(TenantImported),
        /// Some of its fields changed.
        "tenant.updated" v 1 => Updated(TenantUpdated),
        /// It was shut out.
        "tenant.closed" v 1 => Closed(TenantClosed),
    }
}

/// Payload of `tenant.created`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TenantCreated {
    /// What people call it.
    pub name: String,
    /// Its short name, which is its ledger's.
    pub slug: TenantSlug,
    /// Version of the HMAC key that signs its license keys; `null` is always the newest.
    pub hmac_key_version: Option<u8>,
    /// Settings that differ from the server's, and the operator's own data.
    pub config_overrides: Map<String, Value>,
    /// When it came to be.
    pub created_at: Timestamp,
}

/// Payload of `tenant.imported`: the tenant as it was in the system that was there before. Its times are those of then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TenantImported {
    /// What people call it.
    pub name: String,
    /// Its short name, which is its ledger's.
    pub slug: TenantSlug,
    /// Version of the HMAC key that signs its license keys; `null` is always the newest.
    pub hmac_key_version: Option<u8>,
    /// Settings that differ from the server's, and the operator's own data.
    pub config_overrides: Map<String, Value>,
    /// When it came to be.
    pub created_at: Timestamp,
    /// When it was shut out; one that was not has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
}

/// Payload of `tenant.updated`: the fields that changed, with their new values.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TenantUpdated {
    /// New name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// New version of the HMAC key; `null` is always the newest.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub hmac_key_version: Option<Option<u8>>,
    /// New overrides as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_overrides: Option<Map<String, Value>>,
}

/// Payload of `tenant.closed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TenantClosed {
    /// When it was shut out.
    pub closed_at: Timestamp,
}
