//! `GET /webhooks/deliveries/{delivery_id}`

use axum::Json;
use axum::extract::State;
use vinzy_client::webhooks as wire;
use vinzy_events::DeliveryId;

use crate::app::App;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::{Identified, PathId};
use crate::webhooks::deliveries;

/// Get a delivery with what came of its tries.
#[utoipa::path(
    get, path = "/webhooks/deliveries/{delivery_id}", tag = "Webhooks", operation_id = "getWebhookDelivery",
    params(("delivery_id" = String, Path, format = "uuid")),
    responses((status = 200, description = "The delivery", body = wire::WebhookDeliveryDetail))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<DeliveryId>,
) -> Result<Json<wire::WebhookDeliveryDetail>, Problem> {
    let delivery = deliveries::get(&app.pool, &caller.ledger_id, id)
        .await?
        .ok_or_else(DeliveryId::not_found)?;
    let attempts = deliveries::attempts(&app.pool, &caller.ledger_id, id).await?;
    Ok(Json(wire::WebhookDeliveryDetail {
        delivery: super::delivery(delivery),
        attempt_log: attempts.into_iter().map(super::attempt).collect(),
    }))
}
