//! The read model of API keys. What opens is looked up elsewhere, in a table that is never behind.

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;
use vinzy_events::access::Scope;
use vinzy_events::api_key::{ApiKey, ApiKeyEvent, ApiKeyState, PreviousSecret};
use vinzy_events::key::KeyDigest;
use vinzy_events::{ApiKeyId, Timestamp};

use crate::event_log::{signed, unsigned};
use crate::rows::{Placed, Recorded, RowModel};
use crate::{Page, PageRequest};

/// Name of the projection.
pub const NAME: &str = "api_keys";

/// An API key as lists show it.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiKeyRow {
    /// Its id.
    pub id: ApiKeyId,
    /// What is true of it.
    pub state: ApiKeyState,
    /// Where it was made, which orders lists and is their cursor.
    pub created_position: u64,
}

pub(crate) struct ApiKeys;

type Row = Placed<ApiKey>;

macro_rules! api_key_state {
    ($row:expr) => {
        ApiKeyState {
            name: $row.name,
            scopes: $row
                .scopes
                .iter()
                .map(|scope| scope.parse::<Scope>())
                .collect::<Result<_, _>>()
                .map_err(decode)?,
            expires_at: $row.expires_at.map(Timestamp::from_chrono),
            key_digest: digest(&$row.key_digest)?,
            hint: $row.hint,
            previous: match $row.previous_digest.zip($row.previous_valid_until) {
                Some((previous, until)) => Some(PreviousSecret {
                    key_digest: digest(&previous)?,
                    valid_until: Timestamp::from_chrono(until),
                }),
                None => None,
            },
            created_at: Timestamp::from_chrono($row.created_at),
            rotated_at: $row.rotated_at.map(Timestamp::from_chrono),
            revoked_at: None,
        }
    };
}

impl RowModel for ApiKeys {
    const NAME: &'static str = NAME;
    const STREAM_TYPES: &'static [&'static str] = &["api_key"];
    const TABLES: &'static [&'static str] = &["api_keys"];
    type Event = ApiKeyEvent;
    type Row = Row;

    fn fold(row: Option<Row>, recorded: Recorded<ApiKeyEvent>) -> Option<Row> {
        Row::fold(row, recorded, |api_key| api_key.live().is_some())
    }

    async fn load(conn: &mut PgConnection, ledger_id: &str, ids: &[Uuid]) -> sqlx::Result<Vec<(Uuid, Row)>> {
        let rows = sqlx::query!(
            "SELECT api_key_id, name, scopes, expires_at, key_digest, hint, previous_digest,
                    previous_valid_until, created_at, rotated_at, created_position
             FROM api_keys WHERE ledger_id = $1 AND api_key_id = ANY($2)",
            ledger_id,
            ids,
        )
        .fetch_all(conn)
        .await?;
        rows.into_iter()
            .map(|row| Ok((row.api_key_id, Row::at(row.created_position, api_key_state!(row)))))
            .collect()
    }

    async fn save(conn: &mut PgConnection, ledger_id: &str, rows: &[(Uuid, Row)]) -> sqlx::Result<()> {
        for (id, row) in rows {
            let Some(state) = row.aggregate.state() else {
                continue;
            };
            let scopes: Vec<&str> = state.scopes.iter().map(|scope| scope.as_str()).collect();
            let previous = state.previous.as_ref();
            sqlx::query!(
                "INSERT INTO api_keys (ledger_id, api_key_id, name, scopes, expires_at, key_digest, hint,
                                       previous_digest, previous_valid_until, created_at, rotated_at,
                                       created_position)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
                 ON CONFLICT (ledger_id, api_key_id) DO UPDATE
                 SET name = excluded.name, scopes = excluded.scopes, expires_at = excluded.expires_at,
                     key_digest = excluded.key_digest, hint = excluded.hint,
                     previous_digest = excluded.previous_digest,
                     previous_valid_until = excluded.previous_valid_until, rotated_at = excluded.rotated_at",
                ledger_id,
                id,
                state.name,
                &scopes as &[&str],
                state.expires_at.map(Timestamp::to_chrono),
                state.key_digest.as_bytes().as_slice(),
                state.hint,
                previous.map(|secret| secret.key_digest.as_bytes().as_slice()),
                previous.map(|secret| secret.valid_until.to_chrono()),
                state.created_at.to_chrono(),
                state.rotated_at.map(Timestamp::to_chrono),
                signed(row.created_position),
            )
            .execute(&mut *conn)
            .await?;
        }
        Ok(())
    }

    async fn remove(conn: &mut PgConnection, ledger_id: &str, ids: &[Uuid]) -> sqlx::Result<()> {
        sqlx::query!(
            "DELETE FROM api_keys WHERE ledger_id = $1 AND api_key_id = ANY($2)",
            ledger_id,
            ids
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}

/// API keys that were not revoked, in order of creation.
pub async fn list(pool: &PgPool, ledger_id: &str, page: PageRequest) -> sqlx::Result<Page<ApiKeyRow>> {
    let rows = sqlx::query!(
        "SELECT api_key_id, name, scopes, expires_at, key_digest, hint, previous_digest,
                previous_valid_until, created_at, rotated_at, created_position
         FROM api_keys
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
        r#"SELECT count(*) AS "count!" FROM api_keys WHERE ledger_id = $1"#,
        ledger_id
    )
    .fetch_one(pool)
    .await?;
    let rows = rows
        .into_iter()
        .map(|row| {
            Ok(ApiKeyRow {
                id: row.api_key_id.into(),
                created_position: unsigned(row.created_position),
                state: api_key_state!(row),
            })
        })
        .collect::<sqlx::Result<Vec<_>>>()?;
    Ok(Page::of(rows, &page, unsigned(total), |row| row.created_position))
}

fn digest(bytes: &[u8]) -> sqlx::Result<KeyDigest> {
    let bytes = <[u8; 32]>::try_from(bytes).map_err(decode)?;
    Ok(KeyDigest::from_bytes(bytes))
}

fn decode(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}
