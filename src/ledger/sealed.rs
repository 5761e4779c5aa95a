//! What is sealed of a customer, as a batch must know it to destroy it, and the statements that do.

use std::collections::{BTreeSet, HashMap};

use sqlx::PgConnection;
use uuid::Uuid;
use vinzy_projections::event_log::unsigned;

/// Everything sealed of one customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SealedData {
    /// Ids of the customer's keys.
    pub keys: BTreeSet<String>,
    /// How many sealed values there are.
    pub values: u64,
}

/// What is sealed of customers, each of whom has an entry.
pub(super) async fn look_up(
    conn: &mut PgConnection,
    ledger_id: &str,
    customers: &[Uuid],
) -> sqlx::Result<HashMap<Uuid, SealedData>> {
    let mut sealed: HashMap<Uuid, SealedData> =
        customers.iter().map(|id| (*id, SealedData::default())).collect();
    let keys = sqlx::query!(
        "SELECT customer_id, key_id FROM data_keys WHERE ledger_id = $1 AND customer_id = ANY($2)",
        ledger_id,
        customers,
    )
    .fetch_all(&mut *conn)
    .await?;
    for row in keys {
        sealed.entry(row.customer_id).or_default().keys.insert(row.key_id);
    }
    let values = sqlx::query!(
        r#"SELECT customer_id, count(*) AS "count!" FROM sealed_values
           WHERE ledger_id = $1 AND customer_id = ANY($2)
           GROUP BY customer_id"#,
        ledger_id,
        customers,
    )
    .fetch_all(conn)
    .await?;
    for row in values {
        sealed.entry(row.customer_id).or_default().values = unsigned(row.count);
    }
    Ok(sealed)
}

/// Deletes ciphertext and keys of customers, and mails to them.
pub(super) async fn destroy(
    conn: &mut PgConnection,
    ledger_id: &str,
    customers: &[Uuid],
) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM sealed_values WHERE ledger_id = $1 AND customer_id = ANY($2)",
        ledger_id,
        customers,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "DELETE FROM mails WHERE ledger_id = $1 AND customer_id = ANY($2)",
        ledger_id,
        customers,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "DELETE FROM data_keys WHERE ledger_id = $1 AND customer_id = ANY($2)",
        ledger_id,
        customers,
    )
    .execute(conn)
    .await?;
    Ok(())
}
