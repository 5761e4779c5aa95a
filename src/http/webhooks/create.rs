//! `POST /webhooks`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use vinzy_client::webhooks as wire;

use crate::app::App;
use crate::commands::endpoints::{self, NewEndpoint};
use crate::http::body::{Body, Fields, FromFields};
use crate::http::caller::Caller;
use crate::http::problem::Problem;

/// Seconds for an answer when nothing is said.
const DEFAULT_TIMEOUT: u32 = 10;

/// Set up a webhook endpoint.
///
/// It is sent what happens from now on. The answer shows its signing secret, once; repeating the request with the same
/// `Idempotency-Key` shows it again as long as it signs.
#[utoipa::path(
    post, path = "/webhooks", tag = "Webhooks", operation_id = "createWebhook",
    params(("Idempotency-Key" = Option<String>, Header, max_length = 255, pattern = "^[!-~]([\\t -~]*[!-~])?$", description = "Makes the request safe to repeat.")),
    request_body = wire::CreateWebhook,
    responses((status = 201, description = "The endpoint, with its secret", body = wire::NewWebhook))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    body: Body<NewEndpoint>,
) -> Result<(StatusCode, Json<wire::NewWebhook>), Problem> {
    super::check_url(&app, &body.content.url)?;
    let ledger_id = caller.ledger_id.clone();
    let order = caller.order(&app, &body.canonical);
    let shown = endpoints::create(&app, order, body.content).await?;
    super::in_step(&app, &ledger_id).await;
    Ok((StatusCode::CREATED, Json(super::shown(shown, app.clock.now()))))
}

impl FromFields for NewEndpoint {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let url = fields.text("url", super::URL);
        let description = fields.optional_name("description", super::DESCRIPTION);
        let event_types = fields.event_types();
        let secret = fields.optional("secret");
        let max_retries = fields.max_retries().flatten();
        let timeout_seconds = fields.timeout_seconds();
        Some(Self {
            url: url?,
            description: description.unwrap_or_default(),
            event_types: event_types.unwrap_or_default(),
            max_retries,
            timeout_seconds: timeout_seconds.unwrap_or(DEFAULT_TIMEOUT),
            secret,
        })
    }
}
