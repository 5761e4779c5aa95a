//! Who sends: each node says once a second that it is alive. What a node was sending that has not said so for a while
//! is given to the others. By the database's clock, which all nodes share.

use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::watch;
use uuid::Uuid;

use crate::database::within;

/// How often a node says that it is alive.
const BEAT: Duration = Duration::from_secs(1);
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Says so until `stopped`, and takes over from nodes that are gone.
pub(super) async fn keep(pool: PgPool, worker_id: Uuid, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        if let Err(error) = within(PATIENCE, beat(&pool, worker_id)).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "this node cannot say that it sends webhooks"
            );
        }
        tokio::select! {
            () = tokio::time::sleep(BEAT) => {}
            _ = stopped.changed() => {}
        }
    }
}

/// Says once that a node is alive, and gives back what nodes that are not were sending. Who would be alive for longer than
/// anybody can say has said so before the database's clock went back.
pub(super) async fn beat(pool: &PgPool, worker_id: Uuid) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO delivery_workers (worker_id, alive_until) VALUES ($1, now() + interval '5 seconds')
         ON CONFLICT (worker_id) DO UPDATE SET alive_until = excluded.alive_until",
        worker_id,
    )
    .execute(pool)
    .await?;
    sqlx::query!(
        "UPDATE deliveries d SET status = 'pending', worker_id = NULL
         WHERE d.status = 'sending'
           AND NOT EXISTS (SELECT FROM delivery_workers w
                           WHERE w.worker_id = d.worker_id AND w.alive_until > now()
                             AND w.alive_until <= now() + interval '5 seconds')",
    )
    .execute(pool)
    .await?;
    sqlx::query!(
        "DELETE FROM delivery_workers
         WHERE alive_until < now() - interval '1 minute' OR alive_until > now() + interval '1 minute'"
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Gives back what a node has claimed and is not sending: whether a claim was made can be unknown.
pub(super) async fn give_back(pool: &PgPool, worker_id: Uuid, sending: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE deliveries SET status = 'pending', worker_id = NULL
         WHERE status = 'sending' AND worker_id = $1 AND delivery_id <> ALL($2)",
        worker_id,
        sending,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Says that a node is gone.
pub(super) async fn leave(pool: &PgPool, worker_id: Uuid) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM delivery_workers WHERE worker_id = $1", worker_id)
        .execute(pool)
        .await?;
    Ok(())
}
