//! What surrounds every route: request ids, problem bodies, panics, a log line, common headers.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use tokio::time::timeout;
use tracing::Instrument;
use tracing::field::Empty;
use vinzy_events::id::uuid_v7;

use super::access::{Access, Route, RouteTable};
use super::client::Client;
use super::cors::{FromPage, VARY};
use super::gate::{self, Room};
use super::problem::Problem;
use super::server::Peer;
use crate::app::App;
use crate::commands::ReceiptSlot;
use crate::telemetry;

/// How long an answer may take to begin: whoever waits longer waits for a database that does not answer.
const PATIENCE: Duration = Duration::from_secs(30);

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

/// What surrounds all routes works with this.
#[derive(Clone)]
pub struct Shell(Arc<Surroundings>);

/// The parts of a [`Shell`].
pub struct Surroundings {
    app: App,
    routes: RouteTable,
    room: Room,
}

impl Shell {
    /// For the routes of `table`, which stand below the application's prefix.
    pub fn new(app: &App, table: RouteTable) -> Self {
        let prefix = &app.api_prefix;
        let routes = table
            .into_iter()
            .map(|(path, methods)| (format!("{prefix}{path}"), methods))
            .collect();
        Self(Arc::new(Surroundings {
            app: app.clone(),
            routes,
            room: Room::new(&app.access_config),
        }))
    }

    fn route(&self, method: &Method, path: Option<&MatchedPath>) -> Option<Route> {
        let method = if method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        let methods = self.0.routes.get(path?.as_str())?;
        methods
            .iter()
            .find(|(one, _)| one == method)
            .map(|(_, route)| *route)
    }
}

/// The middleware around all routes.
pub async fn surround(State(shell): State<Shell>, mut request: Request, next: Next) -> Response {
    let app = &shell.0.app;
    let id = RequestId::new(request.headers(), app);
    let started = Instant::now();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let route = shell.route(&method, path.as_ref());
    let client = match request.extensions().get::<Peer>() {
        Some(peer) => Client::of(*peer, request.headers(), &app.access_config.trusted_proxies),
        None => {
            return Problem::internal(&std::io::Error::other("the connection is not known")).into_response();
        }
    };
    let page = FromPage::of(request.headers());
    // What changes nothing has no receipt.
    let receipt = (!method.is_safe()).then(ReceiptSlot::default);
    let extensions = request.extensions_mut();
    extensions.insert(id.clone());
    extensions.insert(client);
    if let Some(receipt) = &receipt {
        extensions.insert(receipt.clone());
    }
    if let Some(page) = &page {
        extensions.insert(page.served());
    }
    if let Some(route) = route {
        extensions.insert(route);
    }
    // The matched path, never the real one: that may hold what must not be logged.
    let name = path.as_ref().map_or("", MatchedPath::as_str);
    let span =
        tracing::info_span!("request", id = id.as_str(), method = %method, route = name, status = Empty);
    telemetry::continue_trace(&span, request.headers());
    let answer = async {
        // What leads nowhere costs as much as what stands open.
        let access = route.map_or(Access::Open, |route| route.access);
        if let Err(problem) = gate::admit(app, client, access, request.headers()) {
            return problem.into_response();
        }
        if let Some(page) = &page
            && let Some(answer) = page.preflight(&method, request.headers(), app)
        {
            return answer;
        }
        match gate::make_room(&shell.0.room, client, route, request).await {
            Ok((request, _taken)) => in_time(route, next.run(request)).await,
            Err(problem) => problem.into_response(),
        }
    };
    let outcome = AssertUnwindSafe(answer)
        .catch_unwind()
        .instrument(span.clone())
        .await;
    let mut response = outcome.unwrap_or_else(|panic| {
        let _inside = span.enter();
        panicked(panic.as_ref())
    });
    let took = started.elapsed();
    span.record("status", response.status().as_u16());
    span.in_scope(|| {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        tracing::debug!(micros, "answered");
    });
    app.metrics.answered(&method, name, response.status(), took);
    finish(&mut response, &id, client);
    if let Some(receipt) = &receipt
        && response.status().is_success()
    {
        show(receipt, response.headers_mut());
    }
    response.headers_mut().append(header::VARY, VARY);
    if let Some(page) = &page {
        page.finish(response.headers_mut(), app);
    }
    response
}

/// The answer, if it begins in time. Who asked is told to ask again; what was asked for may still be done.
async fn in_time(route: Option<Route>, answer: impl Future<Output = Response>) -> Response {
    if route.is_some_and(|route| route.takes_time) {
        return answer.await;
    }
    timeout(PATIENCE, answer).await.unwrap_or_else(|_| {
        tracing::warn!("the request took too long and was given up");
        Problem::unavailable(
            "TIMED_OUT",
            "The request took too long. Repeat it, best with an Idempotency-Key.",
            1,
        )
        .into_response()
    })
}

/// What every answer says.
const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];
const NOTHING_ELSE: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
const TWO_YEARS: HeaderValue = HeaderValue::from_static("max-age=63072000");

fn finish(response: &mut Response, id: &RequestId, client: Client) {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        *response.body_mut() = Body::from(problem.into_body(id.as_str()));
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        headers.insert("x-request-id", id);
    }
    for (name, value) in HEADERS {
        headers.insert(name, value);
    }
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(NOTHING_ELSE);
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    if client.encrypted {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, TWO_YEARS);
    }
}

/// Where the change that was asked for stands in the ledger.
fn show(receipt: &ReceiptSlot, headers: &mut HeaderMap) {
    if let Some(receipt) = receipt.get()
        && let Ok(hash) = HeaderValue::try_from(receipt.event_hash.to_string())
    {
        headers.insert("x-vinzy-ledger-position", receipt.position.into());
        headers.insert("x-vinzy-event-hash", hash);
    }
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
    Problem::new(
        axum::http::StatusCode::METHOD_NOT_ALLOWED,
        "METHOD_NOT_ALLOWED",
        detail,
    )
}
