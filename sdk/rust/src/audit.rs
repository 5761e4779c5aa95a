//! The audit trail, its verification, and proofs.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Object;
use crate::events::EventStream;

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

/// Proof that an event stands in a ledger, in the tree of a size (RFC 9162, 2.1.3).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InclusionProof {
    /// Where the event stands in the ledger, from 0: the index of its leaf.
    pub position: u64,
    /// SHA-256 of 0x00 and the event's bytes, lower hex: the hash of its leaf.
    pub event_hash: String,
    /// Number of events of the tree.
    pub size: u64,
    /// Merkle root of the tree, lower hex.
    pub root: String,
    /// The proof's hashes in their order, lower hex.
    pub hashes: Vec<String>,
    /// The signed checkpoint of this very size; `null` when there is none.
    pub checkpoint: Option<String>,
}

/// Proof that a ledger at one size is how the ledger at another began (RFC 9162, 2.1.4).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConsistencyProof {
    /// Number of events of the older tree.
    pub from: u64,
    /// Number of events of the newer tree.
    pub to: u64,
    /// Merkle root of the older tree, lower hex.
    pub from_root: String,
    /// Merkle root of the newer tree, lower hex.
    pub to_root: String,
    /// The proof's hashes in their order, lower hex.
    pub hashes: Vec<String>,
    /// The signed checkpoint of the newer size; `null` when there is none.
    pub checkpoint: Option<String>,
}

/// An event with the proof that a signed checkpoint covers it: to be kept, and checked without a server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Receipt {
    /// `vinzy-receipt/1`.
    pub version: String,
    /// The key that the checkpoint verifies with, as `origin+key id+key`. Compare it with one from elsewhere.
    pub verifier_key: String,
    /// Where the event stands in the ledger, from 0: the index of its leaf.
    pub position: u64,
    /// The event's bytes, base64.
    pub leaf: String,
    /// The inclusion proof's hashes in their order, lower hex.
    pub inclusion_proof: Vec<String>,
    /// The checkpoint, a signed note.
    pub checkpoint: String,
}

impl Receipt {
    /// What `version` says.
    pub const VERSION: &str = "vinzy-receipt/1";
}

/// An event of a ledger, whatever it belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LedgerEvent {
    /// Where it stands in the ledger, from 0.
    pub position: u64,
    /// Its id.
    pub event_id: String,
    /// What happened, e.g. `license.created`.
    pub event_type: String,
    /// Its stream and its number there.
    pub stream: EventStream,
    /// Who did it.
    pub actor: String,
    /// What the API key that did it was called then; `null` for others.
    pub actor_name: Option<String>,
    /// When it was recorded.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub recorded_at: String,
    /// Its payload as it stands in the ledger.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub data: Object,
    /// Hash of the event before it, lower hex; `null` before the first.
    pub prev_hash: Option<String>,
    /// SHA-256 of 0x00 and the event's bytes, lower hex.
    pub event_hash: String,
}

/// Events of a ledger, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LedgerEventPage {
    /// The events.
    pub events: Vec<LedgerEvent>,
    /// How many events the ledger has, whether they match or not.
    pub size: u64,
    /// `before` of the next page, also when this one has few events or none; `null` when there is nothing older.
    pub next_before: Option<u64>,
}
