//! API keys and sessions.

use serde::{Deserialize, Serialize};

use crate::present;

/// A part of what can be done in a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Everything in the tenant, its API keys included.
    Admin,
    /// Customers and licenses: issue, change, suspend, renew, revoke.
    Issuer,
    /// Reading, and what helps a customer now: suspend and reinstate, free a seat, resolve an anomaly.
    Support,
    /// Usage: record it for any license, and read it.
    Meter,
    /// Reading everything but API keys, webhooks and proofs.
    Read,
    /// The audit trail, verification and proofs.
    Audit,
}

/// An API key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKey {
    /// Its id: it stays when the secret is rotated, and stands as actor in events.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it may do: `admin`, `issuer`, `support`, `meter`, `read`, `audit`.
    pub scopes: Vec<String>,
    /// The first characters of its secret.
    pub hint: String,
    /// When it ends; `null` is never.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub expires_at: Option<String>,
    /// Until when the secret of before opens, too; `null` if it does not.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub previous_valid_until: Option<String>,
    /// When it was last used, to about half a minute; `null` if it never was.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub last_used_at: Option<String>,
    /// When it was made.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub created_at: String,
    /// When it last got a new secret.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub rotated_at: Option<String>,
}

/// An API key with its secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewApiKey {
    /// The key.
    #[serde(flatten)]
    pub key: ApiKey,
    /// Its secret, which is shown this once: what to send as `X-Vinzy-Api-Key`.
    pub api_key: String,
}

/// Asks for a new API key.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateApiKey {
    /// 1 to 100 characters. It stands in events for good: no personal data.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 100))]
    pub name: String,
    /// At least one.
    #[cfg_attr(feature = "openapi", schema(min_items = 1))]
    pub scopes: Vec<Scope>,
    /// When it ends, in the future; never if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub expires_at: Option<String>,
}

/// Changes an API key; what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpdateApiKey {
    /// New name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 100))]
    pub name: Option<String>,
    /// New scopes, replacing the old ones as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_items = 1))]
    pub scopes: Option<Vec<Scope>>,
    /// New end, in the future; `null` is never.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(format = "date-time", value_type = Option<String>))]
    pub expires_at: Option<Option<String>>,
}

/// Asks for a new secret.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RotateApiKey {
    /// How long the old secret still opens, in seconds, up to 2,592,000 (30 days); 86,400 if left out; 0 ends it at
    /// once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(maximum = 2_592_000))]
    pub overlap_seconds: Option<u32>,
}

/// Logs in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogIn {
    /// Any API key.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 256))]
    pub api_key: String,
}

/// Who is asking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Session {
    /// `tenant`, `admin` (of the default tenant) or `super_admin`.
    pub role: String,
    /// Short name of the tenant: `default` for the default one; `null` for the super-admin.
    pub tenant: Option<String>,
    /// Id of the API key; `null` for the admin's and the super-admin's.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub api_key_id: Option<String>,
    /// What the key is called.
    pub name: String,
    /// What the key may do.
    pub scopes: Vec<String>,
    /// When the session ends; `null` when an API key was shown instead of a session's cookie.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub expires_at: Option<String>,
}
