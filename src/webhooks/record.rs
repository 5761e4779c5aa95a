//! What came of tries is written down, all that there is in one transaction; and whose endpoint has failed for too
//! long is found out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;
use vinzy_events::endpoint::DisableReason;
use vinzy_events::{EndpointId, Timestamp};

use super::by_ledger;
use super::claim::Recipient;
use super::send::Tried;
use crate::distribution::Layout;

/// An endpoint that has failed for so long is disabled.
const FAILING: TimeDelta = TimeDelta::days(5);

/// What becomes of a delivery after a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It arrived.
    Delivered,
    /// It is tried again then.
    Again(DateTime<Utc>),
    /// It is not tried again.
    GivenUp,
}

impl Fate {
    pub(super) fn status(self) -> &'static str {
        match self {
            Self::Delivered => "success",
            Self::Again(_) => "pending",
            Self::GivenUp => "failed",
        }
    }

    pub(super) fn next(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Again(at) => Some(at),
            Self::Delivered | Self::GivenUp => None,
        }
    }
}

/// An endpoint that is to be disabled.
pub(super) struct Failing {
    pub(super) ledger_id: String,
    pub(super) endpoint_id: EndpointId,
    pub(super) reason: DisableReason,
}

/// Writes down what came of tries, with what becomes of their deliveries. Of those that were given to another node
/// meanwhile nothing is written. Gives the endpoints that are to be disabled.
pub(super) async fn record(
    (pool, layout): (&PgPool, Layout),
    worker_id: Uuid,
    now: Timestamp,
    tries: &[(Tried, Fate)],
) -> sqlx::Result<Vec<Failing>> {
    let all: Vec<&(Tried, Fate)> = tries.iter().collect();
    if layout == Layout::OneServer {
        return record_together(pool, None, worker_id, now, &all).await;
    }
    // What a ledger's transaction has written is not written again when another's fails and all is tried again.
    let mut ledgers: BTreeMap<&str, Vec<&(Tried, Fate)>> = BTreeMap::new();
    for one in all {
        ledgers.entry(&one.0.claimed.ledger_id).or_default().push(one);
    }
    let mut failing = vec![];
    for (ledger_id, tries) in ledgers {
        failing.extend(record_together(pool, Some(ledger_id), worker_id, now, &tries).await?);
    }
    Ok(failing)
}

/// Does so in one transaction: of one ledger, or of any number where they are on one server.
async fn record_together(
    pool: &PgPool,
    ledger_id: Option<&str>,
    worker_id: Uuid,
    now: Timestamp,
    tries: &[&(Tried, Fate)],
) -> sqlx::Result<Vec<Failing>> {
    let mut tx = pool.begin().await?;
    match ledger_id {
        Some(ledger_id) => by_ledger::write_tries(&mut tx, worker_id, now, ledger_id, tries).await?,
        None => write_tries(&mut tx, worker_id, now, tries).await?,
    }
    let (mut succeeded, mut failed, mut gone) = (BTreeSet::new(), BTreeMap::new(), BTreeSet::new());
    for (tried, fate) in tries {
        let recipient = tried.claimed.recipient();
        if *fate == Fate::Delivered {
            succeeded.insert(recipient);
            continue;
        }
        if tried.is_gone() {
            gone.insert(recipient.clone());
        }
        let first = failed.entry(recipient).or_insert(tried.at);
        *first = tried.at.min(*first);
    }
    failed.retain(|recipient, _| !succeeded.contains(recipient));
    if !succeeded.is_empty() {
        match ledger_id {
            Some(ledger_id) => {
                let endpoints = column(&succeeded, |(_, endpoint_id)| *endpoint_id);
                by_ledger::forget_failures(&mut tx, ledger_id, &endpoints).await?;
            }
            None => forget_failures(&mut tx, &succeeded).await?,
        }
    }
    let failing = write_failures(&mut tx, now, &failed).await?;
    tx.commit().await?;
    let because = |reason| {
        move |(ledger_id, endpoint_id): Recipient| Failing {
            ledger_id,
            endpoint_id: endpoint_id.into(),
            reason,
        }
    };
    let gone = gone.into_iter().map(because(DisableReason::Gone));
    Ok(gone
        .chain(failing.into_iter().map(because(DisableReason::Failing)))
        .collect())
}

