//! Licenses: what a customer may do with a product, until when, and on how many machines.

mod command;
mod decide;
mod event;
mod machines;
mod state;

pub use command::{Activate, CreateLicense, LicenseCommand, StatusChange, UpdateLicense};
pub use event::{
    ActivationCreated, ActivationHeartbeat, ActivationImported, ActivationRemoved, HistoryImported,
    LicenseCreated, LicenseDeleted, LicenseEvent, LicenseImported, LicenseReinstated, LicenseRenewed,
    LicenseRevoked, LicenseSuspended, LicenseUpdated, LicenseValidated,
};
pub use machines::{Machine, Machines};
pub use state::{License, LicenseState, Standing};

use crate::Timestamp;

/// Heartbeats of one machine are noted so many seconds apart, or when its version changes: the ledger keeps
/// events for good, and a machine that beats every second would drown it.
pub const HEARTBEAT_SECONDS: u32 = 60;

/// The status of a license as everyone sees it, at a moment in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LicenseStatus {
    /// In force.
    Active,
    /// Held back for a while.
    Suspended,
    /// Withdrawn for good.
    Revoked,
    /// Past its expiry.
    Expired,
}

impl LicenseStatus {
    /// The status as text: `active`, `suspended`, `revoked` or `expired`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }

    /// What a standing and an expiry amount to at `at`. Revocation outlasts expiry; expiry hides a
    /// suspension, because lifting that would change nothing.
    pub fn of(standing: Standing, expires_at: Option<Timestamp>, at: Timestamp) -> Self {
        match standing {
            Standing::Revoked => Self::Revoked,
            _ if expires_at.is_some_and(|expiry| expiry <= at) => Self::Expired,
            Standing::Suspended => Self::Suspended,
            Standing::Active => Self::Active,
        }
    }
}

impl std::fmt::Display for LicenseStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a license refuses a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LicenseError {
    /// There is no such license, or no longer.
    #[error("license not found")]
    NotFound,
    /// The id is taken.
    #[error("license already exists")]
    AlreadyExists,
    /// Revocation is final.
    #[error("license has been revoked")]
    Revoked,
    /// It is held back.
    #[error("license is suspended")]
    Suspended,
    /// It is past its expiry.
    #[error("license has expired")]
    Expired,
    /// Every seat is taken.
    #[error("machine limit of {limit} reached")]
    MachineLimitReached {
        /// How many seats there are.
        limit: u32,
    },
    /// No machine with this fingerprint or id has a seat.
    #[error("machine not activated")]
    MachineNotActivated,
    /// An expiry of a new or renewed license must lie in the future.
    #[error("expiry {expires_at} is not in the future")]
    ExpiryNotInFuture {
        /// The expiry that was asked for.
        expires_at: Timestamp,
    },
}
