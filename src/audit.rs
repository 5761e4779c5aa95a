//! The audit trail, its verification, and signed checkpoints, for whoever asks.

use std::sync::Arc;

use sqlx::PgPool;
use vinzy_events::LicenseId;
use vinzy_projections::event_log::{self, LicenseHistory};
use vinzy_projections::{Page, PageRequest, Start, StoredEvent};

use crate::app::App;
use crate::commands::CommandError;
use crate::ledger::{checkpoint, verify};

pub use crate::ledger::checkpoint::SignError;
pub use crate::ledger::head::HeadError;
pub use crate::ledger::verify::{Damage, LicenseReport, Report, VerifyError};

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

/// Verifies a whole ledger; `progress` hears how many of how many events are done.
pub async fn verify_ledger(
    pool: &PgPool,
    ledger_id: &str,
    progress: impl FnMut(u64, u64),
) -> Result<Report, VerifyError> {
    verify::ledger(pool, ledger_id, progress).await
}

/// Signs the ledger as it is now; refuses when it does not continue the last checkpoint.
pub async fn sign_checkpoint(app: &App, ledger_id: &str) -> Result<String, SignError> {
    checkpoint::sign(&app.pool, ledger_id, &app.checkpoint_keys).await
}

/// The ids of all ledgers of a database.
pub async fn ledgers(pool: &PgPool) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!("SELECT ledger_id FROM ledgers ORDER BY ledger_id")
        .fetch_all(pool)
        .await
}
