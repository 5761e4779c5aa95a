//! The read model of customers: who there is, in order. What they are called stays sealed.

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;
use vinzy_events::customer::{Customer, CustomerEvent, CustomerState};
use vinzy_events::{CustomerId, Timestamp};

use crate::event_log::{signed, unsigned};
use crate::rows::{Placed, Recorded, RowModel};
use crate::{Page, PageRequest};

/// Name of the projection.
pub const NAME: &str = "customers";

/// A customer as lists show them, personal data aside.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomerRow {
    /// Their id.
    pub id: CustomerId,
    /// When they were created.
    pub created_at: Timestamp,
    /// When their personal data were erased; `None` if they were not.
    pub erased_at: Option<Timestamp>,
    /// Where they were created, which orders lists and is their cursor.
    pub created_position: u64,
}

pub(crate) struct Customers;

type Row = Placed<Customer>;

impl RowModel for Customers {
    const NAME: &'static str = NAME;
    const STREAM_TYPES: &'static [&'static str] = &["customer"];
    const TABLES: &'static [&'static str] = &["customers"];
    type Event = CustomerEvent;
    type Row = Row;

    fn fold(row: Option<Row>, recorded: Recorded<CustomerEvent>) -> Option<Row> {
        Row::fold(row, recorded, |customer| customer.live().is_some())
    }

    async fn load(conn: &mut PgConnection, ledger_id: &str, ids: &[Uuid]) -> sqlx::Result<Vec<(Uuid, Row)>> {
        let rows = sqlx::query!(
            "SELECT customer_id, created_at, erased_at, created_position
             FROM customers WHERE ledger_id = $1 AND customer_id = ANY($2)",
            ledger_id,
            ids,
        )
        .fetch_all(conn)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let state = CustomerState {
                    created_at: Timestamp::from_chrono(row.created_at),
                    deleted: false,
                    erased_at: row.erased_at.map(Timestamp::from_chrono),
                };
                (row.customer_id, Row::at(row.created_position, state))
            })
            .collect())
    }

    async fn save(conn: &mut PgConnection, ledger_id: &str, rows: &[(Uuid, Row)]) -> sqlx::Result<()> {
        for (id, row) in rows {
            let Some(state) = row.aggregate.state() else {
                continue;
            };
            sqlx::query!(
                "INSERT INTO customers (ledger_id, customer_id, created_at, erased_at, created_position)
                 VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (ledger_id, customer_id) DO UPDATE SET erased_at = excluded.erased_at",
                ledger_id,
                id,
                state.created_at.to_chrono(),
                state.erased_at.map(Timestamp::to_chrono),
                signed(row.created_position),
            )
            .execute(&mut *conn)
            .await?;
        }
        Ok(())
    }

    async fn remove(conn: &mut PgConnection, ledger_id: &str, ids: &[Uuid]) -> sqlx::Result<()> {
        sqlx::query!(
            "DELETE FROM customers WHERE ledger_id = $1 AND customer_id = ANY($2)",
            ledger_id,
            ids
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}

/// Customers in order of creation; only `by_id`, when that is given.
pub async fn list(
    pool: &PgPool,
    ledger_id: &str,
    by_id: Option<CustomerId>,
    page: PageRequest,
) -> sqlx::Result<Page<CustomerRow>> {
    let by_id = by_id.map(CustomerId::as_uuid);
    let rows = sqlx::query!(
        "SELECT customer_id, created_at, erased_at, created_position
         FROM customers
         WHERE ledger_id = $1 AND created_position > $2 AND ($3::uuid IS NULL OR customer_id = $3)
         ORDER BY created_position
         OFFSET $4 LIMIT $5",
        ledger_id,
        page.after(),
        by_id,
        page.offset(),
        page.limit(),
    )
    .fetch_all(pool)
    .await?;
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM customers
           WHERE ledger_id = $1 AND ($2::uuid IS NULL OR customer_id = $2)"#,
        ledger_id,
        by_id,
    )
    .fetch_one(pool)
    .await?;
    let rows = rows
        .into_iter()
        .map(|row| CustomerRow {
            id: row.customer_id.into(),
            created_at: Timestamp::from_chrono(row.created_at),
            erased_at: row.erased_at.map(Timestamp::from_chrono),
            created_position: unsigned(row.created_position),
        })
        .collect();
    Ok(Page::of(rows, &page, unsigned(total), |row| row.created_position))
}
