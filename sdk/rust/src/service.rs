//! The state of the service itself, and problems.

use std::fmt;

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

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)?;
        let mut before = " ";
        for error in &self.errors {
            write!(f, "{before}{} {}", error.field, error.message)?;
            before = "; ";
        }
        if !self.errors.is_empty() {
            f.write_str(".")?;
        }
        write!(f, " [{}", self.status)?;
        if !self.code.is_empty() {
            write!(f, ", {}", self.code)?;
        }
        if !self.request_id.is_empty() {
            write!(f, ", request {}", self.request_id)?;
        }
        f.write_str("]")
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_all_that_helps() {
        let error = |field: &str, message: &str| FieldError {
            field: field.into(),
            message: message.into(),
        };
        let problem = Problem {
            status: 422,
            code: "INVALID".into(),
            detail: "The request is invalid.".into(),
            request_id: "r1".into(),
            errors: vec![error("name", "is missing"), error("tier", "is too long")],
            ..Problem::default()
        };
        assert_eq!(
            problem.to_string(),
            "The request is invalid. name is missing; tier is too long. [422, INVALID, request r1]"
        );
        let bare = Problem {
            status: 502,
            detail: "The server answered with status 502.".into(),
            ..Problem::default()
        };
        assert_eq!(bare.to_string(), "The server answered with status 502. [502]");
    }
}
