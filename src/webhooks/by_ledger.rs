//! The outbox over many database servers: what [`super::claim`], [`super::record`] and [`super::sweep`] do with one
//! statement on one server, done ledger by ledger. Each statement names its ledger, so that one server runs it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;
use vinzy_events::Timestamp;

use super::claim::ClaimedRow;
use super::record::{Fate, column, millis};
use super::send::Tried;

/// Active endpoints to which something is due, by ledger. One look into an index for each active endpoint.
pub(super) async fn waiting(pool: &PgPool, now: Timestamp) -> sqlx::Result<BTreeMap<String, Vec<Uuid>>> {
    let rows = sqlx::query!(
        "SELECT e.ledger_id, e.endpoint_id FROM endpoints e
         WHERE e.status = 'active'
           AND EXISTS (SELECT FROM deliveries d
                       WHERE d.ledger_id = e.ledger_id AND d.endpoint_id = e.endpoint_id AND d.status = 'pending'
                         AND d.next_attempt_at <= $1)
           AND NOT EXISTS (SELECT FROM closed_ledgers c WHERE c.ledger_id = e.ledger_id)",
        now.to_chrono(),
    )
    .fetch_all(pool)
    .await?;
    let mut waiting: BTreeMap<String, Vec<Uuid>> = BTreeMap::new();
    for row in rows {
        waiting.entry(row.ledger_id).or_default().push(row.endpoint_id);
    }
    Ok(waiting)
}

