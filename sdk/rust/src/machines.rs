//! Machines that licenses are activated on.

use serde::{Deserialize, Serialize};

use crate::Object;
use crate::validation::ValidatedLicense;

/// Asks for a seat.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ActivateRequest {
    /// The license key.
    #[cfg_attr(feature = "openapi", schema(max_length = 1000))]
    pub key: String,
    /// What the machine is known by, 1 to 255 characters. Stands in the ledger for good.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 255))]
    pub fingerprint: String,
    /// Its name, at most 255 characters. Stands in the ledger for good: leave it out if it names a person.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, max_length = 255))]
    pub hostname: String,
    /// Its operating system, at most 255 characters.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, max_length = 255))]
    pub platform: String,
    /// The application's own data about it.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub metadata: Object,
}

/// Whether the machine has a seat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ActivateResponse {
    /// Whether it has.
    pub success: bool,
    /// The machine's id, if it has.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub machine_id: Option<String>,
    /// `ACTIVATED`, `ALREADY_ACTIVATED`, `ACTIVATION_LIMIT`, `INVALID_KEY`, `NOT_FOUND`, `EXPIRED` or
    /// `SUSPENDED` (suspended or revoked).
    pub code: String,
    /// The same in words.
    pub message: String,
    /// The license, if it has.
    pub license: Option<ValidatedLicense>,
}

/// Names a machine of a license.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeactivateRequest {
    /// The license key.
    #[cfg_attr(feature = "openapi", schema(max_length = 1000))]
    pub key: String,
    /// What the machine is known by.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 255))]
    pub fingerprint: String,
}

/// Whether a seat was given up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeactivateResponse {
    /// Whether the machine had one.
    pub success: bool,
    /// `DEACTIVATED` or `NOT_ACTIVATED`.
    pub code: String,
    /// The same in words.
    pub message: String,
}

/// Says that a machine is alive.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeartbeatRequest {
    /// The license key.
    #[cfg_attr(feature = "openapi", schema(max_length = 1000))]
    pub key: String,
    /// What the machine is known by.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 255))]
    pub fingerprint: String,
    /// The application's version, at most 100 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 100))]
    pub version: Option<String>,
}

/// Whether a machine's heartbeat counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeartbeatResponse {
    /// Whether it does.
    pub success: bool,
    /// `OK`, `NOT_FOUND` (no such license, or not activated), `EXPIRED` or `SUSPENDED` (suspended or revoked).
    pub code: String,
    /// The same in words.
    pub message: String,
}

/// A machine with a seat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Machine {
    /// Its id.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub id: String,
    /// The license it has a seat of.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub license_id: String,
    /// What it is known by.
    pub fingerprint: String,
    /// Its name.
    pub hostname: String,
    /// Its operating system.
    pub platform: String,
    /// The application's version, as a heartbeat said it.
    pub version: Option<String>,
    /// The application's own data about it.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub metadata: Object,
    /// When it took its seat.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub activated_at: String,
    /// Its last heartbeat, to the minute.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub last_heartbeat_at: Option<String>,
}
