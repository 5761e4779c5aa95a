//! The state of the service itself, and problems.

use serde::{Deserialize, Serialize};

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
