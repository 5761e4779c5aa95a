//! `GET /session`

use axum::Json;
use axum::extract::State;
use vinzy_client::access as wire;

use crate::app::App;
use crate::http::caller::Known;
use crate::http::problem::Problem;

/// Say who is logged in.
///
/// Takes an API key instead of a session's cookie, too: so a program finds out what its key may do.
#[utoipa::path(
    get, path = "/session", tag = "Sessions", operation_id = "getSession",
    responses((status = 200, description = "Who is asking", body = wire::Session))
)]
pub async fn handle(known: Known, State(_): State<App>) -> Result<Json<wire::Session>, Problem> {
    let expires_at = known.session.map(|session| session.expires_at);
    Ok(Json(super::wire(&known.principal.key, expires_at)))
}
