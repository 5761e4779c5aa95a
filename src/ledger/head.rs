//! The head row of a ledger: its lock is what serialises writers on all nodes.

use sqlx::PgConnection;
use vinzy_events::Timestamp;
use vinzy_events::ledger::{Frontier, Hash};
use vinzy_projections::event_log::unsigned;

/// Where a ledger ends.
#[derive(Debug, Clone)]
pub struct Head {
    /// Name of the ledger in every leaf and checkpoint.
    pub origin: String,
    /// Number of events.
    pub size: u64,
    /// Hash of the last event; zeros before the first.
    pub hash: Hash,
    /// Right edge of the Merkle tree.
    pub frontier: Frontier,
    /// When the last event was recorded; no later event is recorded before that.
    pub last_recorded_at: Timestamp,
}

/// Why a head row cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// The database failed.
    #[error("database failed")]
    Database(#[from] sqlx::Error),
    /// There is no such ledger.
    #[error("there is no ledger {0:?}")]
    Missing(String),
    /// The row contradicts itself: hash or frontier do not have the size they must have.
    #[error("the head row of ledger {0:?} is damaged")]
    Damaged(String),
}

macro_rules! head {
    ($ledger_id:expr, $row:expr) => {{
        let row = $row.ok_or_else(|| HeadError::Missing($ledger_id.to_owned()))?;
        let damaged = || HeadError::Damaged($ledger_id.to_owned());
        let size = unsigned(row.size);
        Ok(Head {
            origin: row.origin,
            size,
            hash: Hash::from_bytes(row.head_hash.as_slice().try_into().map_err(|_| damaged())?),
            frontier: Frontier::from_bytes(size, &row.frontier).map_err(|_| damaged())?,
            last_recorded_at: Timestamp::from_chrono(row.last_recorded_at),
        })
    }};
}

/// Locks the head row until the transaction ends: nobody else appends to this ledger meanwhile, on any
/// node. Closes the race between reading the head and moving it.
pub async fn lock(conn: &mut PgConnection, ledger_id: &str) -> Result<Head, HeadError> {
    let row = sqlx::query!(
        "SELECT origin, size, head_hash, frontier, last_recorded_at
         FROM ledgers WHERE ledger_id = $1 FOR UPDATE",
        ledger_id,
    )
    .fetch_optional(conn)
    .await?;
    head!(ledger_id, row)
}

/// Reads the head row without locking it.
pub async fn read(conn: &mut PgConnection, ledger_id: &str) -> Result<Head, HeadError> {
    let row = sqlx::query!(
        "SELECT origin, size, head_hash, frontier, last_recorded_at FROM ledgers WHERE ledger_id = $1",
        ledger_id,
    )
    .fetch_optional(conn)
    .await?;
    head!(ledger_id, row)
}
