//! The read model of licenses.

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;
use vinzy_events::license::{License, LicenseEvent, LicenseState, Standing};
use vinzy_events::{CustomerId, LicenseId, Timestamp};

use crate::event_log::{signed, unsigned};
use crate::products::code;
use crate::rows::{Recorded, RowModel, json_object, json_text};

/// Name of the projection.
pub const NAME: &str = "licenses";

/// A license as lists show it.
#[derive(Debug, Clone, PartialEq)]
pub struct LicenseRow {
    /// Its id.
    pub id: LicenseId,
    /// What is true of it.
    pub state: LicenseState,
    /// How many machines it is activated on.
    pub machines_used: u32,
    /// Where it was created, which orders lists.
    pub created_position: u64,
}

pub(crate) struct Licenses;

pub(crate) struct Row {
    license: License,
    machines_used: i64,
    created_position: u64,
}

macro_rules! license_state {
    ($row:expr) => {
        LicenseState {
            product_id: $row.product_id.into(),
            product_code: code(&$row.product_code)?,
            customer_id: $row.customer_id.into(),
            tier: $row.tier,
            machines_limit: $row.machines_limit.and_then(|limit| u32::try_from(limit).ok()),
            expires_at: $row.expires_at.map(Timestamp::from_chrono),
            features: json_object($row.features),
            entitlements: json_object($row.entitlements),
            metadata: json_object($row.metadata),
            standing: standing(&$row.standing)?,
            created_at: Timestamp::from_chrono($row.created_at),
            deleted: false,
        }
    };
}

mod list;

pub use list::{Cursor, Filter, Sort, list, part};

impl RowModel for Licenses {
    const NAME: &'static str = NAME;
    const STREAM_TYPES: &'static [&'static str] = &["license"];
    const TABLES: &'static [&'static str] = &["licenses", "license_counts"];
    type Event = LicenseEvent;
    type Row = Row;

    fn fold(row: Option<Row>, recorded: Recorded<LicenseEvent>) -> Option<Row> {
        let mut row = row.unwrap_or_else(|| Row {
            license: License::default(),
            machines_used: 0,
            created_position: recorded.position,
        });
        row.machines_used += match &recorded.event {
            LicenseEvent::ActivationCreated(_) => 1,
            LicenseEvent::ActivationImported(machine) if machine.removed_at.is_none() => 1,
            LicenseEvent::ActivationRemoved(_) => -1,
            _ => 0,
        };
        row.license.evolve(recorded.event);
        row.license.live().is_some().then_some(row)
    }

    async fn load(conn: &mut PgConnection, ledger_id: &str, ids: &[Uuid]) -> sqlx::Result<Vec<(Uuid, Row)>> {
        let rows = sqlx::query!(
            "SELECT license_id, product_id, product_code, customer_id, standing, tier, machines_limit,
                    expires_at, features, entitlements, metadata, machines_used, created_at, created_position
             FROM licenses WHERE ledger_id = $1 AND license_id = ANY($2)",
            ledger_id,
            ids,
        )
        .fetch_all(conn)
        .await?;
        rows.into_iter()
            .map(|row| {
                let license = License::from(license_state!(row));
                Ok((
                    row.license_id,
                    Row {
                        license,
                        machines_used: row.machines_used,
                        created_position: unsigned(row.created_position),
                    },
                ))
            })
            .collect()
    }

    async fn save(conn: &mut PgConnection, ledger_id: &str, rows: &[(Uuid, Row)]) -> sqlx::Result<()> {
        let mut columns = Columns::default();
        for (id, row) in rows {
            if let Some(state) = row.license.state() {
                columns.push(*id, state, row);
            }
        }
        let written = sqlx::query_scalar!(
            r#"INSERT INTO licenses (ledger_id, license_id, product_id, product_code, customer_id, standing, tier,
                                   machines_limit, expires_at, features, entitlements, metadata, machines_used,
                                   created_at, created_position)
             SELECT $1, x.license_id, x.product_id, x.product_code, x.customer_id, x.standing, x.tier,
                    x.machines_limit, x.expires_at, x.features::json, x.entitlements::json, x.metadata::json,
                    x.machines_used, x.created_at, x.created_position
             FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::bigint[],
                         $9::timestamptz[], $10::text[], $11::text[], $12::text[], $13::bigint[],
                         $14::timestamptz[], $15::bigint[])
                  AS x(license_id, product_id, product_code, customer_id, standing, tier, machines_limit,
                       expires_at, features, entitlements, metadata, machines_used, created_at,
                       created_position)
             ON CONFLICT (ledger_id, license_id) DO UPDATE
             SET standing = excluded.standing, tier = excluded.tier, machines_limit = excluded.machines_limit,
                 expires_at = excluded.expires_at, features = excluded.features,
                 entitlements = excluded.entitlements, metadata = excluded.metadata,
                 machines_used = excluded.machines_used
             RETURNING xmax = 0 AS "is_new!""#,
            ledger_id,
            &columns.license_id,
            &columns.product_id,
            &columns.product_code,
            &columns.customer_id,
            &columns.standing,
            &columns.tier,
            &columns.machines_limit as &[Option<i64>],
            &columns.expires_at as &[Option<chrono::DateTime<chrono::Utc>>],
            &columns.features,
            &columns.entitlements,
            &columns.metadata,
            &columns.machines_used,
            &columns.created_at,
            &columns.created_position,
        )
        .fetch_all(&mut *conn)
        .await?;
        let new = written.into_iter().map(i64::from).sum();
        count(conn, ledger_id, new).await
    }

    async fn remove(conn: &mut PgConnection, ledger_id: &str, ids: &[Uuid]) -> sqlx::Result<()> {
        let removed = sqlx::query!(
            "DELETE FROM licenses WHERE ledger_id = $1 AND license_id = ANY($2)",
            ledger_id,
            ids
        )
        .execute(&mut *conn)
        .await?;
        count(conn, ledger_id, -signed(removed.rows_affected())).await
    }
}

