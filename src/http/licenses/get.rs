//! `GET /licenses/{license_id}`

use axum::Json;
use axum::extract::State;
use vinzy_client::licenses as wire;
use vinzy_events::LicenseId;

use crate::app::App;
use crate::commands::licenses;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::PathId;

/// Get a license.
#[utoipa::path(
    get, path = "/licenses/{license_id}", tag = "Licenses", operation_id = "getLicense",
    params(("license_id" = String, Path, format = "uuid")),
    responses((status = 200, description = "The license", body = wire::License))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<LicenseId>,
) -> Result<Json<wire::License>, Problem> {
    let license = licenses::get(&app, &caller.ledger_id, id).await?;
    Ok(Json(super::wire(id, &license, app.clock.now())?))
}
