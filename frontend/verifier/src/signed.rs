//! Checkpoints and receipts: what is signed, checked without anybody's help.

use data_encoding::BASE64;
use vinzy_client::audit as wire;
use vinzy_events::ledger::{Hash, Receipt, VerifierKey};

use crate::message::Checked;

/// Whether a checkpoint is signed with a key.
pub(crate) fn checkpoint(note: &str, key: &str) -> Checked {
    told(open(note, key))
}

fn open(note: &str, key: &str) -> Result<Checked, String> {
    let key: VerifierKey = key.parse().map_err(in_words)?;
    Ok(Checked {
        size: key.open(note).map_err(in_words)?.size,
        ..Checked::default()
    })
}

/// Whether a receipt, in JSON, holds.
pub(crate) fn receipt(json: &str) -> Checked {
    told(check(json))
}

fn check(json: &str) -> Result<Checked, String> {
    let receipt: wire::Receipt = serde_json::from_str(json).map_err(in_words)?;
    if receipt.version != wire::Receipt::VERSION {
        return Err(format!("it has the unknown version {}", receipt.version));
    }
    let key: VerifierKey = receipt.verifier_key.parse().map_err(in_words)?;
    let leaf = BASE64.decode(receipt.leaf.as_bytes()).map_err(in_words)?;
    let hashes: Result<Vec<Hash>, _> = receipt.inclusion_proof.iter().map(|hash| hash.parse()).collect();
    let checked = Receipt {
        position: receipt.position,
        leaf: &leaf,
        inclusion_proof: &hashes.map_err(in_words)?,
        checkpoint: &receipt.checkpoint,
    }
    .check(&key);
    let (checkpoint, leaf) = checked.map_err(in_words)?;
    Ok(Checked {
        problem: None,
        position: leaf.pos,
        size: checkpoint.size,
    })
}

fn told(outcome: Result<Checked, String>) -> Checked {
    outcome.unwrap_or_else(|problem| Checked {
        problem: Some(problem),
        ..Checked::default()
    })
}

fn in_words(error: impl std::fmt::Display) -> String {
    error.to_string()
}
