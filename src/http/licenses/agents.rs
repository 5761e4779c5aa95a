//! `GET /licenses/{license_id}/agents`

use axum::Json;
use axum::extract::State;
use vinzy_client::validation as wire;
use vinzy_events::LicenseId;

use crate::app::App;
use crate::commands::licenses;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::PathId;
use crate::validation;

/// List the agents of a license, sorted by code.
///
/// They are those of its own features, or its product's, with the license's overrides.
#[utoipa::path(
    get, path = "/licenses/{license_id}/agents", tag = "Licenses", operation_id = "listLicenseAgents",
    params(("license_id" = String, Path, format = "uuid")),
    responses((status = 200, description = "Its agents", body = [wire::Agent]))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<LicenseId>,
) -> Result<Json<Vec<wire::Agent>>, Problem> {
    let (state, product) = licenses::get_with_product(&app, &caller.ledger_id, id).await?;
    Ok(Json(validation::agents(&state, &product)?))
}
