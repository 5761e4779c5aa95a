//! Keys of the server that its database keeps, because what was hashed with them stays: they outlive the master
//! key that wraps them.

use std::collections::BTreeMap;

use sqlx::{PgConnection, PgPool};

use super::{MasterKey, MasterKeys, Unopenable};
use crate::clock::Entropy;
use crate::personal_data;

/// PostgreSQL's code for a table that there is not.
const UNDEFINED_TABLE: &str = "42P01";

/// What a server key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Hashes values that must be unique and that identify people.
    Uniqueness,
    /// Hashes requests that can be repeated.
    Idempotency,
}

impl Purpose {
    /// All purposes, in the order of their declaration.
    pub const ALL: [Self; 2] = [Self::Uniqueness, Self::Idempotency];

    /// Its name in the database.
    const fn name(self) -> &'static str {
        match self {
            Self::Uniqueness => "uniqueness",
            Self::Idempotency => "idempotency",
        }
    }

    /// What its first key is derived with.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Uniqueness => "vinzy uniqueness",
            Self::Idempotency => "vinzy idempotency",
        }
    }
}

/// The server's keys, opened.
pub struct ServerKeys {
    /// Hashes values that must be unique and that identify people.
    pub uniqueness: [u8; 32],
    /// Hashes requests that can be repeated.
    pub idempotency: [u8; 32],
}

/// Why there are no server keys to work with.
#[derive(Debug, thiserror::Error)]
pub enum ServerKeysError {
    /// The database failed.
    #[error("database failed")]
    Database(#[from] sqlx::Error),
    /// The database was used with another secret key.
    #[error(
        "the secret key does not belong to this database: none of the keys in VINZY_SECRET_KEY opens what the \
         database keeps. Start with the VINZY_SECRET_KEY (or the data directory) of before; while it is being \
         rotated, with both as VINZY_SECRET_KEY=new,old"
    )]
    Unopenable,
    /// The database is older than server keys, and cannot tell which master key it was used with.
    #[error(
        "VINZY_SECRET_KEY holds several keys, and the database cannot tell which of them it was used with: \
         start once with that one alone"
    )]
    Undecided,
    /// The database has no server keys.
    #[error("the database keeps no keys yet: start the server on it once")]
    Missing,
}

impl ServerKeysError {
    /// A database from before there were server keys lacks their table.
    fn of(error: sqlx::Error) -> Self {
        let lacks_table = error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
            .is_some_and(|code| code == UNDEFINED_TABLE);
        if lacks_table { Self::Missing } else { error.into() }
    }
}

impl From<Unopenable> for ServerKeysError {
    fn from(_: Unopenable) -> Self {
        Self::Unopenable
    }
}

impl ServerKeys {
    /// The keys of the database; made when it has none yet, once, also when several nodes start at once.
    pub async fn open_or_make(
        pool: &PgPool,
        masters: &MasterKeys,
        entropy: &Entropy,
    ) -> Result<Self, ServerKeysError> {
        match Self::open(pool, masters).await {
            Err(ServerKeysError::Missing) => {}
            opened => return opened,
        }
        let mut tx = pool.begin().await?;
        let master = master_of_before(&mut tx, masters).await?;
        for purpose in Purpose::ALL {
            // The insert of a second node waits for the first one's commit and then does nothing.
            sqlx::query!(
                "INSERT INTO server_keys (purpose, wrapped_key) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                purpose.name(),
                masters.wrap(&context(purpose.name()), master.initial(purpose), entropy.bytes()),
            )
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Self::open(pool, masters).await
    }

    /// The keys of the database.
    pub async fn open(pool: &PgPool, masters: &MasterKeys) -> Result<Self, ServerKeysError> {
        let rows = sqlx::query!("SELECT purpose, wrapped_key FROM server_keys")
            .fetch_all(pool)
            .await
            .map_err(ServerKeysError::of)?;
        let wrapped: BTreeMap<String, Vec<u8>> = rows
            .into_iter()
            .map(|row| (row.purpose, row.wrapped_key))
            .collect();
        let key = |purpose: Purpose| {
            let wrapped = wrapped.get(purpose.name()).ok_or(ServerKeysError::Missing)?;
            Ok::<_, ServerKeysError>(masters.unwrap(&context(purpose.name()), wrapped)?)
        };
        Ok(Self {
            uniqueness: key(Purpose::Uniqueness)?,
            idempotency: key(Purpose::Idempotency)?,
        })
    }
}

/// The master key that the database was used with until now: its hashes were made with keys derived from that.
async fn master_of_before<'a>(
    conn: &mut PgConnection,
    masters: &'a MasterKeys,
) -> Result<&'a MasterKey, ServerKeysError> {
    let data_key = sqlx::query!("SELECT ledger_id, customer_id, key_id, wrapped_key FROM data_keys LIMIT 1")
        .fetch_optional(&mut *conn)
        .await?;
    if let Some(row) = data_key {
        let context = personal_data::wrap_context(&row.ledger_id, row.customer_id.into(), &row.key_id);
        return Ok(masters.open(&context, &row.wrapped_key)?.0);
    }
    let has_hashes = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM idempotency_keys) AS "has_hashes!""#)
        .fetch_one(conn)
        .await?;
    if has_hashes && masters.iter().count() > 1 {
        return Err(ServerKeysError::Undecided);
    }
    Ok(masters.current())
}

/// What a wrapped server key is bound to.
pub(super) fn context(purpose: &str) -> Vec<u8> {
    format!("server-key\n{purpose}").into_bytes()
}
