//! `DELETE /session`

use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Before;
use crate::access::sessions;
use crate::app::App;
use crate::http::client::Client;
use crate::http::problem::Problem;

/// Log out.
///
/// The session is over on the server, on every node; whoever has copied its cookie has nothing. Without a session there
/// is nothing to end, and that is as good.
#[utoipa::path(
    delete, path = "/session", tag = "Sessions", operation_id = "deleteSession",
    responses((status = 204, description = "The session is over"))
)]
pub async fn handle(
    Before(token): Before,
    Extension(client): Extension<Client>,
    State(app): State<App>,
) -> Result<Response, Problem> {
    if let Some(token) = token {
        sessions::end(&app.vital, &token).await?;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Some(cookie) = super::cookie(&app, client, "", 0) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}
