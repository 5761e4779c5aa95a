//! Handing ledgers over to another key: an event that the key of before signs.

use serde_json::json;
use sqlx::{PgConnection, PgPool};
use vinzy_events::ledger::KeyRotation;
use vinzy_events::stream::{LEDGER_KEY_ROTATED, LEDGER_STREAM};
use vinzy_projections::event_log::unsigned;

use super::append::Rows;
use super::checkpoint_keys::CheckpointKeys;
use super::head;
use super::open::{OpenError, OwnEvent, named_keys};
use crate::clock::{Clock, Entropy};

/// Hands every ledger that names another of `keys` over to the first. A key that a ledger was handed over from it never
/// gets back, so nodes that disagree about the first do not quarrel. Idempotent, also on several nodes at once.
///
/// Gives the origins of those that were handed over.
pub(super) async fn hand_over(
    pool: &PgPool,
    keys: &CheckpointKeys,
    clock: &Clock,
    entropy: &Entropy,
) -> Result<Vec<String>, OpenError> {
    let mut done = vec![];
    for named in named_keys(pool).await? {
        let next = keys.verifier_of_new(&named.origin);
        if named.verifier_key != next && !named.superseded_keys.contains(&next) {
            let mut tx = pool.begin().await?;
            if hand_one_over(&mut tx, &named.ledger_id, keys, clock, entropy).await? {
                tx.commit().await?;
                done.push(named.origin);
            }
        }
    }
    Ok(done)
}

async fn hand_one_over(
    conn: &mut PgConnection,
    ledger_id: &str,
    keys: &CheckpointKeys,
    clock: &Clock,
    entropy: &Entropy,
) -> Result<bool, OpenError> {
    // Under the lock: closes the race with other nodes that want the same.
    let head = head::lock(conn, ledger_id).await?;
    let row = sqlx::query!(
        "SELECT verifier_key, superseded_keys FROM ledgers WHERE ledger_id = $1",
        ledger_id
    )
    .fetch_one(&mut *conn)
    .await?;
    let next = keys.verifier_of_new(&head.origin);
    let settled = row.verifier_key == next || row.superseded_keys.contains(&next);
    let Some(current) = keys.of_ledger(&head.origin, &row.verifier_key) else {
        return Ok(false);
    };
    if settled {
        return Ok(false);
    }
    let last_seq = sqlx::query_scalar!(
        r#"SELECT max(stream_seq) AS "seq!" FROM events
           WHERE ledger_id = $1 AND stream_type = $2 AND stream_id = $3"#,
        ledger_id,
        LEDGER_STREAM,
        head.origin,
    )
    .fetch_one(&mut *conn)
    .await?;
    let rotation = KeyRotation::sign(&head.origin, current, keys.first());
    let (event, after) = OwnEvent {
        event_type: LEDGER_KEY_ROTATED,
        payload: json!(rotation),
        seq: unsigned(last_seq) + 1,
    }
    .after(&head, clock.now(), entropy)?;
    let mut rows = Rows::default();
    rows.events.push(event);
    let at = after.last_recorded_at;
    if !rows
        .append_in_steps(&mut *conn, ledger_id, &head, &after, at)
        .await?
    {
        return Err(OpenError::Unopenable);
    }
    sqlx::query!(
        "UPDATE ledgers SET verifier_key = $2, superseded_keys = superseded_keys || verifier_key
         WHERE ledger_id = $1",
        ledger_id,
        next,
    )
    .execute(conn)
    .await?;
    Ok(true)
}
