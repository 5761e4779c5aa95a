//! Wrapping everything anew with the current master key. In batches, each a transaction: it can be killed and
//! started again, and goes on beside servers that have the same keys.

mod endpoint_secrets;

use std::collections::BTreeMap;

use sqlx::PgPool;
use uuid::Uuid;
use vinzy_events::{CustomerId, EndpointId};

use super::MasterKeys;
use super::master::WRAPPED;
use super::server::context;
use crate::clock::Entropy;
use crate::personal_data::wrap_context;

/// Keys per transaction.
const BATCH: i64 = 500;

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rewrapped {
    /// Keys of customers' data that the current master key wraps now and did not before.
    pub data_keys: u64,
    /// Keys of webhook endpoints' secrets, likewise.
    pub endpoint_secrets: u64,
    /// Keys of the server, likewise.
    pub server_keys: u64,
    /// Customers whose key none of the master keys opens; it was left as it is.
    pub unopenable: Vec<CustomerId>,
    /// Webhook endpoints with a secret whose key none of the master keys opens; it was left as it is.
    pub endpoints_unopenable: Vec<EndpointId>,
    /// Whether no master key opens a key of the server; it was left as it is.
    pub server_keys_unopenable: bool,
}

/// Where the last batch ended.
#[derive(Default)]
#[expect(clippy::struct_field_names, reason = "named as their columns are")]
struct Place {
    ledger_id: String,
    customer_id: Uuid,
    key_id: String,
}

/// Wraps anew what the current master key does not wrap yet. Keys of the server come last: while the current
/// master key does not wrap those, a run has not reached its end.
pub async fn rewrap(pool: &PgPool, masters: &MasterKeys, entropy: &Entropy) -> sqlx::Result<Rewrapped> {
    let mut done = Rewrapped::default();
    let mut place = Some(Place::default());
    while let Some(from) = place {
        place = data_keys(pool, masters, entropy, from, &mut done).await?;
    }
    endpoint_secrets::rewrap(pool, masters, entropy, &mut done).await?;
    server_keys(pool, masters, entropy, &mut done).await?;
    Ok(done)
}

/// Wraps the keys of one batch anew; gives the place to go on from.
async fn data_keys(
    pool: &PgPool,
    masters: &MasterKeys,
    entropy: &Entropy,
    from: Place,
    done: &mut Rewrapped,
) -> sqlx::Result<Option<Place>> {
    let current = masters.current().id();
    let mut tx = pool.begin().await?;
    // Not locked, which would take a ledger's server each: a second run that was quicker is seen by the update, which
    // finds another wrapping then. A row that is deleted meanwhile stays deleted.
    let rows = sqlx::query!(
        "SELECT ledger_id, customer_id, key_id, wrapped_key FROM data_keys
         WHERE (ledger_id, customer_id, key_id) > ($1, $2, $3)
           AND NOT (octet_length(wrapped_key) = $4 AND substr(wrapped_key, 1, 8) = $5)
         ORDER BY ledger_id, customer_id, key_id
         LIMIT $6",
        from.ledger_id,
        from.customer_id,
        from.key_id,
        i32::try_from(WRAPPED).unwrap_or(i32::MAX),
        current.as_bytes().as_slice(),
        BATCH,
    )
    .fetch_all(&mut *tx)
    .await?;
    let mut anew: BTreeMap<String, WrappedAnew> = BTreeMap::new();
    let mut last = None;
    for row in rows {
        let customer_id = CustomerId::from(row.customer_id);
        let context = wrap_context(&row.ledger_id, customer_id, &row.key_id);
        match masters.unwrap(&context, &row.wrapped_key) {
            Ok(key) => {
                let of_ledger = anew.entry(row.ledger_id.clone()).or_default();
                of_ledger
                    .after
                    .push(masters.wrap(&context, &key, entropy.bytes()));
                of_ledger.before.push(row.wrapped_key);
                of_ledger.customers.push(row.customer_id);
                of_ledger.ids.push(row.key_id.clone());
            }
            Err(_) => done.unopenable.push(customer_id),
        }
        last = Some(Place {
            ledger_id: row.ledger_id,
            customer_id: row.customer_id,
            key_id: row.key_id,
        });
    }
    for (ledger_id, keys) in anew {
        done.data_keys += sqlx::query!(
            "UPDATE data_keys AS k SET wrapped_key = x.after
             FROM unnest($2::uuid[], $3::text[], $4::bytea[], $5::bytea[])
                  AS x(customer_id, key_id, before, after)
             WHERE k.ledger_id = $1 AND k.customer_id = x.customer_id AND k.key_id = x.key_id
               AND k.wrapped_key = x.before",
            ledger_id,
            &keys.customers,
            &keys.ids,
            &keys.before,
            &keys.after,
        )
        .execute(&mut *tx)
        .await?
        .rows_affected();
    }
    tx.commit().await?;
    Ok(last)
}

/// Keys of one ledger, column by column.
#[derive(Default)]
struct WrappedAnew {
    customers: Vec<Uuid>,
    ids: Vec<String>,
    before: Vec<Vec<u8>>,
    after: Vec<Vec<u8>>,
}

async fn server_keys(
    pool: &PgPool,
    masters: &MasterKeys,
    entropy: &Entropy,
    done: &mut Rewrapped,
) -> sqlx::Result<()> {
    let current = masters.current().id();
    let mut tx = pool.begin().await?;
    let rows = sqlx::query!(
        "SELECT purpose, wrapped_key FROM server_keys
         WHERE NOT (octet_length(wrapped_key) = $1 AND substr(wrapped_key, 1, 8) = $2)
         ORDER BY purpose
         FOR UPDATE",
        i32::try_from(WRAPPED).unwrap_or(i32::MAX),
        current.as_bytes().as_slice(),
    )
    .fetch_all(&mut *tx)
    .await?;
    for row in rows {
        let context = context(&row.purpose);
        let Ok(key) = masters.unwrap(&context, &row.wrapped_key) else {
            done.server_keys_unopenable = true;
            continue;
        };
        done.server_keys += sqlx::query!(
            "UPDATE server_keys SET wrapped_key = $2 WHERE purpose = $1",
            row.purpose,
            masters.wrap(&context, &key, entropy.bytes()),
        )
        .execute(&mut *tx)
        .await?
        .rows_affected();
    }
    tx.commit().await
}
