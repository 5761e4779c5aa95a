//! `DELETE /licenses/{license_id}`

use axum::extract::State;
use axum::http::StatusCode;
use vinzy_events::LicenseId;

use crate::app::App;
use crate::commands::licenses;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::PathId;

/// Delete a license.
///
/// It is hidden and its key is not found any more; its history stays in the ledger.
#[utoipa::path(
    delete, path = "/licenses/{license_id}", tag = "Licenses", operation_id = "deleteLicense",
    params(("license_id" = String, Path, format = "uuid")),
    responses((status = 204, description = "It is deleted"))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<LicenseId>,
) -> Result<StatusCode, Problem> {
    licenses::delete(&app, caller.order(&app, b""), id).await?;
    Ok(StatusCode::NO_CONTENT)
}
