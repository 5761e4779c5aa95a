//! Signing checkpoints on demand, and never one that forks from the last.

use sqlx::PgPool;
use vinzy_events::ledger::{Checkpoint, Frontier, Hash};
use vinzy_projections::event_log::{signed, unsigned};

use super::checkpoint_keys::CheckpointKeys;
use super::head::{self, HeadError};

/// Hashes read at a time.
const PAGE: i64 = 10_000;

/// Why no checkpoint was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The head cannot be read.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The ledger is not a continuation of the last checkpoint: its history was rewritten or cut.
    #[error("the ledger does not continue its last checkpoint of {signed_size} events")]
    Fork {
        /// The size that was signed last.
        signed_size: u64,
    },
    /// The ledger verifies with another key than this server has.
    #[error("this server does not have the key that signs the checkpoints of {origin}")]
    ForeignKey {
        /// The ledger.
        origin: String,
    },
}

/// A checkpoint as it was signed.
#[derive(Debug, Clone)]
pub struct SignedCheckpoint {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The signed note.
    pub note: String,
    /// The key that it verifies with.
    pub verifier_key: String,
}

impl From<sqlx::Error> for SignError {
    fn from(error: sqlx::Error) -> Self {
        Self::Head(error.into())
    }
}

/// The checkpoint that was signed last: as far as it goes, the ledger is published.
pub async fn last(pool: &PgPool, ledger_id: &str) -> Result<Option<SignedCheckpoint>, SignError> {
    let row = sqlx::query!(
        "SELECT origin, verifier_key, signed_size, signed_frontier, signed_checkpoint
         FROM ledgers WHERE ledger_id = $1",
        ledger_id,
    )
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let (Some(size), Some(frontier), Some(note)) =
        (row.signed_size, row.signed_frontier, row.signed_checkpoint)
    else {
        return Ok(None);
    };
    let size = unsigned(size);
    let frontier =
        Frontier::from_bytes(size, &frontier).map_err(|_| SignError::Fork { signed_size: size })?;
    Ok(Some(SignedCheckpoint {
        checkpoint: Checkpoint {
            origin: row.origin,
            size,
            root: frontier.root(),
        },
        note,
        verifier_key: row.verifier_key,
    }))
}

/// Signs the ledger as it is now, as a signed note, with the key that it names.
///
/// The frontier that the last checkpoint was signed over is carried on with the hashes since; only if
/// that gives the frontier of today is the new checkpoint consistent with the old one. Costs as many
/// hashes as events came since.
pub async fn sign(
    pool: &PgPool,
    ledger_id: &str,
    keys: &CheckpointKeys,
) -> Result<SignedCheckpoint, SignError> {
    let mut tx = pool.begin().await?;
    let head = head::lock(&mut tx, ledger_id).await?;
    let row = sqlx::query!(
        "SELECT verifier_key, signed_size, signed_frontier, signed_checkpoint
         FROM ledgers WHERE ledger_id = $1",
        ledger_id,
    )
    .fetch_one(&mut *tx)
    .await?;
    let signed_size = row.signed_size.map_or(0, unsigned);
    let fork = || SignError::Fork { signed_size };
    let mut frontier =
        Frontier::from_bytes(signed_size, &row.signed_frontier.unwrap_or_default()).map_err(|_| fork())?;
    if let Some(note) = row.signed_checkpoint.filter(|_| signed_size == head.size) {
        return Ok(SignedCheckpoint {
            checkpoint: Checkpoint {
                origin: head.origin,
                size: signed_size,
                root: frontier.root(),
            },
            note,
            verifier_key: row.verifier_key,
        });
    }
    let mut from = signed(signed_size);
    while frontier.size() < head.size {
        let hashes = sqlx::query_scalar!(
            "SELECT event_hash FROM events
             WHERE ledger_id = $1 AND position >= $2 AND position < $3
             ORDER BY position LIMIT $4",
            ledger_id,
            from,
            signed(head.size),
            PAGE,
        )
        .fetch_all(&mut *tx)
        .await?;
        if hashes.is_empty() {
            return Err(fork());
        }
        from += i64::try_from(hashes.len()).unwrap_or(i64::MAX);
        for hash in hashes {
            frontier.push(Hash::from_bytes(hash.try_into().map_err(|_| fork())?));
        }
    }
    if frontier.size() != head.size || frontier.root() != head.frontier.root() {
        return Err(fork());
    }
    let key = keys
        .of_ledger(&head.origin, &row.verifier_key)
        .ok_or_else(|| SignError::ForeignKey {
            origin: head.origin.clone(),
        })?;
    let checkpoint = Checkpoint {
        origin: head.origin,
        size: head.size,
        root: frontier.root(),
    };
    let note = checkpoint.sign(key);
    sqlx::query!(
        "UPDATE ledgers SET signed_size = $2, signed_frontier = $3, signed_checkpoint = $4
         WHERE ledger_id = $1",
        ledger_id,
        signed(head.size),
        frontier.to_bytes(),
        note,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(SignedCheckpoint {
        checkpoint,
        note,
        verifier_key: row.verifier_key,
    })
}
