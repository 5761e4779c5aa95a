//! What a validation says.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::error::Error;
use crate::lease::{Claims, LeaseError};
use crate::validation::{Agent, Entitlement, Lease, ValidateResponse, ValidatedLicense};

/// Whether a license is good, and what for: as the server says it, or the lease.
///
/// It shows neither key nor lease when it is printed.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Validation {
    /// Whether the application may run.
    pub valid: bool,
    /// Of the server: `OK`, `INVALID_KEY`, `NOT_FOUND`, `EXPIRED`, `SUSPENDED` (suspended or revoked).
    ///
    /// From a lease: `OK`; `LEASE_GRACE` (expired, within the grace); `LEASE_MISSING`; `LEASE_EXPIRED`; `LEASE_INVALID`
    /// (edited, or not signed by a known key, or of another product or issuer); `FINGERPRINT_MISMATCH` (another
    /// machine's); `CLOCK_SET_BACK`.
    pub code: String,
    /// The same in words.
    pub message: String,
    /// The license; `None` offline.
    pub license: Option<ValidatedLicense>,
    /// The license's tier; offline, the lease's.
    pub tier: String,
    /// Names of the enabled features.
    pub features: Vec<String>,
    /// Every feature with its limit. Offline, with what was used when the lease was signed.
    pub entitlements: Vec<Entitlement>,
    /// Every agent with its limit.
    pub agents: Vec<Agent>,
    /// The signed lease as it came.
    pub lease: Option<Lease>,
    /// Whether this is the lease's answer and not the server's.
    pub offline: bool,
    /// Until when the application may go on without the server, grace included; `None` if it may not.
    pub offline_until: Option<SystemTime>,
    /// Why the server did not answer; `None` if it did, or was not asked.
    pub cause: Option<Arc<Error>>,
}

impl Validation {
    /// Whether the license is good and includes a feature.
    pub fn allows(&self, feature: &str) -> bool {
        self.valid && self.features.iter().any(|enabled| enabled == feature)
    }

    pub(crate) fn of_server(response: ValidateResponse) -> Self {
        Self {
            valid: response.valid,
            code: response.code,
            message: response.message,
            tier: response
                .license
                .as_ref()
                .map(|license| license.tier.clone())
                .unwrap_or_default(),
            license: response.license,
            features: response.features,
            entitlements: response.entitlements,
            agents: response.agents,
            lease: response.lease,
            ..Self::default()
        }
    }

    pub(crate) fn refused(error: LeaseError) -> Self {
        Self {
            code: error.code().to_owned(),
            message: error.to_string(),
            ..Self::default()
        }
    }

    /// The same, but saying what was signed.
    pub(crate) fn with_claims(self, claims: Claims) -> Self {
        Self {
            tier: claims.tier,
            features: claims.features,
            entitlements: claims.entitlements,
            agents: claims.agents,
            ..self
        }
    }
}

impl fmt::Debug for Validation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Validation")
            .field("valid", &self.valid)
            .field("code", &self.code)
            .field("message", &self.message)
            .field("license_id", &self.license.as_ref().map(|license| &license.id))
            .field("tier", &self.tier)
            .field("features", &self.features)
            .field("entitlements", &self.entitlements)
            .field("agents", &self.agents)
            .field("offline", &self.offline)
            .field("offline_until", &self.offline_until)
            .field("cause", &self.cause)
            .finish_non_exhaustive()
    }
}
