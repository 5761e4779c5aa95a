//! `POST /api-keys`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use vinzy_client::access as wire;

use crate::app::App;
use crate::commands::api_keys::{self, NewApiKey};
use crate::http::body::Body;
use crate::http::caller::Caller;
use crate::http::problem::Problem;

/// Make an API key.
///
/// The answer shows its secret, once. Repeating the request with the same `Idempotency-Key` shows it again.
#[utoipa::path(
    post, path = "/api-keys", tag = "API keys", operation_id = "createApiKey",
    params(("Idempotency-Key" = Option<String>, Header, max_length = 255, pattern = "^[!-~]([\\t -~]*[!-~])?$", description = "Makes the request safe to repeat.")),
    request_body = wire::CreateApiKey,
    responses((status = 201, description = "The key, with its secret", body = wire::NewApiKey))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    body: Body<NewApiKey>,
) -> Result<(StatusCode, Json<wire::NewApiKey>), Problem> {
    let order = caller.order(&app, &body.canonical);
    let shown = api_keys::create(&app, order, body.content).await?;
    Ok((StatusCode::CREATED, Json(super::shown(shown, app.clock.now()))))
}
