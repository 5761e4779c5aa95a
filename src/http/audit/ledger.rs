//! `GET /ledger/verify`

use axum::Json;
use axum::extract::State;
use vinzy_client::audit as wire;

use crate::app::App;
use crate::audit::{self, Damage, SignError};
use crate::http::caller::Caller;
use crate::http::problem::Problem;

/// Verify the whole ledger.
///
/// Walks every event: form, chain, streams, times, columns, sealed data, head and last checkpoint. When
/// all is well, the answer holds a signed checkpoint to compare with later.
#[utoipa::path(
    get, path = "/ledger/verify", tag = "Audit", operation_id = "verifyLedger",
    responses((status = 200, description = "What was found", body = wire::LedgerVerification))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
) -> Result<Json<wire::LedgerVerification>, Problem> {
    let _walk = super::walk(&app, &caller)?;
    let kept = app.signer.kept(&caller.ledger_id).await;
    let kept = kept.map_err(|error| Problem::internal(&error))?;
    let mut report = audit::verify_ledger(&app.pool, &caller.ledger_id, kept.as_ref(), |_, _| ()).await?;
    let mut checkpoint = None;
    if report.damage.is_none() {
        match audit::sign_checkpoint(&app, &caller.ledger_id).await {
            Ok(signed) => checkpoint = Some(signed),
            Err(fork @ SignError::Fork { signed_size }) => {
                report.damage = Some(Damage {
                    position: signed_size.saturating_sub(1),
                    problem: fork.to_string(),
                });
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Json(wire::LedgerVerification {
        verification: super::verification(report.events_checked, report.damage),
        origin: report.origin,
        root: report.root.to_string(),
        checkpoint,
    }))
}
