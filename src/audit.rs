//! The audit trail, its verification, and signed checkpoints, for whoever asks.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::PgPool;
use vinzy_events::LicenseId;
use vinzy_events::ledger::Checkpoint;
use vinzy_projections::archive::Archives;
use vinzy_projections::event_log::{self, LicenseHistory};
use vinzy_projections::{Page, PageRequest, Start, StoredEvent};

use crate::app::App;
use crate::commands::CommandError;
use crate::ledger::witness::Witness;
use crate::ledger::{named_key, verify};

pub use crate::ledger::checkpoint::Standing;
pub use crate::ledger::head::HeadError;
pub use crate::ledger::signer::SignError;
pub use crate::ledger::verify::{Damage, LicenseReport, Report, VerifyError};
pub use crate::ledger::witness::WitnessError;

/// A license's events, newest first, with the validations that were counted up to now.
///
/// The cursor of a page is the position of its last event: `after` means older than that.
pub async fn history(
    app: &App,
    ledger_id: &Arc<str>,
    license_id: LicenseId,
    event_type: Option<&str>,
    page: PageRequest,
) -> Result<Page<StoredEvent>, CommandError> {
    app.validations.flush_license(ledger_id, license_id).await;
    let mut conn = app.pool.acquire().await?;
    let (before, offset) = match page.start {
        Start::Offset(offset) => (None, offset),
        Start::After(position) => (Some(position), 0),
    };
    let history = LicenseHistory {
        ledger_id,
        license_id,
        event_type,
        before,
        offset,
        limit: page.size + 1,
    };
    let events = event_log::license_history(&mut conn, history).await?;
    let total = event_log::count_license_events(&mut conn, ledger_id, license_id, event_type).await?;
    Ok(Page::of(events, &page, total, |event| event.position))
}

/// Verifies a license's events, with the validations that were counted up to now.
pub async fn verify_license(
    app: &App,
    ledger_id: &Arc<str>,
    license_id: LicenseId,
) -> Result<LicenseReport, VerifyError> {
    app.validations.flush_license(ledger_id, license_id).await;
    verify::license(&app.pool, ledger_id, license_id).await
}

/// Verifies a whole ledger, also against a checkpoint that was `kept` outside the database; `progress` hears how many
/// of how many events are done.
pub async fn verify_ledger(
    pool: &PgPool,
    ledger_id: &str,
    kept: Option<&Checkpoint>,
    progress: impl FnMut(u64, u64),
) -> Result<Report, VerifyError> {
    verify_ledger_with(pool, ledger_id, kept, &Archives::default(), progress).await
}

/// As [`verify_ledger`], with archives of what is not in the database any more.
pub async fn verify_ledger_with(
    pool: &PgPool,
    ledger_id: &str,
    kept: Option<&Checkpoint>,
    archives: &Archives,
    progress: impl FnMut(u64, u64),
) -> Result<Report, VerifyError> {
    verify::ledger(pool, ledger_id, kept, archives, progress).await
}

/// Signs the ledger as it is now; refuses when it does not continue the last checkpoint.
pub async fn sign_checkpoint(app: &App, ledger_id: &str) -> Result<String, SignError> {
    Ok(app.signer.sign(ledger_id).await?.note)
}

/// The key that a ledger's checkpoints verify with; `None` when there is no such ledger.
pub async fn verifier_key(app: &App, ledger_id: &str) -> sqlx::Result<Option<String>> {
    let named = named_key(&app.pool, ledger_id).await?;
    Ok(named.map(|named| named.verifier_key))
}

/// What the note of a ledger that a server keeps in its data directory says, if there is one.
pub async fn kept_checkpoint(data_dir: &Path, ledger_id: &str) -> Result<Option<Checkpoint>, WitnessError> {
    Witness::at(data_dir).claimed(ledger_id).await
}

/// The ids of all ledgers of a database.
pub async fn ledgers(pool: &PgPool) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!("SELECT ledger_id FROM ledgers ORDER BY ledger_id")
        .fetch_all(pool)
        .await
}

/// Walks over whole ledgers and histories at a time, on this node: each reads for long, and others want to read, too.
const WALKS: usize = 2;

/// The walks that requests have begun.
#[derive(Default)]
pub struct Walks(Arc<Mutex<HashSet<Arc<str>>>>);

/// A walk that goes on until this is dropped.
pub struct Walk {
    running: Arc<Mutex<HashSet<Arc<str>>>>,
    ledger_id: Arc<str>,
}

impl Walks {
    /// Begins a walk; `None` while there is one over this ledger, or as many as may be over others.
    pub fn begin(&self, ledger_id: &Arc<str>) -> Option<Walk> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = running.len() < WALKS && running.insert(Arc::clone(ledger_id));
        begins.then(|| Walk {
            running: Arc::clone(&self.0),
            ledger_id: Arc::clone(ledger_id),
        })
    }
}

impl Drop for Walk {
    fn drop(&mut self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.remove(&self.ledger_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_walk_per_ledger_and_few_in_all() {
        let walks = Walks::default();
        let ledgers: Vec<Arc<str>> = ["a", "b", "c"].map(Arc::from).into();
        let first = walks.begin(&ledgers[0]);
        assert!(first.is_some() && walks.begin(&ledgers[0]).is_none());
        let second = walks.begin(&ledgers[1]);
        assert!(second.is_some() && walks.begin(&ledgers[2]).is_none());
        drop(first);
        assert!(walks.begin(&ledgers[2]).is_some());
    }
}
