//! How far this node knows each projection to have come.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};

use crate::event_log::unsigned;
use crate::within;

/// How long the database may take to say where a projection stands.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a copy of the database is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A read model has not reached the ledger's head in time.
#[derive(Debug, thiserror::Error)]
pub enum Behind {
    /// It is still on its way, or parked.
    #[error("projection {projection} is behind the ledger: at {position}, the ledger at {size}")]
    Late {
        /// Which one.
        projection: &'static str,
        /// Where it stands.
        position: u64,
        /// Where it should be.
        size: u64,
    },
    /// The database could not be asked.
    #[error("database failed")]
    Database(#[from] sqlx::Error),
}

#[derive(Default)]
pub(crate) struct Progress {
    reached: Mutex<HashMap<(&'static str, String), u64>>,
    moved: Notify,
}

impl Progress {
    /// Notes that `projection` has applied all events before `position`.
    pub(crate) fn reached(&self, projection: &'static str, ledger_id: &str, position: u64) {
        let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        let known = reached.entry((projection, ledger_id.to_owned())).or_default();
        *known = position.max(*known);
        drop(reached);
        self.moved.notify_waiters();
    }

    fn known(&self, projection: &'static str, ledger_id: &str) -> u64 {
        let reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        reached
            .get(&(projection, ledger_id.to_owned()))
            .copied()
            .unwrap_or(0)
    }

    /// Forgets what was `known` if the database has gone back behind it: a crash loses the newest of these
    /// transactions.
    fn correct(&self, projection: &'static str, ledger_id: &str, known: u64, position: u64) {
        let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(current) = reached.get_mut(&(projection, ledger_id.to_owned()))
            && *current == known
            && position < known
        {
            *current = position;
        }
    }

    /// Waits until `projection` has applied every event that is in the ledger now.
    pub(crate) async fn wait(
        &self,
        pool: &PgPool,
        projection: &'static str,
        ledger_id: &str,
        patience: Duration,
        wake: impl Fn(),
    ) -> Result<(), Behind> {
        let deadline = Instant::now() + patience;
        let known = self.known(projection, ledger_id);
        let (size, mut position) = head_and_checkpoint(pool, projection, ledger_id).await?;
        self.correct(projection, ledger_id, known, position);
        while position < size {
            let moved = self.moved.notified();
            wake();
            position = self.known(projection, ledger_id);
            if position >= size {
                break;
            }
            // Another node may do the work: look at its checkpoint when ours does not move.
            let look_again = deadline.min(Instant::now() + Duration::from_millis(20));
            if timeout_at(look_again, moved).await.is_err() {
                position = head_and_checkpoint(pool, projection, ledger_id).await?.1;
            }
            if position < size && Instant::now() >= deadline {
                return Err(Behind::Late {
                    projection,
                    position,
                    size,
                });
            }
        }
        Ok(())
    }
}

/// Waits until `copy`, which follows the database of `pool`, shows `projection` with every event that is in the ledger
/// now.
pub(crate) async fn wait_for_copy(
    (pool, copy): (&PgPool, &PgPool),
    projection: &'static str,
    ledger_id: &str,
    patience: Duration,
    wake: impl Fn(),
) -> Result<(), Behind> {
    let deadline = Instant::now() + patience;
    let (size, _) = head_and_checkpoint(pool, projection, ledger_id).await?;
    loop {
        let (_, position) = head_and_checkpoint(copy, projection, ledger_id).await?;
        if position >= size {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(Behind::Late {
                projection,
                position,
                size,
            });
        }
        wake();
        sleep(LOOK_AGAIN).await;
    }
}

async fn head_and_checkpoint(pool: &PgPool, projection: &str, ledger_id: &str) -> sqlx::Result<(u64, u64)> {
    let looking = sqlx::query!(
        r#"SELECT l.size, c.position AS "position?"
           FROM ledgers l
           LEFT JOIN projection_checkpoints c ON c.ledger_id = l.ledger_id AND c.projection = $2
           WHERE l.ledger_id = $1"#,
        ledger_id,
        projection,
    )
    .fetch_optional(pool);
    let row = within(PATIENCE, looking).await?;
    Ok(row.map_or((0, 0), |row| {
        (unsigned(row.size), row.position.map_or(0, unsigned))
    }))
}
