//! The read model of tenants, out of the server's own ledger.

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;
use vinzy_events::tenant::{Tenant, TenantEvent, TenantSlug, TenantState};
use vinzy_events::{TenantId, Timestamp};

use crate::event_log::{signed, unsigned};
use crate::rows::{Placed, Recorded, RowModel, json_object, json_text};
use crate::{Page, PageRequest};

/// Name of the projection.
pub const NAME: &str = "tenants";

/// A tenant as lists show it.
#[derive(Debug, Clone, PartialEq)]
pub struct TenantRow {
    /// Its id.
    pub id: TenantId,
    /// What is true of it.
    pub state: TenantState,
    /// Where it was created, which orders lists and is their cursor.
    pub created_position: u64,
}

pub(crate) struct Tenants;

type Row = Placed<Tenant>;

macro_rules! tenant_state {
    ($row:expr) => {
        TenantState {
            name: $row.name,
            slug: slug($row.slug)?,
            hmac_key_version: $row
                .hmac_key_version
                .and_then(|version| u8::try_from(version).ok()),
            config_overrides: json_object($row.config_overrides),
            created_at: Timestamp::from_chrono($row.created_at),
            closed_at: None,
        }
    };
}

impl RowModel for Tenants {
    const NAME: &'static str = NAME;
    const STREAM_TYPES: &'static [&'static str] = &["tenant"];
    const TABLES: &'static [&'static str] = &["tenants"];
    type Event = TenantEvent;
    type Row = Row;

    fn fold(row: Option<Row>, recorded: Recorded<TenantEvent>) -> Option<Row> {
        Row::fold(row, recorded, |tenant| tenant.live().is_some())
    }

    async fn load(conn: &mut PgConnection, ledger_id: &str, ids: &[Uuid]) -> sqlx::Result<Vec<(Uuid, Row)>> {
        let rows = sqlx::query!(
            "SELECT tenant_id, name, slug, hmac_key_version, config_overrides, created_at, created_position
             FROM tenants WHERE ledger_id = $1 AND tenant_id = ANY($2)",
            ledger_id,
            ids,
        )
        .fetch_all(conn)
        .await?;
        rows.into_iter()
            .map(|row| Ok((row.tenant_id, Row::at(row.created_position, tenant_state!(row)))))
            .collect()
    }

    async fn save(conn: &mut PgConnection, ledger_id: &str, rows: &[(Uuid, Row)]) -> sqlx::Result<()> {
        for (id, row) in rows {
            let Some(state) = row.aggregate.state() else {
                continue;
            };
            sqlx::query!(
                "INSERT INTO tenants (ledger_id, tenant_id, name, slug, hmac_key_version, config_overrides,
                                      created_at, created_position)
                 VALUES ($1, $2, $3, $4, $5, $6::text::json, $7, $8)
                 ON CONFLICT (ledger_id, tenant_id) DO UPDATE
                 SET name = excluded.name, hmac_key_version = excluded.hmac_key_version,
                     config_overrides = excluded.config_overrides",
                ledger_id,
                id,
                state.name,
                state.slug.as_str(),
                state.hmac_key_version.map(i16::from),
                json_text(&state.config_overrides),
                state.created_at.to_chrono(),
                signed(row.created_position),
            )
            .execute(&mut *conn)
            .await?;
        }
        Ok(())
    }

    async fn remove(conn: &mut PgConnection, ledger_id: &str, ids: &[Uuid]) -> sqlx::Result<()> {
        sqlx::query!(
            "DELETE FROM tenants WHERE ledger_id = $1 AND tenant_id = ANY($2)",
            ledger_id,
            ids
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}

/// Tenants in order of creation; only the one with `slug`, when that is given.
pub async fn list(
    pool: &PgPool,
    ledger_id: &str,
    by_slug: Option<&str>,
    page: PageRequest,
) -> sqlx::Result<Page<TenantRow>> {
    let rows = sqlx::query!(
        "SELECT tenant_id, name, slug, hmac_key_version, config_overrides, created_at, created_position
         FROM tenants
         WHERE ledger_id = $1 AND created_position > $2 AND ($3::text IS NULL OR slug = $3)
         ORDER BY created_position
         OFFSET $4 LIMIT $5",
        ledger_id,
        page.after(),
        by_slug,
        page.offset(),
        page.limit(),
    )
    .fetch_all(pool)
    .await?;
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM tenants
           WHERE ledger_id = $1 AND ($2::text IS NULL OR slug = $2)"#,
        ledger_id,
        by_slug,
    )
    .fetch_one(pool)
    .await?;
    let rows = rows
        .into_iter()
        .map(|row| {
            Ok(TenantRow {
                id: row.tenant_id.into(),
                created_position: unsigned(row.created_position),
                state: tenant_state!(row),
            })
        })
        .collect::<sqlx::Result<Vec<_>>>()?;
    Ok(Page::of(rows, &page, unsigned(total), |row| row.created_position))
}

fn slug(text: String) -> sqlx::Result<TenantSlug> {
    TenantSlug::try_from(text).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
