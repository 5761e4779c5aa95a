//! `GET /audit/{license_id}/verify`

use axum::Json;
use axum::extract::State;
use vinzy_client::audit as wire;
use vinzy_events::LicenseId;

use crate::app::App;
use crate::audit;
use crate::commands::licenses;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::{Identified, PathId};

/// Verify the history of a license.
///
/// Checks every event of it against its hash, its columns, the numbers of its streams and the event that
/// follows it in the ledger. `GET /ledger/verify` checks everything.
#[utoipa::path(
    get, path = "/audit/{license_id}/verify", tag = "Audit", operation_id = "verifyAudit",
    params(("license_id" = String, Path, format = "uuid")),
    responses((status = 200, description = "What was found", body = wire::Verification))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<LicenseId>,
) -> Result<Json<wire::Verification>, Problem> {
    let _walk = super::walk(&app, &caller)?;
    let report = audit::verify_license(&app, &caller.ledger_id, id).await?;
    // A license whose events cannot be read was tampered with; only one without any is not there.
    if report.events_checked == 0
        && report.damage.is_none()
        && !licenses::exists(&app, &caller.ledger_id, id).await?
    {
        return Err(LicenseId::not_found());
    }
    Ok(Json(super::verification(report.events_checked, report.damage)))
}
