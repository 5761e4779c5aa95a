//! What surrounds every route: request ids, problem bodies, panics, a log line, common headers.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use tracing::Instrument;
use vinzy_events::id::uuid_v7;

use super::problem::Problem;
use crate::app::App;

/// Longest request id that is taken over from the client.
const MAX_REQUEST_ID: usize = 128;

/// Names a request in answers, logs and the ledger.
#[derive(Debug, Clone)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of a request that has gone through [`surround`].
    pub fn of(parts: &Parts) -> Self {
        parts.extensions.get().cloned().unwrap_or_else(|| Self("".into()))
    }

    fn new(headers: &HeaderMap, app: &App) -> Self {
        let given = headers.get("x-request-id").and_then(|id| id.to_str().ok());
        let sane = given.filter(|id| {
            (1..=MAX_REQUEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
        });
        match sane {
            Some(id) => Self(id.into()),
            None => Self(uuid_v7(app.clock.now(), app.entropy.bytes()).to_string().into()),
        }
    }
}

/// The middleware around all routes.
pub async fn surround(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let id = RequestId::new(request.headers(), &app);
    request.extensions_mut().insert(id.clone());
    let path = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    // The matched path, never the real one: that may hold what must not be logged.
    let route = path.as_ref().map_or("", MatchedPath::as_str);
    let span = tracing::info_span!("request", id = id.as_str(), method = %method, route);
    let started = std::time::Instant::now();
    let outcome = AssertUnwindSafe(next.run(request))
        .catch_unwind()
        .instrument(span.clone())
        .await;
    let mut response = outcome.unwrap_or_else(|panic| {
        let _inside = span.enter();
        panicked(panic.as_ref())
    });
    span.in_scope(|| {
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        tracing::debug!(status = response.status().as_u16(), micros, "answered");
    });
    finish(&mut response, &id);
    response
}

fn finish(response: &mut Response, id: &RequestId) {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        *response.body_mut() = Body::from(problem.into_body(id.as_str()));
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        headers.insert("x-request-id", id);
    }
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Response {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("of unknown cause");
    Problem::internal(&std::io::Error::other(format!("panic: {message}"))).into_response()
}

/// Answers paths that lead nowhere.
pub async fn no_such_route() -> Problem {
    Problem::not_found("NO_SUCH_ROUTE", "There is nothing at this path.")
}

/// Answers methods that a path does not have; axum adds `Allow`.
pub async fn no_such_method(method: Method) -> Problem {
    let detail = format!("This path does not take {method}.");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", detail)
}