async fn write_tries(
    conn: &mut PgConnection,
    worker_id: Uuid,
    now: Timestamp,
    tries: &[&(Tried, Fate)],
) -> sqlx::Result<()> {
    sqlx::query!(
        "WITH x AS (
             SELECT * FROM unnest($3::text[], $4::uuid[], $5::text[], $6::timestamptz[], $7::int[], $8::text[],
                                  $9::timestamptz[], $10::text[], $11::bigint[], $12::text[])
                           AS x(ledger_id, delivery_id, status, next_attempt_at, response_code, error,
                                attempted_at, address, duration_ms, response_start)
         ), done AS (
             UPDATE deliveries d
             SET status = x.status, attempts = d.attempts + 1, attempts_ever = d.attempts_ever + 1,
                 next_attempt_at = x.next_attempt_at, worker_id = NULL, last_response_code = x.response_code,
                 last_error = x.error, updated_at = $2::timestamptz,
                 finished_at = CASE WHEN x.next_attempt_at IS NULL THEN $2::timestamptz END
             FROM x
             WHERE d.ledger_id = x.ledger_id AND d.delivery_id = x.delivery_id AND d.status = 'sending'
               AND d.worker_id = $1
             RETURNING d.ledger_id, d.delivery_id, d.attempts_ever
         )
         INSERT INTO delivery_attempts (ledger_id, delivery_id, attempt_no, attempted_at, address, response_code,
                                        duration_ms, response_start, error, next_attempt_at)
         SELECT d.ledger_id, d.delivery_id, d.attempts_ever, x.attempted_at, x.address, x.response_code,
                x.duration_ms, x.response_start, x.error, x.next_attempt_at
         FROM done d
         JOIN x ON x.ledger_id = d.ledger_id AND x.delivery_id = d.delivery_id",
        worker_id,
        now.to_chrono(),
        &column(tries, |(tried, _)| tried.claimed.ledger_id.as_str()) as &[&str],
        &column(tries, |(tried, _)| tried.claimed.delivery_id.as_uuid()),
        &column(tries, |(_, fate)| fate.status()) as &[&str],
        &column(tries, |(_, fate)| fate.next()) as &[Option<DateTime<Utc>>],
        &column(tries, |(tried, _)| tried.code.map(i32::from)) as &[Option<i32>],
        &column(tries, |(tried, _)| tried.error.as_deref()) as &[Option<&str>],
        &column(tries, |(tried, _)| tried.at.to_chrono()),
        &column(tries, |(tried, _)| tried.address.map(|address| address.to_string())) as &[Option<String>],
        &column(tries, |(tried, _)| millis(tried.took)),
        &column(tries, |(tried, _)| tried.answer.as_str()) as &[&str],
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn forget_failures(conn: &mut PgConnection, succeeded: &BTreeSet<Recipient>) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM endpoint_failures f
         USING unnest($1::text[], $2::uuid[]) AS x(ledger_id, endpoint_id)
         WHERE f.ledger_id = x.ledger_id AND f.endpoint_id = x.endpoint_id",
        &column(succeeded, |(ledger_id, _)| ledger_id.as_str()) as &[&str],
        &column(succeeded, |(_, endpoint_id)| *endpoint_id),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes since when endpoints have failed, and gives those that have for five days. A pause of two days without a
/// try, which is longer than any of the schedule's, begins the count anew.
async fn write_failures(
    conn: &mut PgConnection,
    now: Timestamp,
    failed: &BTreeMap<Recipient, Timestamp>,
) -> sqlx::Result<Vec<Recipient>> {
    if failed.is_empty() {
        return Ok(vec![]);
    }
    let noted = sqlx::query!(
        "INSERT INTO endpoint_failures AS f (ledger_id, endpoint_id, failing_since, last_failed_at)
         SELECT x.ledger_id, x.endpoint_id, x.failed_at, x.failed_at
         FROM unnest($1::text[], $2::uuid[], $3::timestamptz[]) AS x(ledger_id, endpoint_id, failed_at)
         ON CONFLICT (ledger_id, endpoint_id) DO UPDATE
         SET failing_since = CASE WHEN excluded.last_failed_at - f.last_failed_at > interval '2 days'
                                  THEN excluded.failing_since ELSE f.failing_since END,
             last_failed_at = excluded.last_failed_at
         RETURNING ledger_id, endpoint_id, failing_since",
        &column(failed, |((ledger_id, _), _)| ledger_id.as_str()) as &[&str],
        &column(failed, |((_, endpoint_id), _)| *endpoint_id),
        &column(failed, |(_, at)| at.to_chrono()),
    )
    .fetch_all(&mut *conn)
    .await?;
    let limit = now.to_chrono() - FAILING;
    let mut failing = vec![];
    for row in noted.into_iter().filter(|row| row.failing_since <= limit) {
        let is_to_end = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM endpoints
                              WHERE ledger_id = $1 AND endpoint_id = $2 AND active_since <= $3 AND status = 'active')
                      AS "is_to_end!""#,
            row.ledger_id,
            row.endpoint_id,
            limit,
        )
        .fetch_one(&mut *conn)
        .await?;
        if is_to_end {
            failing.push((row.ledger_id, row.endpoint_id));
        }
    }
    Ok(failing)
}

pub(super) fn millis(took: Duration) -> i64 {
    i64::try_from(took.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn column<I: IntoIterator, T>(rows: I, of: impl Fn(I::Item) -> T) -> Vec<T> {
    rows.into_iter().map(of).collect()
}
