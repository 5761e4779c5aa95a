//! Calls from web pages of other origins: allowed for those that the server's settings or a tenant's name. Cookies are
//! never let along.

use std::sync::{Arc, OnceLock};

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::app::App;

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PATCH, DELETE");
const REQUEST_HEADERS: HeaderValue =
    HeaderValue::from_static("authorization, content-type, idempotency-key, x-request-id, x-vinzy-api-key");
const RESPONSE_HEADERS: HeaderValue = HeaderValue::from_static(
    "link, retry-after, x-request-id, x-total-count, x-vinzy-event-hash, x-vinzy-ledger-position",
);
/// Answers to pages differ by their origin.
pub const VARY: HeaderValue = HeaderValue::from_static("origin");
/// How long a browser need not ask again, in seconds.
const MAX_AGE: u32 = 600;

/// Whose request it turned out to be: the tenant's ledger, set once its API key is known. A license key opens nothing
/// but its license, so pages of any tenant may ask with one.
#[derive(Clone, Default)]
pub struct Served(Arc<OnceLock<Arc<str>>>);

impl Served {
    /// Notes whose it is.
    pub fn is(&self, ledger_id: &Arc<str>) {
        self.0.get_or_init(|| Arc::clone(ledger_id));
    }
}

/// A request that a web page of another origin made, or wants to make.
pub struct FromPage {
    origin: HeaderValue,
    served: Served,
}

impl FromPage {
    /// The request's origin, if it names one.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        Some(Self {
            origin: headers.get(header::ORIGIN)?.clone(),
            served: Served::default(),
        })
    }

    /// Where it is noted whose request it is.
    pub fn served(&self) -> Served {
        self.served.clone()
    }

    /// Answers a browser's question whether it may ask; `None` if this is no such question.
    pub fn preflight(&self, method: &Method, headers: &HeaderMap, app: &App) -> Option<Response> {
        if method != Method::OPTIONS || !headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
            return None;
        }
        let mut response = StatusCode::NO_CONTENT.into_response();
        if self.is_allowed(app) {
            let headers = response.headers_mut();
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE.into());
        }
        Some(response)
    }

    /// Lets the page see the answer, if it may.
    pub fn finish(&self, headers: &mut HeaderMap, app: &App) {
        if self.is_allowed(app) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, self.origin.clone());
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
        }
    }

    fn is_allowed(&self, app: &App) -> bool {
        let Ok(origin) = self.origin.to_str() else {
            return false;
        };
        if app.access_config.cors_origins.iter().any(|one| one == origin) {
            return true;
        }
        match self.served.0.get() {
            Some(ledger_id) => {
                let tenant = app.tenants.of(ledger_id);
                tenant.cors_origins.iter().any(|one| one == origin)
            }
            None => app.tenants.any_allows_origin(origin),
        }
    }
}
