//! Which master keys wrap how much of what the database keeps.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::PgPool;

use super::MasterKeyId;
use super::master::WRAPPED;

/// How many keys a master key wraps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Wrapped {
    /// Keys of customers' data.
    pub data_keys: u64,
    /// Keys of webhook endpoints' secrets.
    pub endpoint_secrets: u64,
    /// Keys of the server.
    pub server_keys: u64,
}

impl Wrapped {
    /// Of any sort.
    pub const fn total(self) -> u64 {
        self.data_keys + self.endpoint_secrets + self.server_keys
    }
}

/// Wrapped keys by the master key that they name; `None` are those from before they named one.
pub type Census = BTreeMap<Option<MasterKeyId>, Wrapped>;

/// Counts the wrapped keys of a database. Reads all of them.
pub async fn count(pool: &PgPool) -> sqlx::Result<Census> {
    let rows = sqlx::query!(
        r#"SELECT master_key_id, sum(data_keys)::bigint AS "data_keys!", sum(secrets)::bigint AS "endpoint_secrets!",
                  sum(server_keys)::bigint AS "server_keys!"
           FROM (SELECT CASE WHEN octet_length(wrapped_key) = $1 THEN substr(wrapped_key, 1, 8) END AS master_key_id,
                        1 AS data_keys, 0 AS secrets, 0 AS server_keys
                 FROM data_keys
                 UNION ALL
                 SELECT CASE WHEN octet_length(wrapped_key) = $1 THEN substr(wrapped_key, 1, 8) END, 0, 1, 0
                 FROM endpoint_secrets
                 UNION ALL
                 SELECT CASE WHEN octet_length(wrapped_key) = $1 THEN substr(wrapped_key, 1, 8) END, 0, 0, 1
                 FROM server_keys) AS wrapped
           GROUP BY master_key_id"#,
        i32::try_from(WRAPPED).unwrap_or(i32::MAX),
    )
    .fetch_all(pool)
    .await?;
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    let rows = rows.into_iter().map(|row| {
        let master_key_id = row.master_key_id.as_deref().and_then(MasterKeyId::from_slice);
        let wrapped = Wrapped {
            data_keys: count(row.data_keys),
            endpoint_secrets: count(row.endpoint_secrets),
            server_keys: count(row.server_keys),
        };
        (master_key_id, wrapped)
    });
    Ok(rows.collect())
}
