//! The ledger's bytes: leaves, hashes, the Merkle tree, checkpoints, proofs, tiles, and the verifier. What each
//! byte is, and why, stands in docs/ledger.md; the formats are those of C2SP (tlog-checkpoint, signed-note,
//! tlog-tiles) over RFC 6962 hashing.

mod checkpoint;
mod hash;
mod leaf;
mod merkle;
mod proof;
mod receipt;
mod rotation;
mod tile;
mod tile_data;
mod verifier;

pub use checkpoint::{Checkpoint, CheckpointError, VerifierKey};
pub use hash::{Hash, InvalidHash, event_hash};
pub use leaf::{
    Actor, Leaf, LeafContent, LeafError, LeafVersion, MAX_LEAF, Meta, Outline, SealedField, StreamRef,
};
pub use merkle::{Frontier, FrontierError, node_hash, root_of};
pub use proof::{ProofError, ProofPlan, Subtree, verify_consistency, verify_inclusion};
pub use receipt::{Receipt, ReceiptError};
pub use rotation::{KeyError, KeyRotation, LedgerOpened};
pub use tile::{InvalidTilePath, TileKind, TilePath};
pub use tile_data::{HashTiles, InvalidTile, entries, join_entries, split_entries, split_hashes};
pub use verifier::{
    ChainVerifier, EventCatalog, Examined, Finding, Head, InvalidState, Problem, StoredColumns,
    VerifiedEvent, VerifierState,
};

#[cfg(test)]
mod tests;
