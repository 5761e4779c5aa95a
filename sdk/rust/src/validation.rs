//! Validation of license keys, and leases.

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use crate::{Amount, Object};

/// Asks whether a license key is good.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ValidateRequest {
    /// The license key; white space around it and the case of letters do not matter.
    #[cfg_attr(feature = "openapi", schema(max_length = 1000))]
    pub key: String,
    /// The machine's fingerprint, 1 to 255 characters; it is bound into the lease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 255))]
    pub fingerprint: Option<String>,
}

/// Whether a license key is good, and what for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ValidateResponse {
    /// Whether the application may run.
    pub valid: bool,
    /// `OK`, `INVALID_KEY`, `NOT_FOUND`, `EXPIRED` or `SUSPENDED` (suspended or revoked).
    pub code: String,
    /// The same in words.
    pub message: String,
    /// The license, if the key is good.
    pub license: Option<ValidatedLicense>,
    /// Names of the enabled features.
    pub features: Vec<String>,
    /// Every feature with its limit.
    pub entitlements: Vec<Entitlement>,
    /// Every agent with its limit.
    pub agents: Vec<Agent>,
    /// A signed lease to go on with offline.
    pub lease: Option<Lease>,
}

/// A license as its application sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ValidatedLicense {
    /// Its id.
    pub id: String,
    /// The key that was asked about.
    pub key: String,
    /// Status.
    pub status: String,
    /// Code of its product.
    pub product_code: String,
    /// Whose it is.
    pub customer_id: String,
    /// Tier.
    pub tier: String,
    /// How many machines at once; `null` is unlimited.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub machines_limit: Option<u32>,
    /// How many machines there are.
    pub machines_used: u32,
    /// When it ends; `null` is never.
    pub expires_at: Option<String>,
    /// Names of the enabled features.
    pub features: Vec<String>,
    /// Overrides as the vendor gave them.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub entitlements: Object,
    /// The vendor's own data.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub metadata: Object,
}

/// A feature with its limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Entitlement {
    /// Its name.
    pub feature: String,
    /// Whether it is on.
    pub enabled: bool,
    /// How much of it; `null` is unlimited.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<f64>))]
    pub limit: Option<Number>,
    /// How much of it was used.
    #[cfg_attr(feature = "openapi", schema(value_type = f64))]
    pub used: Number,
    /// How much is left; `null` is unlimited.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<f64>))]
    pub remaining: Option<Number>,
}

/// An agent with its limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Agent {
    /// Its code.
    pub agent_code: String,
    /// Whether it may work.
    pub enabled: bool,
    /// How many tokens; `null` is unlimited.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub token_limit: Option<Value>,
    /// The class of model it may use.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub model_tier: Value,
}

/// Asks whether a license is entitled to an agent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ValidateAgentRequest {
    /// The license key.
    #[cfg_attr(feature = "openapi", schema(max_length = 1000))]
    pub key: String,
    /// The agent's code, 1 to 100 characters.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 100))]
    pub agent_code: String,
}

/// Whether a license is entitled to an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ValidateAgentResponse {
    /// Whether it is.
    pub valid: bool,
    /// `OK`, `AGENT_NOT_ENTITLED`, `LIMIT_EXCEEDED` (more tokens were used than there are now), or as for
    /// `/validate`.
    pub code: String,
    /// The same in words.
    pub message: String,
    /// The agent that was asked for.
    pub agent_code: String,
    /// Whether it is on.
    pub enabled: bool,
    /// How many tokens; `null` is unlimited.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<u64>))]
    pub token_limit: Option<Value>,
    /// The class of model it may use; `null` if the license says nothing of it.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub model_tier: Option<Value>,
    /// How many tokens were used, as `agent.{CODE}.tokens`.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<f64>))]
    pub tokens_used: Option<Amount>,
    /// How many are left; `null` is unlimited.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<f64>))]
    pub tokens_remaining: Option<Amount>,
}

/// A signed lease. Trust `token` only: it is what the signature covers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Lease {
    /// Compact JWS, `alg` `EdDSA`, `typ` `lease+jwt`; verify with `/.well-known/jwks.json`.
    pub token: String,
    /// The claims as older clients know them.
    pub payload: LeasePayload,
    /// The third part of the token.
    pub signature: String,
    /// Until when it holds.
    pub lease_expires_at: String,
}

/// The claims of a lease under their older names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeasePayload {
    /// The license.
    pub license_id: String,
    /// Its status: `active`.
    pub status: String,
    /// Names of the enabled features.
    pub features: Vec<String>,
    /// Every feature with its limit.
    pub entitlements: Vec<Entitlement>,
    /// Tier.
    pub tier: String,
    /// Code of its product.
    pub product_code: String,
    /// When the lease was signed.
    pub issued_at: String,
    /// When the license ends; `null` is never.
    pub expires_at: Option<String>,
}
