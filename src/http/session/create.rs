//! `POST /session`

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use vinzy_client::access as wire;

use super::Before;
use crate::access::{Key, sessions};
use crate::app::App;
use crate::http::body::{Body, Fields, FromFields};
use crate::http::caller::unauthorized;
use crate::http::client::Client;
use crate::http::problem::{Problem, ProblemBody};

/// Longest API key, in bytes.
const API_KEY: std::ops::RangeInclusive<usize> = 1..=256;

/// An API key to log in with.
pub struct LogIn(String);

/// Log in.
///
/// The answer sets the cookie of a session, which may do what the API key may, until it ends, the key is revoked or
/// expires, or somebody logs out.
#[utoipa::path(
    post, path = "/session", tag = "Sessions", operation_id = "createSession",
    request_body = wire::LogIn,
    responses(
        (status = 201, description = "Who is logged in", body = wire::Session),
        (status = 401, description = "The API key is not known", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn handle(
    Before(before): Before,
    Extension(client): Extension<Client>,
    State(app): State<App>,
    body: Body<LogIn>,
) -> Result<Response, Problem> {
    let now = app.clock.now();
    let known = app.access.who(body.content.0.as_bytes(), now).await?;
    let principal = known.ok_or_else(|| unauthorized("The API key is not known."))?;
    if let Some(token) = before {
        sessions::end(&app.vital, &token).await?;
    }
    let expires_at = now.plus_seconds(app.access_config.session_ttl).unwrap_or(now);
    let expires_at = match &principal.key {
        Key::Tenant(key) => key.valid_until.map_or(expires_at, |until| until.min(expires_at)),
        Key::Admin | Key::SuperAdmin => expires_at,
    };
    let ttl = u32::try_from(expires_at.as_seconds() - now.as_seconds()).unwrap_or(0);
    let entropy = app.entropy.bytes();
    let token = sessions::begin(&app.vital, principal.digest, entropy, now, expires_at).await?;
    let answer = Json(super::wire(&principal.key, Some(expires_at)));
    let mut response = (StatusCode::CREATED, answer).into_response();
    if let Some(cookie) = super::cookie(&app, client, &token, ttl) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

impl FromFields for LogIn {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        fields.text("api_key", API_KEY).map(Self)
    }
}
