//! The state of the service itself, and problems.

use serde::{Deserialize, Serialize};

use crate::Object;

/// Says that the process is alive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Health {
    /// `ok`.
    pub status: String,
    /// The program's version.
    pub version: String,
    /// `vinzy-engine`.
    pub service: String,
}

/// Says whether requests can be served.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Readiness {
    /// `ready` or `not ready`.
    pub status: String,
    /// Whether the database answers.
    pub database: bool,
    /// Where each read model stands.
    pub projections: Vec<ProjectionStatus>,
}

/// Where a read model stands, in the ledger where it lacks most.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProjectionStatus {
    /// Its name.
    pub name: String,
    /// How many events it has yet to read.
    pub lag: u64,
    /// In how many ledgers it has stopped at an event that it cannot read.
    pub parked: u64,
}

/// What went wrong (RFC 9457).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The HTTP status.
    #[serde(default)]
    pub status: u16,
    /// Names the kind of problem, for programs.
    #[serde(default)]
    pub code: String,
    /// What is wrong, as a sentence.
    #[serde(default)]
    pub detail: String,
    /// Under which the server's log tells more.
    #[serde(default)]
    pub request_id: String,
    /// Every field that is wrong, with 422.
    #[serde(default)]
    pub errors: Vec<FieldError>,
    /// Further members, such as `used_by`.
    #[serde(flatten)]
    pub more: Object,
}

/// Something wrong with one field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// Where: the field's name, with dots into objects.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}
