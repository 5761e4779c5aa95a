//! `GET /licenses/{license_id}/agents`

use axum::Json;
use axum::extract::State;
use vinzy_client::validation as wire;
use vinzy_events::LicenseId;

use crate::app::App;
use crate::commands::licenses;
use crate::http::as_of::{self, AsOf};
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::{PathId, Query};
use crate::validation;

/// List the agents of a license, sorted by code.
///
/// They are those of its own features, or its product's, with the license's overrides; with `at`, as it was then.
#[utoipa::path(
    get, path = "/licenses/{license_id}/agents", tag = "Licenses", operation_id = "listLicenseAgents",
    params(
        ("license_id" = String, Path, format = "uuid"),
        ("at" = Option<String>, Query, pattern = "^([0-9]+|[0-9]{4}-[0-9]{2}-[0-9]{2}T.+)?$", description = "An earlier moment: a position in the ledger, after whose event it is, or a time."),
    ),
    responses((status = 200, description = "Its agents", body = [wire::Agent]))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<LicenseId>,
    query: Query,
) -> Result<AsOf<Json<Vec<wire::Agent>>>, Problem> {
    let moment = as_of::moment(query, &app, &caller.ledger_id).await?;
    let (state, product) = licenses::get_with_product_as_of(&app, &caller.ledger_id, id, moment).await?;
    Ok(AsOf::new(moment, validation::agents(&state, &product)?))
}
