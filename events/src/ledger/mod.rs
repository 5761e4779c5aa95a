//! The ledger's bytes: leaves, hashes, the Merkle tree, checkpoints, tiles' paths, and the verifier. What each
//! byte is, and why, stands in docs/ledger.md; the formats are those of C2SP (tlog-checkpoint, signed-note,
//! tlog-tiles) over RFC 6962 hashing.

mod checkpoint;
mod hash;
mod leaf;
mod merkle;
mod tile;
mod verifier;

pub use checkpoint::{Checkpoint, CheckpointError, VerifierKey};
pub use hash::{Hash, InvalidHash, event_hash};
pub use leaf::{Actor, Leaf, LeafContent, LeafError, LeafVersion, MAX_LEAF, Meta, SealedField, StreamRef};
pub use merkle::{Frontier, FrontierError, node_hash, root_of};
pub use tile::{InvalidTilePath, TileKind, TilePath};
pub use verifier::{ChainVerifier, EventCatalog, Finding, Head, Problem, StoredColumns, VerifiedEvent};

#[cfg(test)]
mod tests;
