//! `PATCH /webhooks/{endpoint_id}`

use axum::Json;
use axum::extract::State;
use vinzy_client::webhooks as wire;
use vinzy_events::EndpointId;
use vinzy_events::endpoint::UpdateEndpoint;

use crate::app::App;
use crate::commands::endpoints;
use crate::http::body::{Body, Fields, FromFields};
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::PathId;

/// Change, pause or resume a webhook endpoint.
///
/// What is left out stays. While it is paused or disabled, what happens is kept for it, and sent once it is `active`
/// again. From the answer on no delivery begins that the new status does not allow.
#[utoipa::path(
    patch, path = "/webhooks/{endpoint_id}", tag = "Webhooks", operation_id = "updateWebhook",
    params(("endpoint_id" = String, Path, format = "uuid")),
    request_body = wire::UpdateWebhook,
    responses((status = 200, description = "The endpoint as it is now", body = wire::Webhook))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<EndpointId>,
    body: Body<UpdateEndpoint>,
) -> Result<Json<wire::Webhook>, Problem> {
    if let Some(url) = &body.content.url {
        super::check_url(&app, url)?;
    }
    let ledger_id = caller.ledger_id.clone();
    let order = caller.order(&app, &body.canonical);
    let state = endpoints::update(&app, order, id, body.content).await?;
    super::in_step(&app, &ledger_id).await;
    app.webhooks.wake.notify_one();
    Ok(Json(super::wire(id, state, app.clock.now())))
}

impl FromFields for UpdateEndpoint {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            url: fields.optional_text("url", super::URL),
            description: fields.optional_name("description", super::DESCRIPTION),
            event_types: fields.event_types(),
            status: fields.optional("status"),
            max_retries: fields.max_retries(),
            timeout_seconds: fields.timeout_seconds(),
        })
    }
}
