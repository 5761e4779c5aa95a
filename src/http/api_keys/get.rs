//! `GET /api-keys/{api_key_id}`

use axum::Json;
use axum::extract::State;
use vinzy_client::access as wire;
use vinzy_events::ApiKeyId;

use crate::app::App;
use crate::commands::api_keys;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::PathId;

/// Get an API key.
#[utoipa::path(
    get, path = "/api-keys/{api_key_id}", tag = "API keys", operation_id = "getApiKey",
    params(("api_key_id" = String, Path, format = "uuid")),
    responses((status = 200, description = "The key, without its secret", body = wire::ApiKey))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<ApiKeyId>,
) -> Result<Json<wire::ApiKey>, Problem> {
    let state = api_keys::get(&app, &caller.ledger_id, id).await?;
    let uses = app.access.uses.of(&app.pool, &caller.ledger_id, &[id]).await?;
    Ok(Json(super::wire(
        id,
        state,
        uses.get(&id).copied(),
        app.clock.now(),
    )))
}
