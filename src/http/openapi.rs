//! The `OpenAPI` document, made from the handlers, and the page that shows it.

use axum::Router;
use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, OpenApi as Description, Ref, ResponseBuilder};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;

use super::access::operations;
use super::problem::ProblemBody;
use crate::app::App;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Vinzy-Engine",
        description = "Licenses for software, on a ledger that anyone can verify.\n\n\
            Times are RFC 3339 in UTC, ids are UUIDs. Lists are plain arrays with `X-Total-Count` and `Link`. \
            Errors are RFC 9457 problem documents. A POST or PATCH with an `Idempotency-Key` is safe to repeat. \
            Once a change is answered, every later read shows it.",
        license(name = "AGPL-3.0-only", identifier = "AGPL-3.0-only"),
    ),
    tags(
        (name = "Overview", description = "How it all stands"),
        (name = "Products", description = "What is sold"),
        (name = "Customers", description = "To whom"),
        (name = "Licenses", description = "What they may do with it"),
        (name = "Machines", description = "Seats of a license"),
        (name = "Validation", description = "What applications in the field ask"),
        (name = "Usage", description = "What was used, and how much is left"),
        (name = "Anomalies", description = "What stands out"),
        (name = "Audit", description = "What happened, and the proof of it"),
        (name = "Webhooks", description = "Telling other systems what happened"),
        (name = "Purchases", description = "Licenses for paid checkouts, and mails with their keys"),
        (name = "API keys", description = "Who may ask, and what"),
        (name = "Sessions", description = "Logging in and out of the dashboard"),
        (name = "Tenants", description = "Vendors on one server, each with a ledger of its own"),
        (name = "Service", description = "The server itself"),
    ),
    components(schemas(ProblemBody)),
    modifiers(&ApiKeys)
)]
struct Document;

struct ApiKeys;

impl Modify for ApiKeys {
    fn modify(&self, document: &mut Description) {
        let header = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
            "X-Vinzy-Api-Key",
            "An API key. Where a list of roles stands beside it, the key must have one of these scopes.",
        )));
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        let session = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
            "vinzy_session",
            "A session that `POST /session` has begun; `__Host-vinzy_session` over an encrypted connection.",
        )));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("apiKey", header);
        components.add_security_scheme("bearer", bearer);
        components.add_security_scheme("session", session);
    }
}

/// A router whose routes will be described.
pub(super) fn described() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
}

/// Says of every operation that what else it answers is a problem document. What our router calls the rest of a path is
/// a parameter like others here.
pub(super) fn with_problems(mut document: Description) -> Description {
    let paths = std::mem::take(&mut document.paths.paths);
    document.paths.paths = paths
        .into_iter()
        .map(|(path, item)| (path.replace("{*", "{"), item))
        .collect();
    let content = Content::new(Some(Ref::from_schema_name("Problem")));
    let problem = ResponseBuilder::new()
        .description("Anything else is a problem document: see `/docs/problems`.")
        .content("application/problem+json", content)
        .build();
    for item in document.paths.paths.values_mut() {
        for (_, operation) in operations(item) {
            let responses = &mut operation.responses.responses;
            responses
                .entry("default".to_owned())
                .or_insert_with(|| problem.clone().into());
        }
    }
    document
}

/// `/openapi.json`, and `/docs` to read it.
pub(super) fn documents(description: Description) -> Router<App> {
    // Written once: it is long.
    let json = Bytes::from(serde_json::to_vec(&description).expect("a description has string keys"));
    let answer = move || std::future::ready(([(header::CONTENT_TYPE, "application/json")], json.clone()));
    Router::new()
        .route("/openapi.json", get(answer))
        .route("/docs", get(page))
        .route("/docs/problems", get(problems_page))
        .route("/docs/docs.js", get(script))
        .route("/docs/docs.css", get(style))
}

async fn page() -> Response {
    html(include_str!("docs/index.html").to_owned())
}

/// The same page, one step further down: what it refers to stands one step up.
async fn problems_page() -> Response {
    html(include_str!("docs/index.html").replace("\"docs/docs.", "\"docs."))
}

fn html(page: String) -> Response {
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                  base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, policy),
    ];
    (headers, page).into_response()
}

async fn script() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")],
        include_str!("docs/docs.js"),
    )
}

async fn style() -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/css; charset=utf-8")],
        include_str!("docs/docs.css"),
    )
}
