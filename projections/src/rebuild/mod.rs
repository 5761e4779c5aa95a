//! Making a read model anew from the ledger's events, beside the one that serves.
//!
//! [`compare`] looks whether both are the same and leaves nothing behind; a [`Replay`] is of any size, survives its own
//! end, and can take the place of what serves.

mod replay;
mod shadow;

use sqlx::{Connection, PgConnection};

use crate::archive::Archives;
use crate::event_log::{self, Span, unsigned};
use crate::{ApplyError, Projection};

pub use replay::{Progress, Replay, ReplayError, Scope, Until};

const BATCH: u32 = 2_500;
/// Where rebuilt tables stand while they are compared; it never outlives the transaction.
const SHADOW: &str = "vinzy_rebuild";
/// So many differences of a table are told, at each side.
const TOLD: i64 = 1_000;

/// A row that the serving table and its rebuild do not share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The ledger.
    pub ledger_id: String,
    /// The table.
    pub table: &'static str,
    /// Whether the serving table has the row; else only the rebuild has.
    pub serving: bool,
    /// The row as PostgreSQL prints it.
    pub row: String,
}

/// Rebuilds `projection` of one ledger up to its checkpoint and compares row by row with what serves.
///
/// Locks the checkpoint, so that both are as of the same position, and leaves nothing behind.
pub async fn compare(
    conn: &mut PgConnection,
    projection: &dyn Projection,
    ledger_id: &str,
) -> Result<Vec<Difference>, ApplyError> {
    let mut tx = conn.begin().await?;
    let checkpoint = sqlx::query_scalar!(
        "SELECT position FROM projection_checkpoints WHERE ledger_id = $1 AND projection = $2 FOR UPDATE",
        ledger_id,
        projection.name(),
    )
    .fetch_optional(&mut *tx)
    .await?;
    let to = checkpoint.map_or(0, unsigned);
    let serving = shadow::serving_schema(&mut tx).await?;
    shadow::create(&mut tx, SHADOW, &serving, projection.tables()).await?;
    sqlx::query(&format!("SET LOCAL search_path = {SHADOW}, \"{serving}\""))
        .execute(&mut *tx)
        .await?;
    let mut from = 0;
    let archives = Archives::default();
    while from < to {
        from = step(&mut tx, projection, &archives, ledger_id, from, to).await?;
    }
    let differences = differences(&mut tx, projection, ledger_id, &serving, SHADOW).await?;
    tx.rollback().await?;
    Ok(differences)
}

/// Applies a batch of events from a position on; gives the position of the next.
async fn step(
    conn: &mut PgConnection,
    projection: &dyn Projection,
    archives: &Archives,
    ledger_id: &str,
    from: u64,
    to: u64,
) -> Result<u64, ApplyError> {
    let span = Span {
        ledger_id,
        from,
        to,
        stream_types: projection.stream_types(),
        limit: BATCH,
    };
    let mut events = event_log::read(conn, span).await?;
    archives
        .fill(ledger_id, &mut events)
        .map_err(|error| ApplyError::Later(error.into()))?;
    let applied = projection.apply(conn, ledger_id, &events).await?;
    if let Some(left) = events.get(applied) {
        return Ok(left.position);
    }
    let is_full = events.len() == BATCH as usize;
    let last = events.last().filter(|_| is_full);
    Ok(last.map_or(to, |event| event.position + 1))
}

/// The rows of a ledger that only the serving tables have, and those that only their twins have.
async fn differences(
    conn: &mut PgConnection,
    projection: &dyn Projection,
    ledger_id: &str,
    serving: &str,
    shadow: &str,
) -> sqlx::Result<Vec<Difference>> {
    let mut differences = vec![];
    for table in projection.tables() {
        for (serves, left, right) in [(true, serving, shadow), (false, shadow, serving)] {
            let rows = only_in(conn, table, left, right, ledger_id).await?;
            differences.extend(rows.into_iter().map(|row| Difference {
                ledger_id: ledger_id.to_owned(),
                table,
                serving: serves,
                row,
            }));
        }
    }
    Ok(differences)
}

async fn only_in(
    conn: &mut PgConnection,
    table: &str,
    left: &str,
    right: &str,
    ledger_id: &str,
) -> sqlx::Result<Vec<String>> {
    // Rows are compared as text: the json type has no equality.
    let query = format!(
        "SELECT t::text FROM \"{left}\".{table} t WHERE ledger_id = $1
         EXCEPT ALL
         SELECT t::text FROM \"{right}\".{table} t WHERE ledger_id = $1
         LIMIT {TOLD}"
    );
    sqlx::query_scalar(&query).bind(ledger_id).fetch_all(conn).await
}
