//! The audit trail and its verification.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One event of a license's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditEntry {
    /// The event's id.
    pub id: String,
    /// The license.
    pub license_id: String,
    /// What happened, e.g. `license.created`.
    pub event_type: String,
    /// Who did it.
    pub actor: String,
    /// What the API key that did it was called then; `null` for others.
    pub actor_name: Option<String>,
    /// The event's payload.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub detail: Value,
    /// Hash of the event before it in the ledger, lower hex; `null` before the first.
    pub prev_hash: Option<String>,
    /// SHA-256 of 0x00 and the event's bytes, lower hex.
    pub event_hash: String,
    /// Where it stands in the ledger, from 0.
    pub position: u64,
    /// When it was recorded.
    pub created_at: String,
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Verification {
    /// Whether everything is as it was recorded.
    pub valid: bool,
    /// How many events were checked.
    pub events_checked: u64,
    /// Ledger position of the first thing that is wrong.
    pub break_at: Option<u64>,
    /// What is wrong there, as a sentence.
    pub problem: Option<String>,
}

/// What the verification of a whole ledger found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LedgerVerification {
    /// The findings.
    #[serde(flatten)]
    pub verification: Verification,
    /// Name of the ledger.
    pub origin: String,
    /// Merkle root (RFC 6962) over the checked events, lower hex.
    pub root: String,
    /// A signed checkpoint of the ledger as verified; `null` when something is wrong.
    pub checkpoint: Option<String>,
}
