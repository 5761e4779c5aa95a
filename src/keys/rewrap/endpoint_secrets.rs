//! Keys of webhook endpoints' signing secrets, wrapped anew.

use sqlx::PgPool;
use uuid::Uuid;
use vinzy_events::{EndpointId, SecretId};

use super::{BATCH, Rewrapped};
use crate::clock::Entropy;
use crate::keys::MasterKeys;
use crate::keys::master::WRAPPED;
use crate::webhooks::secrets::wrap_context;

/// Where the last batch ended.
#[derive(Default)]
#[expect(clippy::struct_field_names, reason = "named as their columns are")]
struct Place {
    ledger_id: String,
    endpoint_id: Uuid,
    secret_id: Uuid,
}

/// Wraps anew what the current master key does not wrap yet.
pub(super) async fn rewrap(
    pool: &PgPool,
    masters: &MasterKeys,
    entropy: &Entropy,
    done: &mut Rewrapped,
) -> sqlx::Result<()> {
    let mut place = Some(Place::default());
    while let Some(from) = place {
        place = batch(pool, masters, entropy, from, done).await?;
    }
    Ok(())
}

/// One batch; gives the place to go on from.
async fn batch(
    pool: &PgPool,
    masters: &MasterKeys,
    entropy: &Entropy,
    from: Place,
    done: &mut Rewrapped,
) -> sqlx::Result<Option<Place>> {
    let current = masters.current().id();
    let mut tx = pool.begin().await?;
    let rows = sqlx::query!(
        "SELECT ledger_id, endpoint_id, secret_id, wrapped_key FROM endpoint_secrets
         WHERE (ledger_id, endpoint_id, secret_id) > ($1, $2, $3)
           AND NOT (octet_length(wrapped_key) = $4 AND substr(wrapped_key, 1, 8) = $5)
         ORDER BY ledger_id, endpoint_id, secret_id
         LIMIT $6",
        from.ledger_id,
        from.endpoint_id,
        from.secret_id,
        i32::try_from(WRAPPED).unwrap_or(i32::MAX),
        current.as_bytes().as_slice(),
        BATCH,
    )
    .fetch_all(&mut *tx)
    .await?;
    let mut last = None;
    for row in rows {
        let (endpoint_id, secret_id) = (EndpointId::from(row.endpoint_id), SecretId::from(row.secret_id));
        let context = wrap_context(&row.ledger_id, endpoint_id, secret_id);
        match masters.unwrap(&context, &row.wrapped_key) {
            Ok(key) => {
                done.endpoint_secrets += sqlx::query!(
                    "UPDATE endpoint_secrets SET wrapped_key = $4
                     WHERE ledger_id = $1 AND endpoint_id = $2 AND secret_id = $3 AND wrapped_key = $5",
                    row.ledger_id,
                    row.endpoint_id,
                    row.secret_id,
                    masters.wrap(&context, &key, entropy.bytes()),
                    row.wrapped_key,
                )
                .execute(&mut *tx)
                .await?
                .rows_affected();
            }
            Err(_) => done.endpoints_unopenable.push(endpoint_id),
        }
        last = Some(Place {
            ledger_id: row.ledger_id,
            endpoint_id: row.endpoint_id,
            secret_id: row.secret_id,
        });
    }
    tx.commit().await?;
    Ok(last)
}
