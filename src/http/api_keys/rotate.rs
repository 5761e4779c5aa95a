//! `POST /api-keys/{api_key_id}/rotate`

use axum::Json;
use axum::extract::State;
use vinzy_client::access as wire;
use vinzy_events::ApiKeyId;

use crate::app::App;
use crate::commands::api_keys;
use crate::http::body::{Fields, FromFields, OptionalBody};
use crate::http::caller::Caller;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::query::PathId;

/// How long the old secret opens when nothing is said, in seconds: a day.
const DEFAULT_OVERLAP: u32 = 86_400;
/// Longest overlap, in seconds: 30 days.
const MAX_OVERLAP: u32 = 2_592_000;

/// How long the old secret shall still open, in seconds.
pub struct Rotate(u32);

/// Give an API key a new secret.
///
/// The answer shows it, once. The old secret opens for some time more, so that nothing stops while the new one is
/// handed out; a secret from before that ends at once. The body may be left out.
#[utoipa::path(
    post, path = "/api-keys/{api_key_id}/rotate", tag = "API keys", operation_id = "rotateApiKey",
    params(
        ("api_key_id" = String, Path, format = "uuid"),
        ("Idempotency-Key" = Option<String>, Header, max_length = 255, pattern = "^[!-~]([\\t -~]*[!-~])?$", description = "Makes the request safe to repeat."),
    ),
    request_body = Option<wire::RotateApiKey>,
    responses(
        (status = 200, description = "The key, with its new secret", body = wire::NewApiKey),
        (status = 409, description = "It has expired", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<ApiKeyId>,
    OptionalBody(body): OptionalBody<Rotate>,
) -> Result<Json<wire::NewApiKey>, Problem> {
    let order = caller.order(&app, &body.canonical);
    let shown = api_keys::rotate(&app, order, id, body.content.0).await?;
    Ok(Json(super::shown(shown, app.clock.now())))
}

impl FromFields for Rotate {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let overlap = fields.nullable_number("overlap_seconds", 0..=MAX_OVERLAP);
        Some(Self(overlap.flatten().unwrap_or(DEFAULT_OVERLAP)))
    }
}
