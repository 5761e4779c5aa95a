//! A replica of the database that answers queries of read models, as long as it keeps up.
//!
//! Whoever asks sees every change that was acknowledged before, wherever the answer is read: so the replica is asked only
//! when it has come as far. One that is behind, or away, is left alone for a while, and the database itself is asked.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::PgPool;
use tokio::time::{Instant, timeout};
use vinzy_projections::{Behind, Follower};

use crate::metrics::ReplicaMetrics;

/// How long a query waits for the replica before the database itself is asked.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long a replica that was behind or away is left alone.
const LEFT_ALONE: Duration = Duration::from_secs(5);

/// The replica.
pub struct Replica {
    pool: PgPool,
    metrics: ReplicaMetrics,
    left_alone_until: Mutex<Option<Instant>>,
}

impl Replica {
    /// The replica that `pool` leads to.
    pub fn new(pool: PgPool, metrics: ReplicaMetrics) -> Self {
        Self {
            pool,
            metrics,
            left_alone_until: Mutex::default(),
        }
    }

    /// Where to read what `projection` shows, with everything that is in the ledger as of this call; `None` if the replica
    /// does not show it soon.
    pub async fn in_step(
        &self,
        follower: &Follower,
        projection: &'static str,
        ledger_id: &str,
    ) -> Option<&PgPool> {
        if self.is_left_alone() {
            self.metrics.asked(false);
            return None;
        }
        let waiting = follower.wait_for_copy(&self.pool, projection, ledger_id, PATIENCE);
        // A replica that is cut off does not even say that it is behind.
        let why = match timeout(2 * PATIENCE, waiting).await {
            Ok(Ok(())) => {
                self.metrics.asked(true);
                return Some(&self.pool);
            }
            Ok(Err(error)) => Some(error),
            Err(_) => None,
        };
        self.metrics.asked(false);
        self.leave_alone(why);
        None
    }

    /// Ends its connections.
    pub async fn disconnect(&self) {
        crate::database::disconnect(&self.pool).await;
    }

    fn is_left_alone(&self) -> bool {
        let until = self.lock();
        until.is_some_and(|until| Instant::now() < until)
    }

    fn leave_alone(&self, why: Option<Behind>) {
        *self.lock() = Some(Instant::now() + LEFT_ALONE);
        let why = why.map_or_else(
            || "it does not answer".to_owned(),
            |error| match error {
                Behind::Late { .. } => error.to_string(),
                Behind::Database(error) => error.to_string(),
            },
        );
        tracing::warn!(why, "the replica is not asked for a while");
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.left_alone_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
