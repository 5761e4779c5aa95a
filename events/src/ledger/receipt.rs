//! Receipts: an event, and the proof that a signed checkpoint covers it. Whoever holds one needs nobody to check it.

use super::proof::verify_inclusion;
use super::{Checkpoint, CheckpointError, Hash, Leaf, LeafError, ProofError, VerifierKey, event_hash};

/// An event with the proof of its place.
#[derive(Debug, Clone, Copy)]
pub struct Receipt<'a> {
    /// Where it stands in the ledger.
    pub position: u64,
    /// The event.
    pub leaf: &'a [u8],
    /// Proof that it stands there in the tree of the checkpoint.
    pub inclusion_proof: &'a [Hash],
    /// The checkpoint, a signed note.
    pub checkpoint: &'a str,
}

/// Why a receipt proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// The checkpoint is not to be trusted.
    #[error("the checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The bytes are no event.
    #[error("the leaf: {0}")]
    Leaf(#[from] LeafError),
    /// The event says that it belongs elsewhere.
    #[error("the event names another ledger or position")]
    Elsewhere,
    /// The proof does not lead from the event to the checkpoint.
    #[error("the inclusion proof: {0}")]
    Proof(#[from] ProofError),
}

impl Receipt<'_> {
    /// Checks that the ledger's key signed a checkpoint of a history in which this event stands at its position.
    /// Gives both.
    pub fn check(&self, key: &VerifierKey) -> Result<(Checkpoint, Leaf), ReceiptError> {
        let checkpoint = key.open(self.checkpoint)?;
        let hash = event_hash(self.leaf);
        verify_inclusion(
            self.position,
            checkpoint.size,
            &hash,
            self.inclusion_proof,
            &checkpoint.root,
        )?;
        let leaf = Leaf::parse(self.leaf)?;
        if leaf.pos != self.position || leaf.ledger != checkpoint.origin {
            return Err(ReceiptError::Elsewhere);
        }
        Ok((checkpoint, leaf))
    }
}
