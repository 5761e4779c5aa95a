//! Signs checkpoints of the ledgers that grow, without being asked.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, timeout};
use vinzy_projections::StoredEvent;

use super::feed::Listener;
use super::handover::hand_over;
use super::open::named_keys;
use super::signer::{SignError, Signer};
use crate::clock::{Clock, Entropy};
use crate::database::within;
use crate::metrics::CheckpointMetrics;

/// How long a ledger may take. More than the proof does, which waits for tiles.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait before ledgers are listed again.
const PAUSE: Duration = Duration::from_secs(1);

/// Which ledgers have grown since their last checkpoint.
#[derive(Default)]
pub struct Publisher {
    grown: Mutex<HashSet<Box<str>>>,
}

impl Listener for Publisher {
    fn committed(&self, ledger_id: &str, _events: &[StoredEvent]) {
        let mut grown = self.grown.lock().unwrap_or_else(PoisonError::into_inner);
        if !grown.contains(ledger_id) {
            grown.insert(ledger_id.into());
        }
    }
}

/// What it works with.
pub struct Means {
    /// The database.
    pub pool: PgPool,
    /// Signs.
    pub signer: Arc<Signer>,
    /// Counts what was signed, and what was refused.
    pub metrics: CheckpointMetrics,
    /// The time.
    pub clock: Clock,
    /// Random bytes.
    pub entropy: Entropy,
}

impl Publisher {
    /// Hands ledgers over to the first key, looks at every ledger once, and then signs those that grow, every `interval`
    /// and once more at the end; signs only on demand if there is no interval.
    pub async fn run(
        self: Arc<Self>,
        means: Means,
        interval: Option<Duration>,
        mut stopped: watch::Receiver<bool>,
    ) {
        means.hand_over().await;
        let Some(interval) = interval else { return };
        while let Err(error) = self.look_at_all(&means).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "ledgers cannot be listed"
            );
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                _ = stopped.wait_for(|stopped| *stopped) => return,
            }
        }
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut refused = HashSet::new();
        loop {
            let ends = tokio::select! {
                _ = ticks.tick() => false,
                _ = stopped.wait_for(|stopped| *stopped) => true,
            };
            self.round(&means, &mut refused).await;
            if ends {
                return;
            }
        }
    }

    async fn look_at_all(&self, means: &Means) -> sqlx::Result<()> {
        let all = within(PATIENCE, named_keys(&means.pool)).await?;
        all.iter().for_each(|named| self.committed(&named.ledger_id, &[]));
        Ok(())
    }

    async fn round(&self, means: &Means, refused: &mut HashSet<Box<str>>) {
        let grown = std::mem::take(&mut *self.grown.lock().unwrap_or_else(PoisonError::into_inner));
        for ledger_id in grown {
            let Ok(signed) = timeout(PATIENCE, means.signer.sign(&ledger_id)).await else {
                tracing::warn!(%ledger_id, "no checkpoint was signed in time; will retry");
                self.committed(&ledger_id, &[]);
                continue;
            };
            match signed {
                Ok(_) => {
                    means.metrics.signed();
                    refused.remove(&ledger_id);
                }
                Err(error) => {
                    means.metrics.refused();
                    if is_passing(&error) {
                        self.committed(&ledger_id, &[]);
                    }
                    // Once for as long as it lasts.
                    if refused.insert(ledger_id.clone()) {
                        let error: &dyn std::error::Error = &error;
                        tracing::error!(error, %ledger_id, "no checkpoint was signed");
                    }
                }
            }
        }
    }
}

/// Whether it may be different the next time, although the ledger does not grow.
const fn is_passing(error: &SignError) -> bool {
    !matches!(error, SignError::Fork { .. } | SignError::SetBack { .. })
}

impl Means {
    async fn hand_over(&self) {
        let keys = self.signer.keys();
        let handing_over = hand_over(&self.pool, keys, &self.clock, &self.entropy);
        let Ok(handed_over) = timeout(PATIENCE, handing_over).await else {
            tracing::error!("the database does not answer: ledgers may be handed over at the next start");
            return;
        };
        match handed_over {
            Ok(done) => {
                for origin in done {
                    tracing::info!(%origin, "the ledger was handed over to the first signing key");
                }
            }
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "a ledger was not handed over to the first signing key"
            ),
        }
    }
}
