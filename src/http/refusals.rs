//! What applications are told when their license does not allow what they ask: an answer, not a problem.

use vinzy_events::license::{LicenseError, LicenseStatus};

use super::problem::Problem;
use crate::commands::CommandError;
use crate::validation::refused;

/// Code and message of a license that is not in force or not there; anything else is a problem.
pub fn refusal(error: CommandError) -> Result<(&'static str, &'static str), Problem> {
    let status = match error {
        CommandError::License(LicenseError::NotFound) => return Ok(("NOT_FOUND", "License not found")),
        CommandError::License(LicenseError::Suspended) => LicenseStatus::Suspended,
        CommandError::License(LicenseError::Revoked) => LicenseStatus::Revoked,
        CommandError::License(LicenseError::Expired) => LicenseStatus::Expired,
        other => return Err(other.into()),
    };
    refused(status).ok_or_else(|| CommandError::License(LicenseError::NotFound).into())
}
