//! `GET /ready`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use vinzy_client::service as wire;

use super::metrics::projections;
use crate::app::App;

/// How many events a read model may lack and still count as in step.
const MAX_LAG: u64 = 10_000;

/// Say whether requests can be served.
///
/// 503 when the database does not answer, or a read model is parked or far behind.
#[utoipa::path(
    get, path = "/ready", tag = "Service", operation_id = "ready",
    responses(
        (status = 200, description = "They can", body = wire::Readiness),
        (status = 503, description = "They cannot", body = wire::Readiness),
    )
)]
pub async fn handle(State(app): State<App>) -> (StatusCode, Json<wire::Readiness>) {
    let projections = projections(&app).await;
    let database = projections.is_some();
    let projections: Vec<_> = projections
        .unwrap_or_default()
        .into_iter()
        .map(|(name, lag, parked)| wire::ProjectionStatus { name, lag, parked })
        .collect();
    let in_step = projections
        .iter()
        .all(|one| one.parked == 0 && one.lag <= MAX_LAG);
    let ready = database && in_step;
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let text = if ready { "ready" } else { "not ready" };
    (
        status,
        Json(wire::Readiness {
            status: text.to_owned(),
            database,
            projections,
        }),
    )
}
