//! `POST /session`

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use vinzy_client::access as wire;

use crate::access::sessions;
use crate::app::App;
use crate::http::body::{Body, Fields, FromFields};
use crate::http::caller::{forbidden, session_token, unauthorized};
use crate::http::client::{Client, is_foreign};
use crate::http::problem::{Problem, ProblemBody};

/// Longest API key, in bytes.
const API_KEY: std::ops::RangeInclusive<usize> = 1..=256;

/// An API key to log in with.
pub struct LogIn(String);

/// The session that a browser had before; no other web page may replace it.
pub struct Before(Option<String>);

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
        sessions::end(&app.pool, &token).await?;
    }
    let ttl = app.access_config.session_ttl;
    let expires_at = now.plus_seconds(ttl).unwrap_or(now);
    let entropy = app.entropy.bytes();
    let token = sessions::begin(&app.pool, principal.digest, entropy, now, expires_at).await?;
    let answer = Json(super::wire(&principal.key, Some(expires_at)));
    let mut response = (StatusCode::CREATED, answer).into_response();
    if let Some(cookie) = super::cookie(&app, client, &token, ttl) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

impl<S: Send + Sync> FromRequestParts<S> for Before {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        if is_foreign(parts) {
            return Err(forbidden("This request was made by another web page."));
        }
        Ok(Self(session_token(&parts.headers).map(str::to_owned)))
    }
}

impl FromFields for LogIn {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        fields.text("api_key", API_KEY).map(Self)
    }
}
