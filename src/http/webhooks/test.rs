//! `POST /webhooks/{endpoint_id}/test`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use vinzy_client::webhooks as wire;
use vinzy_events::{EndpointId, EventId};

use crate::app::App;
use crate::commands::endpoints;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::{Identified, PathId};
use crate::webhooks::{actions, deliveries};

/// Send a test to a webhook endpoint.
///
/// A delivery of type `webhook.test`, whatever the endpoint is subscribed to. It is signed and tried again like others;
/// to a paused endpoint it goes when that is active again.
#[utoipa::path(
    post, path = "/webhooks/{endpoint_id}/test", tag = "Webhooks", operation_id = "testWebhook",
    params(
        ("endpoint_id" = String, Path, format = "uuid"),
        ("Idempotency-Key" = Option<String>, Header, max_length = 255, pattern = "^[!-~]([\\t -~]*[!-~])?$", description = "Makes the request safe to repeat."),
    ),
    responses((status = 202, description = "The delivery that is on its way", body = wire::WebhookDelivery))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<EndpointId>,
) -> Result<(StatusCode, Json<wire::WebhookDelivery>), Problem> {
    let (ledger_id, now) = (caller.ledger_id.clone(), app.clock.now());
    endpoints::get(&app, &ledger_id, id).await?;
    let entropy = match &caller.order(&app, b"").idempotency {
        Some(idempotency) => app.request_hasher.test_entropy(&ledger_id, idempotency),
        None => app.entropy.bytes(),
    };
    // The same request again must lead to the same id, whenever it comes.
    let event_id = EventId::from(uuid::Builder::from_random_bytes(entropy).into_uuid());
    let delivery_id = actions::test(&app.pool, &ledger_id, id, event_id, now)
        .await?
        .ok_or_else(EndpointId::not_found)?;
    let delivery = deliveries::get(&app.pool, &ledger_id, delivery_id)
        .await?
        .ok_or_else(EndpointId::not_found)?;
    app.webhooks.wake.notify_one();
    Ok((StatusCode::ACCEPTED, Json(super::delivery(delivery))))
}
