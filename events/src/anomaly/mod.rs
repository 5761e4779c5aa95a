//! Anomalies: recorded values that stand out from those before them. Each is a stream of its own, whose id
//! derives from the event that caused it, so that finding it twice is refused, not repeated.

mod decide;
pub mod detection;
mod event;
mod state;

pub use event::{AnomalyDetected, AnomalyEvent, AnomalyImported, AnomalyResolved};
pub use state::{Anomaly, AnomalyState, Found};

use sha2::{Digest, Sha256};

use crate::id::uuid_v7;
use crate::{AnomalyId, EventId, LicenseId, Timestamp};

/// How far a value stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// |z| above 1.5.
    Medium,
    /// |z| above 2.
    High,
    /// |z| above 3.
    Critical,
}

impl Severity {
    /// Every severity there is.
    pub const ALL: [Self; 3] = [Self::Medium, Self::High, Self::Critical];

    /// The severity as text: `medium`, `high` or `critical`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The severity with a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.as_str() == name)
    }
}

/// The id of the anomaly that a usage event causes: always the same for the same event. A `UUIDv7` with the
/// time of `recorded_at` and bytes of the SHA-256 of the event's id.
pub fn anomaly_id(cause: EventId, recorded_at: Timestamp) -> AnomalyId {
    let mut hash = Sha256::new();
    hash.update(b"anomaly.detected\0");
    hash.update(cause.as_uuid().as_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let (entropy, _) = digest.split_first_chunk::<10>().expect("a digest has 32 bytes");
    uuid_v7(recorded_at, *entropy).into()
}

/// The id of an anomaly's stream.
pub fn stream_id(license_id: LicenseId, anomaly_id: AnomalyId) -> String {
    format!("{license_id}/{anomaly_id}")
}

/// A command to an anomaly.
#[derive(Debug, Clone)]
pub enum AnomalyCommand {
    /// Note that it was found.
    Detect(Box<AnomalyDetected>),
    /// Take it over as it was found elsewhere.
    Import(Box<AnomalyImported>),
    /// Note that somebody has dealt with it; nothing happens if somebody has already.
    Resolve {
        /// Who, in the vendor's words.
        resolved_by: String,
    },
}

/// Why an anomaly refuses a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnomalyError {
    /// There is no such anomaly.
    #[error("anomaly not found")]
    NotFound,
    /// It was found before: its cause has been looked at already.
    #[error("anomaly was detected already")]
    AlreadyDetected,
}
