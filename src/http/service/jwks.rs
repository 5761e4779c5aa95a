//! `GET /.well-known/jwks.json`

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use crate::app::App;

/// Get the public keys that leases verify with.
///
/// RFC 7517, Ed25519 keys as in RFC 8037.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "Validation", operation_id = "jwks",
    responses((status = 200, description = "The keys", body = Object))
)]
pub async fn handle(State(app): State<App>) -> impl IntoResponse {
    (
        [(header::CACHE_CONTROL, "public, max-age=3600")],
        axum::Json(app.jwks.clone()),
    )
}
