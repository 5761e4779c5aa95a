//! What can have happened to an API key.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::access::Scope;
use crate::key::KeyDigest;
use crate::stream::{present, stream_events};

stream_events! {
    /// A fact about an API key.
    pub enum ApiKeyEvent {
        /// It was made.
        "api_key.created" v 1 => Created(ApiKeyCreated),
        /// It was taken over from the system that was there before.
        "api_key.imported" v 1 => Imported(ApiKeyImported),
        /// Some of its fields changed.
        "api_key.updated" v 1 => Updated(ApiKeyUpdated),
        /// It got a new secret.
        "api_key.rotated" v 1 => Rotated(ApiKeyRotated),
        /// It was ended.
        "api_key.revoked" v 1 => Revoked(ApiKeyRevoked),
    }
}

/// Payload of `api_key.created`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ApiKeyCreated {
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// When it ends; `null` is never.
    pub expires_at: Option<Timestamp>,
    /// SHA-256 of its secret.
    pub key_digest: KeyDigest,
    /// First characters of its secret.
    pub hint: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Payload of `api_key.imported`: a key of the system that was there before. It opens what its digest is of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ApiKeyImported {
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// SHA-256 of its secret.
    pub key_digest: KeyDigest,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Payload of `api_key.updated`: the fields that changed, with their new values.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ApiKeyUpdated {
    /// New name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// New scopes as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<BTreeSet<Scope>>,
    /// New end; `null` is never.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub expires_at: Option<Option<Timestamp>>,
}

/// Payload of `api_key.rotated`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ApiKeyRotated {
    /// SHA-256 of the new secret.
    pub key_digest: KeyDigest,
    /// First characters of the new secret.
    pub hint: String,
    /// Until when the secret of before opens, too; not at all if that is now.
    pub previous_valid_until: Timestamp,
    /// When it was rotated.
    pub rotated_at: Timestamp,
}

/// Payload of `api_key.revoked`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ApiKeyRevoked {
    /// When it was ended.
    pub revoked_at: Timestamp,
}
