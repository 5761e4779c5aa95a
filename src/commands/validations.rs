//! Counting validations and noting them in the ledger, one event per license and flush.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::stream::{self, StreamExt};
use tokio::sync::watch;
use vinzy_events::ledger::Actor;
use vinzy_events::license::{License, LicenseCommand};
use vinzy_events::{LicenseId, Timestamp};

use super::CommandError;
use crate::config::ValidationAudit;
use crate::ledger::{Attempt, Context, Ledgers, Needs, Operation, ReceiptSlot};

/// How often the counts are noted.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// Licenses whose counts wait for the ledger at a time: about one batch.
const PARALLEL: usize = 256;

/// Counts the validations of this node.
pub struct ValidationLog {
    mode: ValidationAudit,
    ledgers: Arc<Ledgers>,
    counts: Mutex<HashMap<(Arc<str>, LicenseId), Count>>,
    /// Held during a flush, so that whoever wants the counts noted does not overtake one under way.
    flushing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone)]
struct Count {
    outcomes: BTreeMap<&'static str, u64>,
    first_at: Timestamp,
    last_at: Timestamp,
}

impl Count {
    fn merge(&mut self, other: &Self) {
        for (outcome, count) in &other.outcomes {
            *self.outcomes.entry(outcome).or_default() += count;
        }
        self.first_at = self.first_at.min(other.first_at);
        self.last_at = self.last_at.max(other.last_at);
    }
}

impl ValidationLog {
    /// Licenses with validations that are not noted yet.
    pub fn pending(&self) -> usize {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// A log that writes to `ledgers`.
    pub fn new(mode: ValidationAudit, ledgers: Arc<Ledgers>) -> Self {
        Self {
            mode,
            ledgers,
            counts: Mutex::default(),
            flushing: tokio::sync::Mutex::default(),
        }
    }

    /// Counts one validation. With [`ValidationAudit::Each`] it is in the ledger when this returns.
    pub async fn record(
        &self,
        ledger_id: &Arc<str>,
        license_id: LicenseId,
        outcome: &'static str,
        at: Timestamp,
    ) -> Result<(), CommandError> {
        let count = Count {
            outcomes: BTreeMap::from([(outcome, 1)]),
            first_at: at,
            last_at: at,
        };
        match self.mode {
            ValidationAudit::Off => Ok(()),
            ValidationAudit::Each => self.append(ledger_id, license_id, &count).await,
            ValidationAudit::Coalesced => {
                self.add((Arc::clone(ledger_id), license_id), &count);
                Ok(())
            }
        }
    }

    /// Notes all counts every second, until `stopped`; then once more.
    pub async fn run(&self, mut stopped: watch::Receiver<bool>) {
        while !*stopped.borrow() {
            tokio::select! {
                () = tokio::time::sleep(FLUSH_EVERY) => {}
                _ = stopped.changed() => {}
            }
            self.flush().await;
        }
    }

    /// Notes what was counted so far. Counts that cannot be written now are kept for the next time.
    pub async fn flush(&self) {
        let _alone = self.flushing.lock().await;
        let counts = std::mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner));
        stream::iter(counts)
            .for_each_concurrent(PARALLEL, |((ledger_id, license_id), count)| async move {
                match self.append(&ledger_id, license_id, &count).await {
                    // Deleted since: there is nothing left to note it on.
                    Ok(()) | Err(CommandError::License(_)) => {}
                    Err(error) => {
                        let error: &dyn std::error::Error = &error;
                        tracing::warn!(%license_id, error, "validations could not be noted; will retry");
                        self.add((ledger_id, license_id), &count);
                    }
                }
            })
            .await;
    }

    /// Notes what was counted so far if that includes this license: its audit shall show it.
    pub async fn flush_license(&self, ledger_id: &Arc<str>, license_id: LicenseId) {
        let _alone = self.flushing.lock().await;
        let key = (Arc::clone(ledger_id), license_id);
        let count = self
            .counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&key);
        if let Some(count) = count
            && let Err(error) = self.append(ledger_id, license_id, &count).await
            && !matches!(error, CommandError::License(_))
        {
            self.add(key, &count);
        }
    }

    fn add(&self, key: (Arc<str>, LicenseId), count: &Count) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts
            .entry(key)
            .and_modify(|known| known.merge(count))
            .or_insert_with(|| count.clone());
    }

    async fn append(
        &self,
        ledger_id: &str,
        license_id: LicenseId,
        count: &Count,
    ) -> Result<(), CommandError> {
        let operation = RecordValidations {
            id: license_id,
            count: count.clone(),
        };
        let actor = Actor {
            id: "validations".into(),
            kind: "system".into(),
            name: None,
            via: "server".into(),
        };
        let context = Context {
            actor,
            correlation_id: None,
            causation_id: None,
            receipt: ReceiptSlot::default(),
        };
        self.ledgers.execute(ledger_id, operation, context, None).await?;
        Ok(())
    }
}

/// Notes validations on a license.
#[derive(Clone)]
struct RecordValidations {
    id: LicenseId,
    count: Count,
}

impl Operation for RecordValidations {
    type Output = ();
    type Error = CommandError;

    fn needs(&self, needs: &mut Needs) {
        needs.stream::<License>(self.id);
    }

    fn run(self, attempt: &mut Attempt<'_>) -> Result<(), CommandError> {
        let outcomes = self
            .count
            .outcomes
            .into_iter()
            .map(|(code, count)| (code.to_owned(), count))
            .collect();
        let command = LicenseCommand::RecordValidations {
            outcomes,
            first_at: self.count.first_at,
            last_at: self.count.last_at,
        };
        attempt.decide::<License>(self.id, command)?;
        Ok(())
    }
}
