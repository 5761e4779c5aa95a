//! Which customers of a ledger were erased, as a verification must know it: their ciphertext may be missing,
//! and nothing of it may be left.

use std::collections::HashMap;

use sqlx::PgConnection;
use uuid::Uuid;
use vinzy_events::customer::Customer;
use vinzy_events::ledger::Outline;
use vinzy_projections::event_log::unsigned;

/// Type of the event that says that a customer was erased.
const ERASED: &str = "customer.erased";

/// The erasures of a ledger, as the columns beside the events say. A walk that comes to its end has compared
/// the columns with the events.
pub(super) struct Erasures {
    by_customer: HashMap<String, Erasure>,
}

struct Erasure {
    position: u64,
    left: Left,
}

/// What was not destroyed.
#[derive(Default)]
struct Left {
    ciphertext_of: Option<u64>,
    key: bool,
}

impl Erasures {
    /// Reads them, and what is left of the customers' data.
    pub(super) async fn read(conn: &mut PgConnection, ledger_id: &str) -> sqlx::Result<Self> {
        let rows = sqlx::query!(
            "SELECT stream_id, position FROM events
             WHERE ledger_id = $1 AND event_type = 'customer.erased'
             ORDER BY stream_id, position",
            ledger_id,
        )
        .fetch_all(&mut *conn)
        .await?;
        // A stream whose id is no UUID has no rows in the tables of personal data.
        let customers: Vec<Uuid> = rows.iter().filter_map(|row| row.stream_id.parse().ok()).collect();
        let mut left = left(conn, ledger_id, &customers).await?;
        let by_customer = rows.into_iter().map(|row| {
            let erasure = Erasure {
                position: unsigned(row.position),
                left: left.remove(&row.stream_id).unwrap_or_default(),
            };
            (row.stream_id, erasure)
        });
        Ok(Self {
            by_customer: by_customer.collect(),
        })
    }

    /// Whether a later erasure is the reason why ciphertext of an event is missing.
    pub(super) fn explain(&self, leaf: &Outline) -> bool {
        leaf.stream.stream_type == <Customer as cqrs_es::Aggregate>::TYPE
            && self
                .by_customer
                .get(&leaf.stream.id)
                .is_some_and(|erasure| erasure.position > leaf.pos)
    }

    /// Checks that an erasure has left nothing; any other event is good.
    pub(super) fn check(&self, leaf: &Outline) -> Result<(), String> {
        if leaf.event_type != ERASED {
            return Ok(());
        }
        let Some(erasure) = self.by_customer.get(&leaf.stream.id) else {
            return Ok(());
        };
        match erasure.left {
            Left {
                ciphertext_of: Some(position),
                ..
            } => Err(format!(
                "the customer was erased, but the ciphertext of event {position} is still there"
            )),
            Left { key: true, .. } => {
                Err("the customer was erased, but a key of theirs is still there".to_owned())
            }
            Left { .. } => Ok(()),
        }
    }
}

async fn left(
    conn: &mut PgConnection,
    ledger_id: &str,
    customers: &[Uuid],
) -> sqlx::Result<HashMap<String, Left>> {
    let mut left: HashMap<String, Left> = HashMap::new();
    let ciphertexts = sqlx::query!(
        r#"SELECT customer_id, min(position) AS "position!" FROM sealed_values
           WHERE ledger_id = $1 AND customer_id = ANY($2)
           GROUP BY customer_id"#,
        ledger_id,
        customers,
    )
    .fetch_all(&mut *conn)
    .await?;
    for row in ciphertexts {
        left.entry(row.customer_id.to_string()).or_default().ciphertext_of = Some(unsigned(row.position));
    }
    let keys = sqlx::query_scalar!(
        "SELECT DISTINCT customer_id FROM data_keys WHERE ledger_id = $1 AND customer_id = ANY($2)",
        ledger_id,
        customers,
    )
    .fetch_all(conn)
    .await?;
    for customer_id in keys {
        left.entry(customer_id.to_string()).or_default().key = true;
    }
    Ok(left)
}
