//! The read model of webhook endpoints. Whoever sends reads it, too: what it does not show is not sent to.

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;
use vinzy_events::endpoint::{
    DisableReason, Disabled, Endpoint, EndpointEvent, EndpointState, EndpointStatus, EventPattern,
    PreviousSecret,
};
use vinzy_events::{EndpointId, SecretId, Timestamp};

use crate::event_log::{signed, unsigned};
use crate::rows::{Placed, Recorded, RowModel};
use crate::{Page, PageRequest};

/// Name of the projection.
pub const NAME: &str = "endpoints";

/// An endpoint as lists show it.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointRow {
    /// Its id.
    pub id: EndpointId,
    /// What is true of it.
    pub state: EndpointState,
    /// Where it was set up, which orders lists and is their cursor.
    pub created_position: u64,
}

pub(crate) struct Endpoints;

type Row = Placed<Endpoint>;

macro_rules! endpoint_state {
    ($row:expr) => {
        EndpointState {
            url: $row.url,
            description: $row.description,
            event_types: $row
                .event_types
                .into_iter()
                .map(EventPattern::from_stored)
                .collect(),
            status: named(EndpointStatus::parse, &$row.status)?,
            max_retries: $row.max_retries.map(number),
            timeout_seconds: number($row.timeout_seconds),
            secret_id: $row.secret_id.into(),
            previous: $row
                .previous_secret_id
                .zip($row.previous_valid_until)
                .map(|(secret_id, until)| PreviousSecret {
                    secret_id: secret_id.into(),
                    valid_until: Timestamp::from_chrono(until),
                }),
            disabled: match $row.disabled_reason.zip($row.disabled_at) {
                Some((reason, at)) => Some(Disabled {
                    reason: named(DisableReason::parse, &reason)?,
                    at: Timestamp::from_chrono(at),
                }),
                None => None,
            },
            active_since: Timestamp::from_chrono($row.active_since),
            created_at: Timestamp::from_chrono($row.created_at),
            updated_at: Timestamp::from_chrono($row.updated_at),
            deleted_at: None,
        }
    };
}

