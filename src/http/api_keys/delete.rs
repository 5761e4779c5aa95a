//! `DELETE /api-keys/{api_key_id}`

use axum::extract::State;
use axum::http::StatusCode;
use vinzy_events::ApiKeyId;

use crate::app::App;
use crate::commands::api_keys;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::PathId;

/// Revoke an API key.
///
/// From the answer on, its secrets open nothing, on any node, and sessions that were begun with them are over. What it
/// did keeps its id and name.
#[utoipa::path(
    delete, path = "/api-keys/{api_key_id}", tag = "API keys", operation_id = "deleteApiKey",
    params(("api_key_id" = String, Path, format = "uuid")),
    responses((status = 204, description = "It is revoked"))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<ApiKeyId>,
) -> Result<StatusCode, Problem> {
    api_keys::revoke(&app, caller.order(&app, b""), id).await?;
    Ok(StatusCode::NO_CONTENT)
}
