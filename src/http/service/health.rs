//! `GET /health`

use axum::Json;
use vinzy_client::service as wire;

/// Say that the process is alive.
#[utoipa::path(
    get, path = "/health", tag = "Service", operation_id = "health",
    responses((status = 200, description = "It is", body = wire::Health))
)]
pub async fn handle() -> Json<wire::Health> {
    Json(wire::Health {
        status: "ok".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        service: "vinzy-engine".to_owned(),
    })
}
