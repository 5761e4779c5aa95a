//! The checkpoint of each ledger that was signed last.

use sqlx::PgPool;
use vinzy_events::Timestamp;
use vinzy_events::ledger::{Checkpoint, Hash};
use vinzy_projections::event_log::{signed, unsigned};

/// A checkpoint as it was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The signed note.
    pub note: String,
    /// The key that the ledger named when this was read.
    pub verifier_key: String,
}

/// The checkpoint that was signed last: as far as it goes, the ledger is published.
pub(crate) async fn last(pool: &PgPool, ledger_id: &str) -> sqlx::Result<Option<SignedCheckpoint>> {
    let row = sqlx::query!(
        "SELECT l.origin, l.verifier_key, c.size, c.root, c.note
         FROM checkpoints c JOIN ledgers l USING (ledger_id)
         WHERE c.ledger_id = $1",
        ledger_id,
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| SignedCheckpoint {
        checkpoint: Checkpoint {
            origin: row.origin,
            size: unsigned(row.size),
            // The table holds no other length.
            root: Hash::from_bytes(row.root.try_into().unwrap_or_default()),
        },
        note: row.note,
        verifier_key: row.verifier_key,
    }))
}

/// Where a ledger stands, and how much of it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The ledger's name.
    pub origin: String,
    /// How many events it has.
    pub size: u64,
    /// How many of them the checkpoint covers that was signed last; `None` before the first.
    pub checkpoint_size: Option<u64>,
    /// When that one was signed; `None` also where that was not noted.
    pub checkpoint_at: Option<Timestamp>,
}

/// Where a ledger stands; `None` when there is no such ledger.
pub(super) async fn standing(pool: &PgPool, ledger_id: &str) -> sqlx::Result<Option<Standing>> {
    let row = sqlx::query!(
        r#"SELECT l.origin, l.size, c.size AS "checkpoint_size?", c.signed_at
           FROM ledgers l LEFT JOIN checkpoints c USING (ledger_id)
           WHERE l.ledger_id = $1"#,
        ledger_id,
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| Standing {
        origin: row.origin,
        size: unsigned(row.size),
        checkpoint_size: row.checkpoint_size.map(unsigned),
        checkpoint_at: row.signed_at.map(Timestamp::from_chrono),
    }))
}

/// Puts a checkpoint in the place of `before`. Does nothing and gives `false` if another stands there by now.
pub(super) async fn publish(
    pool: &PgPool,
    ledger_id: &str,
    before: Option<&SignedCheckpoint>,
    next: &SignedCheckpoint,
    signed_at: Timestamp,
) -> sqlx::Result<bool> {
    let (size, root) = (signed(next.checkpoint.size), next.checkpoint.root);
    let published = match before {
        None => {
            sqlx::query!(
                "INSERT INTO checkpoints (ledger_id, size, root, note, signed_at) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT DO NOTHING",
                ledger_id,
                size,
                root.as_bytes().as_slice(),
                next.note,
                signed_at.to_chrono(),
            )
            .execute(pool)
            .await?
        }
        Some(before) => {
            sqlx::query!(
                "UPDATE checkpoints SET size = $3, root = $4, note = $5, signed_at = $6
                 WHERE ledger_id = $1 AND note = $2",
                ledger_id,
                before.note,
                size,
                root.as_bytes().as_slice(),
                next.note,
                signed_at.to_chrono(),
            )
            .execute(pool)
            .await?
        }
    };
    Ok(published.rows_affected() == 1)
}
