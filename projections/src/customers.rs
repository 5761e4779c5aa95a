//! The read model of customers: who there is, in order. What they are called stays sealed.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;
use vinzy_events::customer::{Customer, CustomerEvent, CustomerState};
use vinzy_events::{CustomerId, Timestamp};

use crate::event_log::{signed, unsigned};
use crate::planning::planning_anew;
use crate::rows::{Placed, Recorded, RowModel};
use crate::{Order, Page, PageRequest};

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

/// Which customers to list; `None` does not filter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// These and no others.
    pub ids: Option<Vec<CustomerId>>,
    /// Ids from one to another.
    pub id_range: Option<RangeInclusive<Uuid>>,
}

/// A statement about the customers that a filter lets through: what it asks, and what follows the filter.
macro_rules! filtered {
    ($query:ident, [$($shape:tt)*], [$($ask:tt)+], [$($rest:tt)*], $ledger_id:ident, $filter:ident, $ids:ident $(, $more:expr)*) => {
        sqlx::$query!(
            $($shape)*
            $($ask)+ + "
            FROM customers
            WHERE ledger_id = $1
              AND ($2::uuid[] IS NULL OR customer_id = ANY($2))
              AND ($3::uuid IS NULL OR customer_id >= $3)
              AND ($4::uuid IS NULL OR customer_id <= $4)" $($rest)*,
            $ledger_id,
            $ids.as_deref(),
            $filter.id_range.as_ref().map(|ids| *ids.start()),
            $filter.id_range.as_ref().map(|ids| *ids.end())
            $(, $more)*
        )
    };
}

/// A row as the statements give it.
struct Record {
    customer_id: Uuid,
    created_at: DateTime<Utc>,
    erased_at: Option<DateTime<Utc>>,
    created_position: i64,
}

impl From<Record> for CustomerRow {
    fn from(row: Record) -> Self {
        Self {
            id: row.customer_id.into(),
            created_at: Timestamp::from_chrono(row.created_at),
            erased_at: row.erased_at.map(Timestamp::from_chrono),
            created_position: unsigned(row.created_position),
        }
    }
}

/// A page of the customers that a filter lets through, with their number.
pub async fn list(
    pool: &PgPool,
    ledger_id: &str,
    filter: &Filter,
    order: Order,
    page: PageRequest,
) -> sqlx::Result<Page<CustomerRow>> {
    let mut tx = planning_anew(pool).await?;
    let rows = rows(&mut tx, ledger_id, filter, order, page).await?;
    let ids = filter.ids.as_deref().map(uuids);
    let total = filtered!(
        query_scalar,
        [],
        [r#"SELECT count(*) AS "count!""#],
        [],
        ledger_id,
        filter,
        ids
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Page::of(rows, &page, unsigned(total), |row| row.created_position))
}

/// As [`list`], without their number: the rows, and the cursor of what follows.
pub async fn part(
    pool: &PgPool,
    ledger_id: &str,
    filter: &Filter,
    order: Order,
    page: PageRequest,
) -> sqlx::Result<(Vec<CustomerRow>, Option<u64>)> {
    let mut tx = planning_anew(pool).await?;
    let rows = rows(&mut tx, ledger_id, filter, order, page).await?;
    tx.commit().await?;
    let page = Page::of(rows, &page, 0, |row| row.created_position);
    Ok((page.rows, page.next))
}

async fn rows(
    conn: &mut PgConnection,
    ledger_id: &str,
    filter: &Filter,
    order: Order,
    page: PageRequest,
) -> sqlx::Result<Vec<CustomerRow>> {
    let ids = filter.ids.as_deref().map(uuids);
    let rows = match order {
        Order::OldestFirst => {
            filtered!(
                query_as,
                [Record,],
                ["SELECT customer_id, created_at, erased_at, created_position"],
                [+ " AND created_position > $5 ORDER BY created_position OFFSET $6 LIMIT $7"],
                ledger_id,
                filter,
                ids,
                page.after(),
                page.offset(),
                page.limit()
            )
            .fetch_all(conn)
            .await?
        }
        Order::NewestFirst => {
            filtered!(
                query_as,
                [Record,],
                ["SELECT customer_id, created_at, erased_at, created_position"],
                [+ " AND created_position < $5 ORDER BY created_position DESC OFFSET $6 LIMIT $7"],
                ledger_id,
                filter,
                ids,
                page.before(),
                page.offset(),
                page.limit()
            )
            .fetch_all(conn)
            .await?
        }
    };
    Ok(rows.into_iter().map(CustomerRow::from).collect())
}

fn uuids(ids: &[CustomerId]) -> Vec<Uuid> {
    ids.iter().map(|id| id.as_uuid()).collect()
}
