//! `POST /webhooks/{endpoint_id}/rotate`

use axum::Json;
use axum::extract::State;
use vinzy_client::webhooks as wire;
use vinzy_events::EndpointId;
use vinzy_events::webhook::SigningSecret;

use crate::app::App;
use crate::commands::endpoints;
use crate::http::body::{Fields, FromFields, OptionalBody};
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::PathId;

/// How long the old secret signs, too, when nothing is said, in seconds: a day.
const DEFAULT_OVERLAP: u32 = 86_400;
/// Longest overlap, in seconds: 30 days.
const MAX_OVERLAP: u32 = 2_592_000;

/// The new secret, if one is given, and for how many seconds the old one shall sign, too.
pub struct Rotate(Option<SigningSecret>, u32);

/// Give a webhook endpoint a new signing secret.
///
/// The answer shows it, once. For some time both secrets sign every delivery, so that receivers can change over; a
/// secret from before that ends at once. The body may be left out.
#[utoipa::path(
    post, path = "/webhooks/{endpoint_id}/rotate", tag = "Webhooks", operation_id = "rotateWebhookSecret",
    params(
        ("endpoint_id" = String, Path, format = "uuid"),
        ("Idempotency-Key" = Option<String>, Header, max_length = 255, pattern = "^[!-~]([\\t -~]*[!-~])?$", description = "Makes the request safe to repeat."),
    ),
    request_body = Option<wire::RotateWebhookSecret>,
    responses((status = 200, description = "The endpoint, with its new secret", body = wire::NewWebhook))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<EndpointId>,
    OptionalBody(body): OptionalBody<Rotate>,
) -> Result<Json<wire::NewWebhook>, Problem> {
    let order = caller.order(&app, &body.canonical);
    let Rotate(secret, overlap_seconds) = body.content;
    let shown = endpoints::rotate(&app, order, id, secret, overlap_seconds).await?;
    Ok(Json(super::shown(shown, app.clock.now())))
}

impl FromFields for Rotate {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let secret = fields.optional("secret");
        let overlap = fields.nullable_number("overlap_seconds", 0..=MAX_OVERLAP);
        Some(Self(secret, overlap.flatten().unwrap_or(DEFAULT_OVERLAP)))
    }
}
