//! Rebuilding a read model from nothing, beside the serving one.

use sqlx::{Connection, PgConnection};

use crate::event_log::{self, Span, unsigned};
use crate::{ApplyError, Projection};

const BATCH: u32 = 1_000;
/// Where rebuilt tables stand while they are compared; it never outlives the transaction.
const SHADOW: &str = "vinzy_rebuild";

/// A row that the serving table and its rebuild do not share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
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
    let serving = create_shadow(&mut tx, projection.tables()).await?;
    replay(&mut tx, projection, ledger_id, to).await?;
    let mut differences = vec![];
    for table in projection.tables() {
        for (serves, left, right) in [
            (true, serving.as_str(), SHADOW),
            (false, SHADOW, serving.as_str()),
        ] {
            differences.extend(
                only_in(&mut tx, table, left, right, ledger_id)
                    .await?
                    .into_iter()
                    .map(|row| Difference {
                        table,
                        serving: serves,
                        row,
                    }),
            );
        }
    }
    tx.rollback().await?;
    Ok(differences)
}

/// Makes empty tables of the same shape and puts them first in the search path; gives the serving schema.
async fn create_shadow(conn: &mut PgConnection, tables: &[&str]) -> sqlx::Result<String> {
    let serving: String = sqlx::query_scalar("SELECT current_schema()::text")
        .fetch_one(&mut *conn)
        .await?;
    sqlx::query(&format!("CREATE SCHEMA {SHADOW}"))
        .execute(&mut *conn)
        .await?;
    for table in tables {
        let create = format!("CREATE TABLE {SHADOW}.{table} (LIKE \"{serving}\".{table} INCLUDING ALL)");
        sqlx::query(&create).execute(&mut *conn).await?;
    }
    sqlx::query(&format!("SET LOCAL search_path = {SHADOW}, \"{serving}\""))
        .execute(&mut *conn)
        .await?;
    Ok(serving)
}

async fn replay(
    conn: &mut PgConnection,
    projection: &dyn Projection,
    ledger_id: &str,
    to: u64,
) -> Result<(), ApplyError> {
    let mut from = 0;
    while from < to {
        let span = Span {
            ledger_id,
            from,
            to,
            stream_types: projection.stream_types(),
            limit: BATCH,
        };
        let events = event_log::read(conn, span).await?;
        let Some(last) = events.last() else { break };
        from = last.position + 1;
        projection.apply(conn, ledger_id, &events).await?;
    }
    Ok(())
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
         SELECT t::text FROM \"{right}\".{table} t WHERE ledger_id = $1"
    );
    sqlx::query_scalar(&query).bind(ledger_id).fetch_all(conn).await
}
