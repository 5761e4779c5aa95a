//! `POST /webhooks/deliveries/{delivery_id}/retry`

use axum::Json;
use axum::extract::State;
use vinzy_client::webhooks as wire;
use vinzy_events::DeliveryId;

use crate::app::App;
use crate::http::caller::Caller;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::query::{Identified, PathId};
use crate::webhooks::{actions, deliveries};

/// Send a delivery again.
///
/// At once, whatever became of it before, and from then on as often as the schedule has it. The receiver sees the same
/// `webhook-id`. To a paused or disabled endpoint it goes when that is active again.
#[utoipa::path(
    post, path = "/webhooks/deliveries/{delivery_id}/retry", tag = "Webhooks", operation_id = "retryWebhookDelivery",
    params(("delivery_id" = String, Path, format = "uuid")),
    responses(
        (status = 200, description = "The delivery as it is now", body = wire::WebhookDelivery),
        (status = 409, description = "It is being sent just now", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<DeliveryId>,
) -> Result<Json<wire::WebhookDelivery>, Problem> {
    actions::retry(&app.pool, &caller.ledger_id, id, app.clock.now()).await?;
    let delivery = deliveries::get(&app.pool, &caller.ledger_id, id)
        .await?
        .ok_or_else(DeliveryId::not_found)?;
    app.webhooks.wake.notify_one();
    Ok(Json(super::delivery(delivery)))
}

impl From<actions::RetryError> for Problem {
    fn from(error: actions::RetryError) -> Self {
        match error {
            actions::RetryError::Database(error) => error.into(),
            actions::RetryError::NotFound => DeliveryId::not_found(),
            actions::RetryError::UnderWay => Self::conflict(
                "DELIVERY_UNDER_WAY",
                "The delivery is being sent just now: look again in a moment.",
            ),
        }
    }
}