impl RowModel for Endpoints {
    const NAME: &'static str = NAME;
    const STREAM_TYPES: &'static [&'static str] = &["endpoint"];
    const TABLES: &'static [&'static str] = &["endpoints"];
    type Event = EndpointEvent;
    type Row = Row;

    fn fold(row: Option<Row>, recorded: Recorded<EndpointEvent>) -> Option<Row> {
        Row::fold(row, recorded, |endpoint| endpoint.live().is_some())
    }

    async fn load(conn: &mut PgConnection, ledger_id: &str, ids: &[Uuid]) -> sqlx::Result<Vec<(Uuid, Row)>> {
        let rows = sqlx::query!(
            "SELECT endpoint_id, url, description, event_types, status, max_retries, timeout_seconds, secret_id,
                    previous_secret_id, previous_valid_until, disabled_reason, disabled_at, active_since,
                    created_at, updated_at, created_position
             FROM endpoints WHERE ledger_id = $1 AND endpoint_id = ANY($2)",
            ledger_id,
            ids,
        )
        .fetch_all(conn)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok((
                    row.endpoint_id,
                    Row::at(row.created_position, endpoint_state!(row)),
                ))
            })
            .collect()
    }

    async fn save(conn: &mut PgConnection, ledger_id: &str, rows: &[(Uuid, Row)]) -> sqlx::Result<()> {
        for (id, row) in rows {
            if let Some(state) = row.aggregate.state() {
                save(conn, ledger_id, *id, state, row.created_position).await?;
            }
        }
        Ok(())
    }

    async fn remove(conn: &mut PgConnection, ledger_id: &str, ids: &[Uuid]) -> sqlx::Result<()> {
        sqlx::query!(
            "DELETE FROM endpoints WHERE ledger_id = $1 AND endpoint_id = ANY($2)",
            ledger_id,
            ids
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}

async fn save(
    conn: &mut PgConnection,
    ledger_id: &str,
    id: Uuid,
    state: &EndpointState,
    created_position: u64,
) -> sqlx::Result<()> {
    let event_types: Vec<&str> = state.event_types.iter().map(EventPattern::as_str).collect();
    let (previous, disabled) = (state.previous, state.disabled);
    sqlx::query!(
        "INSERT INTO endpoints (ledger_id, endpoint_id, url, description, event_types, status, max_retries,
                                timeout_seconds, secret_id, previous_secret_id, previous_valid_until,
                                disabled_reason, disabled_at, active_since, created_at, updated_at,
                                created_position)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
         ON CONFLICT (ledger_id, endpoint_id) DO UPDATE
         SET url = excluded.url, description = excluded.description, event_types = excluded.event_types,
             status = excluded.status, max_retries = excluded.max_retries,
             timeout_seconds = excluded.timeout_seconds, secret_id = excluded.secret_id,
             previous_secret_id = excluded.previous_secret_id,
             previous_valid_until = excluded.previous_valid_until,
             disabled_reason = excluded.disabled_reason, disabled_at = excluded.disabled_at,
             active_since = excluded.active_since, updated_at = excluded.updated_at",
        ledger_id,
        id,
        state.url,
        state.description,
        &event_types as &[&str],
        state.status.as_str(),
        state.max_retries.map(i64::from),
        i64::from(state.timeout_seconds),
        state.secret_id.as_uuid(),
        previous.map(|secret| SecretId::as_uuid(secret.secret_id)),
        previous.map(|secret| secret.valid_until.to_chrono()),
        disabled.map(|disabled| disabled.reason.as_str()),
        disabled.map(|disabled| disabled.at.to_chrono()),
        state.active_since.to_chrono(),
        state.created_at.to_chrono(),
        state.updated_at.to_chrono(),
        signed(created_position),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Endpoints that were not removed, in order of creation.
pub async fn list(pool: &PgPool, ledger_id: &str, page: PageRequest) -> sqlx::Result<Page<EndpointRow>> {
    let rows = sqlx::query!(
        "SELECT endpoint_id, url, description, event_types, status, max_retries, timeout_seconds, secret_id,
                previous_secret_id, previous_valid_until, disabled_reason, disabled_at, active_since,
                created_at, updated_at, created_position
         FROM endpoints
         WHERE ledger_id = $1 AND created_position > $2
         ORDER BY created_position
         OFFSET $3 LIMIT $4",
        ledger_id,
        page.after(),
        page.offset(),
        page.limit(),
    )
    .fetch_all(pool)
    .await?;
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM endpoints WHERE ledger_id = $1"#,
        ledger_id
    )
    .fetch_one(pool)
    .await?;
    let rows = rows
        .into_iter()
        .map(|row| {
            Ok(EndpointRow {
                id: row.endpoint_id.into(),
                created_position: unsigned(row.created_position),
                state: endpoint_state!(row),
            })
        })
        .collect::<sqlx::Result<Vec<_>>>()?;
    Ok(Page::of(rows, &page, unsigned(total), |row| row.created_position))
}

/// How many endpoints have which status; a status that none has is left out.
pub async fn count(pool: &PgPool, ledger_id: &str) -> sqlx::Result<Vec<(EndpointStatus, u64)>> {
    let rows = sqlx::query!(
        r#"SELECT status, count(*) AS "count!" FROM endpoints WHERE ledger_id = $1 GROUP BY status"#,
        ledger_id,
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| Ok((named(EndpointStatus::parse, &row.status)?, unsigned(row.count))))
        .collect()
}

fn number(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

fn named<T>(parse: impl Fn(&str) -> Option<T>, name: &str) -> sqlx::Result<T> {
    parse(name).ok_or_else(|| sqlx::Error::Decode(format!("unknown name {name:?}").into()))
}
