//! `GET /webhooks/{endpoint_id}`

use axum::Json;
use axum::extract::State;
use vinzy_client::webhooks as wire;
use vinzy_events::EndpointId;

use crate::app::App;
use crate::commands::endpoints;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::PathId;

/// Get a webhook endpoint.
#[utoipa::path(
    get, path = "/webhooks/{endpoint_id}", tag = "Webhooks", operation_id = "getWebhook",
    params(("endpoint_id" = String, Path, format = "uuid")),
    responses((status = 200, description = "The endpoint", body = wire::Webhook))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<EndpointId>,
) -> Result<Json<wire::Webhook>, Problem> {
    let state = endpoints::get(&app, &caller.ledger_id, id).await?;
    Ok(Json(super::wire(id, state, app.clock.now())))
}
