//! How the webhooks of a tenant do: what waits, and what became of the rest lately.

use chrono::TimeDelta;
use sqlx::PgPool;
use vinzy_events::Timestamp;
use vinzy_projections::event_log::unsigned;

/// As many of a kind are counted: what paused endpoints have not heard can be millions.
const COUNTED: i64 = 100_000;
/// How far back finished deliveries are counted.
const LATELY: TimeDelta = TimeDelta::hours(24);

/// Where the deliveries of a tenant stand. Of each kind at most 100,000 are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Deliveries that wait for their first or next try.
    pub pending: u64,
    /// When the oldest event was recorded whose delivery waits.
    pub oldest_pending_at: Option<Timestamp>,
    /// Deliveries that were given up in the 24 hours before `at`.
    pub failed: u64,
    /// Deliveries that arrived in the 24 hours before `at`.
    pub delivered: u64,
}

/// How the webhooks of a tenant do at `at`.
pub async fn health(pool: &PgPool, ledger_id: &str, at: Timestamp) -> sqlx::Result<Health> {
    let row = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM (SELECT FROM deliveries
                                         WHERE ledger_id = $1 AND status = 'pending'
                                         LIMIT $3) d) AS "pending!",
                  (SELECT min(created_at) FROM deliveries
                   WHERE ledger_id = $1 AND status = 'pending') AS oldest_pending_at,
                  (SELECT count(*) FROM (SELECT FROM deliveries
                                         WHERE ledger_id = $1 AND status = 'failed' AND finished_at > $2
                                         LIMIT $3) d) AS "failed!",
                  (SELECT count(*) FROM (SELECT FROM deliveries
                                         WHERE ledger_id = $1 AND status = 'success' AND finished_at > $2
                                         LIMIT $3) d) AS "delivered!""#,
        ledger_id,
        at.to_chrono() - LATELY,
        COUNTED,
    )
    .fetch_one(pool)
    .await?;
    Ok(Health {
        pending: unsigned(row.pending),
        oldest_pending_at: row.oldest_pending_at.map(Timestamp::from_chrono),
        failed: unsigned(row.failed),
        delivered: unsigned(row.delivered),
    })
}
