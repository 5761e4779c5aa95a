//! What a server is set to.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The settings that a server runs with. Secrets are not among them: only whether they are set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Settings {
    /// Version of the server.
    pub version: String,
    /// Every setting, in the order of `vinzy serve --help`.
    pub settings: Vec<Setting>,
}

/// A setting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Setting {
    /// Name of its environment variable, e.g. `VINZY_LEASE_TTL`.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its value: a number, `true` or `false`, text, or an array of text; `null` for secrets, and for what is not
    /// set. Passwords and queries within URLs are left out.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Value>))]
    pub value: Option<Value>,
    /// Whether it is a secret, whose value is never shown.
    pub secret: bool,
    /// Where it comes from: `flag`, `environment`, `file`, `default`, or `generated` for development secrets.
    pub source: String,
}
