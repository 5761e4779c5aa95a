//! Now and then: finished deliveries go when their time is over, and so do secrets that sign no longer; and what
//! waits is counted.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use tokio::sync::watch;

use super::{Webhooks, by_ledger};
use crate::database::within;
use crate::distribution::Layout;

/// How often.
const INTERVAL: Duration = Duration::from_secs(5);
/// How long that may take: what is left goes the next time.
const PATIENCE: Duration = Duration::from_mins(1);
/// Deliveries that go in one statement.
const BATCH: i64 = 1_000;

/// As many as this are counted: what paused endpoints have not heard can be millions.
const COUNTED: i64 = 100_000;

/// Sweeps until `stopped`.
pub(super) async fn run(webhooks: Arc<Webhooks>, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        if let Err(error) = within(PATIENCE, sweep(&webhooks)).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "old deliveries stay for now"
            );
        }
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            _ = stopped.changed() => {}
        }
    }
}

async fn sweep(webhooks: &Webhooks) -> sqlx::Result<()> {
    let (pool, now) = (&webhooks.pool, webhooks.clock.now());
    let before = now.to_chrono() - TimeDelta::days(webhooks.retention_days.into());
    match webhooks.layout {
        Layout::OneServer => forget_deliveries(pool, before).await?,
        Layout::Distributed => by_ledger::forget_deliveries(pool, before, BATCH).await?,
    }
    sqlx::query!(
        "DELETE FROM endpoint_secrets WHERE valid_until <= $1",
        now.to_chrono()
    )
    .execute(pool)
    .await?;
    let waiting = sqlx::query_scalar!(
        r#"SELECT (SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE status = 'pending' LIMIT $1) AS waiting)
                + (SELECT count(*) FROM deliveries WHERE status = 'sending') AS "count!""#,
        COUNTED,
    )
    .fetch_one(pool)
    .await?;
    webhooks.metrics.waiting(waiting);
    Ok(())
}

/// Deletes deliveries that were finished before a time, with their attempts.
async fn forget_deliveries(pool: &PgPool, before: DateTime<Utc>) -> sqlx::Result<()> {
    loop {
        let gone = sqlx::query!(
            "DELETE FROM deliveries d
             USING (SELECT ledger_id, delivery_id FROM deliveries
                    WHERE finished_at < $1
                    ORDER BY finished_at
                    LIMIT $2
                    FOR UPDATE SKIP LOCKED) x
             WHERE d.ledger_id = x.ledger_id AND d.delivery_id = x.delivery_id",
            before,
            BATCH,
        )
        .execute(pool)
        .await?
        .rows_affected();
        if i64::try_from(gone).unwrap_or(0) < BATCH {
            return Ok(());
        }
    }
}
