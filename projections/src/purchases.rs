//! The read model of purchases. It holds all that providers of payments told, also what belongs to another purchase or
//! waits for its checkout; lists show purchases with a license.

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;
use vinzy_events::purchase::{Provider, Purchase, PurchaseEvent, PurchaseState, PurchaseStatus};
use vinzy_events::{CustomerId, LicenseId, PurchaseId};

use crate::event_log::{signed, unsigned};
use crate::rows::{Placed, Recorded, RowModel};
use crate::{Page, PageRequest};

/// Name of the projection.
pub const NAME: &str = "purchases";

/// A purchase as lists show it.
#[derive(Debug, Clone, PartialEq)]
pub struct PurchaseRow {
    /// Its id.
    pub id: PurchaseId,
    /// What is true of it.
    pub state: PurchaseState,
    /// Where it was first heard of, which orders lists and is their cursor.
    pub created_position: u64,
}

/// Which purchases to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Those of a provider.
    pub provider: Option<Provider>,
    /// The one of a license.
    pub license_id: Option<LicenseId>,
    /// Those of a customer.
    pub customer_id: Option<CustomerId>,
    /// Those in a status.
    pub status: Option<PurchaseStatus>,
    /// The one with this reference, or of this checkout or order.
    pub reference: Option<String>,
}

pub(crate) struct Purchases;

type Row = Placed<Purchase>;

impl RowModel for Purchases {
    const NAME: &'static str = NAME;
    const STREAM_TYPES: &'static [&'static str] = &["purchase"];
    const TABLES: &'static [&'static str] = &["purchases"];
    type Event = PurchaseEvent;
    type Row = Row;

    fn fold(row: Option<Row>, recorded: Recorded<PurchaseEvent>) -> Option<Row> {
        Row::fold(row, recorded, |_| true)
    }

    async fn load(conn: &mut PgConnection, ledger_id: &str, ids: &[Uuid]) -> sqlx::Result<Vec<(Uuid, Row)>> {
        let rows = sqlx::query!(
            "SELECT purchase_id, state, created_position FROM purchases
             WHERE ledger_id = $1 AND purchase_id = ANY($2)",
            ledger_id,
            ids,
        )
        .fetch_all(conn)
        .await?;
        rows.into_iter()
            .map(|row| Ok((row.purchase_id, Row::at(row.created_position, state(row.state)?))))
            .collect()
    }

    async fn save(conn: &mut PgConnection, ledger_id: &str, rows: &[(Uuid, Row)]) -> sqlx::Result<()> {
        for (id, row) in rows {
            let Some(state) = row.aggregate.state() else {
                continue;
            };
            let licensed = state.licensed.as_ref();
            sqlx::query!(
                "INSERT INTO purchases (ledger_id, purchase_id, provider, reference, license_id, customer_id,
                                        checkout, status, state, created_position)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::json, $10)
                 ON CONFLICT (ledger_id, purchase_id) DO UPDATE
                 SET license_id = excluded.license_id, customer_id = excluded.customer_id,
                     checkout = excluded.checkout, status = excluded.status, state = excluded.state",
                ledger_id,
                id,
                state.provider.as_str(),
                state.reference,
                licensed.map(|licensed| licensed.license_id.as_uuid()),
                licensed.map(|licensed| licensed.customer_id.as_uuid()),
                licensed.map(|licensed| licensed.checkout.as_str()),
                state.status().as_str(),
                serde_json::to_string(state).expect("a state has string keys"),
                signed(row.created_position),
            )
            .execute(&mut *conn)
            .await?;
        }
        Ok(())
    }

    async fn remove(conn: &mut PgConnection, ledger_id: &str, ids: &[Uuid]) -> sqlx::Result<()> {
        sqlx::query!(
            "DELETE FROM purchases WHERE ledger_id = $1 AND purchase_id = ANY($2)",
            ledger_id,
            ids
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}

/// Purchases with a license, in the order in which they were first heard of.
pub async fn list(
    pool: &PgPool,
    ledger_id: &str,
    filter: &Filter,
    page: PageRequest,
) -> sqlx::Result<Page<PurchaseRow>> {
    let provider = filter.provider.map(Provider::as_str);
    let license_id = filter.license_id.map(LicenseId::as_uuid);
    let customer_id = filter.customer_id.map(CustomerId::as_uuid);
    let status = filter.status.map(PurchaseStatus::as_str);
    let rows = sqlx::query!(
        "SELECT purchase_id, state, created_position FROM purchases
         WHERE ledger_id = $1 AND license_id IS NOT NULL AND created_position > $2
           AND ($3::text IS NULL OR provider = $3) AND ($4::uuid IS NULL OR license_id = $4)
           AND ($5::uuid IS NULL OR customer_id = $5) AND ($6::text IS NULL OR status = $6)
           AND ($7::text IS NULL OR reference = $7 OR checkout = $7)
         ORDER BY created_position
         OFFSET $8 LIMIT $9",
        ledger_id,
        page.after(),
        provider,
        license_id,
        customer_id,
        status,
        filter.reference,
        page.offset(),
        page.limit(),
    )
    .fetch_all(pool)
    .await?;
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM purchases
           WHERE ledger_id = $1 AND license_id IS NOT NULL
             AND ($2::text IS NULL OR provider = $2) AND ($3::uuid IS NULL OR license_id = $3)
             AND ($4::uuid IS NULL OR customer_id = $4) AND ($5::text IS NULL OR status = $5)
             AND ($6::text IS NULL OR reference = $6 OR checkout = $6)"#,
        ledger_id,
        provider,
        license_id,
        customer_id,
        status,
        filter.reference,
    )
    .fetch_one(pool)
    .await?;
    let rows = rows
        .into_iter()
        .map(|row| {
            Ok(PurchaseRow {
                id: row.purchase_id.into(),
                state: state(row.state)?,
                created_position: unsigned(row.created_position),
            })
        })
        .collect::<sqlx::Result<Vec<_>>>()?;
    Ok(Page::of(rows, &page, unsigned(total), |row| row.created_position))
}

fn state(value: serde_json::Value) -> sqlx::Result<PurchaseState> {
    serde_json::from_value(value).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