/// Notes so many licenses more, or fewer.
async fn count(conn: &mut PgConnection, ledger_id: &str, more: i64) -> sqlx::Result<()> {
    if more == 0 {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO license_counts AS c (ledger_id, count) VALUES ($1, $2)
         ON CONFLICT (ledger_id) DO UPDATE SET count = c.count + excluded.count",
        ledger_id,
        more,
    )
    .execute(&mut *conn)
    .await?;
    if more < 0 {
        // None is no row, as before the first license.
        sqlx::query!(
            "DELETE FROM license_counts WHERE ledger_id = $1 AND count = 0",
            ledger_id
        )
        .execute(conn)
        .await?;
    }
    Ok(())
}

/// Rows turned into the arrays that one statement takes.
#[derive(Default)]
struct Columns {
    license_id: Vec<Uuid>,
    product_id: Vec<Uuid>,
    product_code: Vec<String>,
    customer_id: Vec<Uuid>,
    standing: Vec<String>,
    tier: Vec<String>,
    machines_limit: Vec<Option<i64>>,
    expires_at: Vec<Option<chrono::DateTime<chrono::Utc>>>,
    features: Vec<String>,
    entitlements: Vec<String>,
    metadata: Vec<String>,
    machines_used: Vec<i64>,
    created_at: Vec<chrono::DateTime<chrono::Utc>>,
    created_position: Vec<i64>,
}

impl Columns {
    fn push(&mut self, id: Uuid, state: &LicenseState, row: &Row) {
        self.license_id.push(id);
        self.product_id.push(state.product_id.as_uuid());
        self.product_code.push(state.product_code.as_str().to_owned());
        self.customer_id.push(state.customer_id.as_uuid());
        self.standing.push(state.standing.as_str().to_owned());
        self.tier.push(state.tier.clone());
        self.machines_limit.push(state.machines_limit.map(i64::from));
        self.expires_at.push(state.expires_at.map(Timestamp::to_chrono));
        self.features.push(json_text(&state.features));
        self.entitlements.push(json_text(&state.entitlements));
        self.metadata.push(json_text(&state.metadata));
        self.created_at.push(state.created_at.to_chrono());
        self.machines_used.push(row.machines_used);
        self.created_position.push(signed(row.created_position));
    }
}

/// The licenses of a customer that are active at `at`, in order of creation, for composition.
pub async fn active_of_customer(
    pool: &PgPool,
    ledger_id: &str,
    customer_id: CustomerId,
    at: Timestamp,
) -> sqlx::Result<Vec<(LicenseId, LicenseState)>> {
    let rows = sqlx::query!(
        "SELECT license_id, product_id, product_code, customer_id, standing, tier, machines_limit, expires_at,
                features, entitlements, metadata, created_at
         FROM licenses
         WHERE ledger_id = $1 AND customer_id = $2 AND standing = 'active'
           AND (expires_at IS NULL OR expires_at > $3)
         ORDER BY created_position",
        ledger_id,
        customer_id.as_uuid(),
        at.to_chrono(),
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| Ok((row.license_id.into(), license_state!(row))))
        .collect()
}

pub(crate) fn standing(text: &str) -> sqlx::Result<Standing> {
    [Standing::Active, Standing::Suspended, Standing::Revoked]
        .into_iter()
        .find(|standing| standing.as_str() == text)
        .ok_or_else(|| sqlx::Error::Decode(format!("unknown standing {text:?}").into()))
}
