//! `DELETE /webhooks/{endpoint_id}`

use axum::extract::State;
use axum::http::StatusCode;
use vinzy_events::EndpointId;

use crate::app::App;
use crate::commands::endpoints;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::PathId;

/// Delete a webhook endpoint.
///
/// Its secrets and deliveries go with it; what waits is not sent.
#[utoipa::path(
    delete, path = "/webhooks/{endpoint_id}", tag = "Webhooks", operation_id = "deleteWebhook",
    params(("endpoint_id" = String, Path, format = "uuid")),
    responses((status = 204, description = "It is deleted"))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<EndpointId>,
) -> Result<StatusCode, Problem> {
    let ledger_id = caller.ledger_id.clone();
    endpoints::delete(&app, caller.order(&app, b""), id).await?;
    super::in_step(&app, &ledger_id).await;
    Ok(StatusCode::NO_CONTENT)
}