/// Claims deliveries of one ledger, at most so many for each of some endpoints. Locks skip what another node is claiming
/// just now.
pub(super) async fn claim(
    conn: &mut PgConnection,
    worker_id: Uuid,
    now: Timestamp,
    ledger_id: &str,
    endpoints: &[(Uuid, i64)],
) -> sqlx::Result<Vec<ClaimedRow>> {
    let mut due = vec![];
    for (endpoint_id, most) in endpoints {
        let of_endpoint = sqlx::query_scalar!(
            "SELECT delivery_id FROM deliveries
             WHERE ledger_id = $1 AND endpoint_id = $2 AND status = 'pending' AND next_attempt_at <= $3
             ORDER BY next_attempt_at, delivery_id
             LIMIT $4
             FOR UPDATE SKIP LOCKED",
            ledger_id,
            endpoint_id,
            now.to_chrono(),
            most,
        )
        .fetch_all(&mut *conn)
        .await?;
        due.extend(of_endpoint);
    }
    if due.is_empty() {
        return Ok(vec![]);
    }
    sqlx::query!(
        "UPDATE deliveries SET status = 'sending', worker_id = $3 WHERE ledger_id = $1 AND delivery_id = ANY($2)",
        ledger_id,
        &due,
        worker_id,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query_as!(
        ClaimedRow,
        r#"SELECT d.ledger_id, d.delivery_id, d.endpoint_id, d.event_id, d.event_type, d.attempts, d.created_at,
                  e.url, e.timeout_seconds, e.max_retries, v.leaf AS "leaf?"
           FROM deliveries d
           JOIN endpoints e ON e.ledger_id = d.ledger_id AND e.endpoint_id = d.endpoint_id
           LEFT JOIN events v ON v.ledger_id = d.ledger_id AND v.position = d.position
           WHERE d.ledger_id = $1 AND d.delivery_id = ANY($2)"#,
        ledger_id,
        &due,
    )
    .fetch_all(conn)
    .await
}

/// Writes down what came of tries of one ledger. Of those that were given to another node meanwhile nothing is written.
pub(super) async fn write_tries(
    conn: &mut PgConnection,
    worker_id: Uuid,
    now: Timestamp,
    ledger_id: &str,
    tries: &[&(Tried, Fate)],
) -> sqlx::Result<()> {
    let done = sqlx::query!(
        "UPDATE deliveries d
         SET status = x.status, attempts = d.attempts + 1, attempts_ever = d.attempts_ever + 1,
             next_attempt_at = x.next_attempt_at, worker_id = NULL, last_response_code = x.response_code,
             last_error = x.error, updated_at = $3::timestamptz,
             finished_at = CASE WHEN x.next_attempt_at IS NULL THEN $3::timestamptz END
         FROM unnest($4::uuid[], $5::text[], $6::timestamptz[], $7::int[], $8::text[])
              AS x(delivery_id, status, next_attempt_at, response_code, error)
         WHERE d.ledger_id = $1 AND d.delivery_id = x.delivery_id AND d.status = 'sending' AND d.worker_id = $2
         RETURNING d.delivery_id, d.attempts_ever",
        ledger_id,
        worker_id,
        now.to_chrono(),
        &column(tries, |(tried, _)| tried.claimed.delivery_id.as_uuid()),
        &column(tries, |(_, fate)| fate.status()) as &[&str],
        &column(tries, |(_, fate)| fate.next()) as &[Option<DateTime<Utc>>],
        &column(tries, |(tried, _)| tried.code.map(i32::from)) as &[Option<i32>],
        &column(tries, |(tried, _)| tried.error.as_deref()) as &[Option<&str>],
    )
    .fetch_all(&mut *conn)
    .await?;
    let number = |tried: &Tried| {
        let id = tried.claimed.delivery_id.as_uuid();
        let row = done.iter().find(|row| row.delivery_id == id);
        row.map(|row| row.attempts_ever)
    };
    let written: Vec<(&Tried, Fate, i64)> = tries
        .iter()
        .filter_map(|(tried, fate)| Some((tried, *fate, number(tried)?)))
        .collect();
    if written.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO delivery_attempts (ledger_id, delivery_id, attempt_no, attempted_at, address, response_code,
                                        duration_ms, response_start, error, next_attempt_at)
         SELECT l.ledger_id, x.delivery_id, x.attempt_no, x.attempted_at, x.address, x.response_code, x.duration_ms,
                x.response_start, x.error, x.next_attempt_at
         FROM ledgers l
         CROSS JOIN unnest($2::uuid[], $3::bigint[], $4::timestamptz[], $5::text[], $6::int[], $7::bigint[],
                           $8::text[], $9::text[], $10::timestamptz[])
                    AS x(delivery_id, attempt_no, attempted_at, address, response_code, duration_ms, response_start,
                         error, next_attempt_at)
         WHERE l.ledger_id = $1",
        ledger_id,
        &column(&written, |(tried, ..)| tried.claimed.delivery_id.as_uuid()),
        &column(&written, |(_, _, number)| *number),
        &column(&written, |(tried, ..)| tried.at.to_chrono()),
        &column(&written, |(tried, ..)| tried.address.map(|address| address.to_string())) as &[Option<String>],
        &column(&written, |(tried, ..)| tried.code.map(i32::from)) as &[Option<i32>],
        &column(&written, |(tried, ..)| millis(tried.took)),
        &column(&written, |(tried, ..)| tried.answer.as_str()) as &[&str],
        &column(&written, |(tried, ..)| tried.error.as_deref()) as &[Option<&str>],
        &column(&written, |(_, fate, _)| fate.next()) as &[Option<DateTime<Utc>>],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets since when endpoints of one ledger have failed.
pub(super) async fn forget_failures(
    conn: &mut PgConnection,
    ledger_id: &str,
    endpoints: &[Uuid],
) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM endpoint_failures WHERE ledger_id = $1 AND endpoint_id = ANY($2)",
        ledger_id,
        endpoints,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes deliveries that were finished before a time, so many at once.
pub(super) async fn forget_deliveries(pool: &PgPool, before: DateTime<Utc>, batch: i64) -> sqlx::Result<()> {
    let ledgers = sqlx::query_scalar!(
        "SELECT DISTINCT ledger_id FROM deliveries WHERE finished_at < $1",
        before
    )
    .fetch_all(pool)
    .await?;
    for ledger_id in ledgers {
        loop {
            let mut tx = pool.begin().await?;
            let old = sqlx::query_scalar!(
                "SELECT delivery_id FROM deliveries WHERE ledger_id = $1 AND finished_at < $2
                 LIMIT $3
                 FOR UPDATE SKIP LOCKED",
                ledger_id,
                before,
                batch,
            )
            .fetch_all(&mut *tx)
            .await?;
            sqlx::query!(
                "DELETE FROM deliveries WHERE ledger_id = $1 AND delivery_id = ANY($2)",
                ledger_id,
                &old,
            )
            .execute(&mut *tx)
            .await?;
            tx.commit().await?;
            if i64::try_from(old.len()).unwrap_or(batch) < batch {
                break;
            }
        }
    }
    Ok(())
}
