//! Who calls: a handler's signature says whether that matters; whether they may is settled here, by the table of
//! [`access`](super::access).

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use vinzy_events::access::Scope;
use vinzy_events::ledger::Actor;

use super::access::{Access, Route};
use super::client::{Client, is_foreign};
use super::cors::Served;
use super::problem::Problem;
use super::shell::RequestId;
use crate::access::sessions::{self, Session};
use crate::access::{Key, Principal, TenantKey, Unavailable};
use crate::app::App;
use crate::commands::{Context, Order, ReceiptSlot};
use crate::directory::Located;
use crate::limits::Limited;
use crate::tenants::Asking;

/// The header that makes a request safe to repeat.
pub(super) const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Longest `Idempotency-Key`, in characters.
const MAX_IDEMPOTENCY_KEY: usize = 255;
/// The cookie of a session, over an encrypted connection: browsers take it from this host alone.
pub(super) const SECURE_COOKIE: &str = "__Host-vinzy_session";
/// The same without encryption.
pub(super) const PLAIN_COOKIE: &str = "vinzy_session";

/// Somebody who may do what the route does.
pub struct Caller {
    /// The ledger they work on.
    pub ledger_id: Arc<str>,
    /// Who they are, for the ledger.
    pub actor: Actor,
    key: Key,
    request: RequestId,
    receipt: ReceiptSlot,
    idempotency: Option<(String, String)>,
}

impl Caller {
    /// Whether they might call a route of `access`, too.
    pub fn may(&self, access: Access) -> bool {
        match (access.scopes(), &self.key) {
            (Some(_), Key::Admin) => true,
            (Some(scopes), Key::Tenant(key)) => has_one(key, scopes),
            _ => false,
        }
    }

    /// The `Idempotency-Key` header.
    pub fn idempotency_key(&self) -> Option<String> {
        self.idempotency.as_ref().map(|(key, _)| key.clone())
    }

    /// The command's order: who gives it, and what makes it safe to repeat, if the caller wants that.
    pub fn order(mut self, app: &App, canonical_body: &[u8]) -> Order {
        let idempotency = self.idempotency.take();
        self.order_with(app, idempotency, canonical_body)
    }

    /// The command's order, with an idempotency key and what it is used for.
    pub fn order_with(
        self,
        app: &App,
        idempotency: Option<(String, String)>,
        canonical_body: &[u8],
    ) -> Order {
        let idempotency = idempotency
            .map(|(key, operation)| app.request_hasher.idempotency(&key, &operation, canonical_body));
        let context = Context {
            actor: self.actor,
            correlation_id: Some(self.request.as_str().to_owned()),
            causation_id: None,
            receipt: self.receipt,
        };
        Order {
            ledger_id: self.ledger_id,
            context,
            idempotency,
        }
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let known = Known::from_request_parts(parts, app).await?;
        let access = parts.extensions.get::<Route>().map(|route| route.access);
        let ledger_id = match (access, &known.principal.key) {
            (Some(Access::SuperAdmin), Key::SuperAdmin) => Arc::clone(&app.system_ledger),
            (Some(Access::SuperAdmin), _) => {
                return Err(forbidden("Only the super-admin key may do this."));
            }
            (Some(access), key) => {
                let scopes = access.scopes().unwrap_or_default();
                allowed(key, scopes, app)?
            }
            // A route that is not in the table opens for nobody.
            (None, _) => return Err(forbidden("Nobody may do this.")),
        };
        Ok(Self {
            ledger_id,
            actor: known.actor(),
            key: known.principal.key,
            request: RequestId::of(parts),
            receipt: receipt_slot(parts),
            idempotency: idempotency_key(parts)?,
        })
    }
}

/// The ledger that a key opens with one of `scopes`.
pub(super) fn allowed(key: &Key, scopes: &[Scope], app: &App) -> Result<Arc<str>, Problem> {
    match key {
        Key::SuperAdmin => Err(forbidden(
            "The super-admin key opens nothing within tenants; use an API key of the tenant here.",
        )),
        Key::Admin => Ok(Arc::clone(&app.default_ledger)),
        Key::Tenant(key) if has_one(key, scopes) => Ok(Arc::clone(&key.ledger_id)),
        Key::Tenant(_) => {
            let names: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
            let detail = format!(
                "This API key may not do that: it takes the scope {}.",
                names.join(" or ")
            );
            Err(forbidden(detail).with("required_scopes", names))
        }
    }
}

fn has_one(key: &TenantKey, scopes: &[Scope]) -> bool {
    scopes.iter().any(|scope| key.scopes.contains(scope))
}

/// Somebody with a key that we know, whatever it may do.
pub struct Known {
    /// Whose key it is.
    pub principal: Principal,
    /// The session that stands for the key.
    pub session: Option<Session>,
}

impl Known {
    fn actor(&self) -> Actor {
        let (id, name) = match &self.principal.key {
            Key::SuperAdmin => ("super_admin".to_owned(), None),
            Key::Admin => ("admin".to_owned(), None),
            Key::Tenant(key) => (key.id.to_string(), Some(key.name.clone())),
        };
        let via = if self.session.is_some() {
            "dashboard"
        } else {
            "api"
        };
        Actor {
            id,
            kind: "api_key".into(),
            name,
            via: via.into(),
        }
    }
}

impl FromRequestParts<App> for Known {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let known = match api_key(&parts.headers) {
            Some(key) => {
                let principal = app.access.who(key, app.clock.now()).await?;
                let principal = principal.ok_or_else(|| unauthorized("The API key is not known."))?;
                Self {
                    principal,
                    session: None,
                }
            }
            None => by_cookie(parts, app).await?.ok_or_else(|| {
                unauthorized("An API key is needed: send it as `X-Vinzy-Api-Key` or `Authorization: Bearer`.")
            })?,
        };
        admit(&known.principal, parts, app)?;
        Ok(known)
    }
}

/// Counts a request of a key's, and notes whose it is.
fn admit(principal: &Principal, parts: &Parts, app: &App) -> Result<(), Limited> {
    let ledger_id = match &principal.key {
        Key::SuperAdmin => &app.system_ledger,
        Key::Admin => &app.default_ledger,
        Key::Tenant(key) => &key.ledger_id,
    };
    if let Some(served) = parts.extensions.get::<Served>() {
        served.is(ledger_id);
    }
    // A key that asks too much by itself takes nothing from the tenant's others.
    app.limits.key(principal.bucket())?;
    app.tenants.of(ledger_id).take(Asking::ApiKey)
}

async fn by_cookie(parts: &Parts, app: &App) -> Result<Option<Known>, Problem> {
    let Some(token) = session_token(&parts.headers, parts.extensions.get()) else {
        return Ok(None);
    };
    let now = app.clock.now();
    let Some(session) = sessions::find(&app.vital, &token, now).await? else {
        return Err(unauthorized("The session has ended: log in again."));
    };
    // Browsers send cookies along with what other pages make them ask.
    if parts.method != Method::GET && parts.method != Method::HEAD && is_foreign(parts) {
        return Err(forbidden("This request was made by another web page."));
    }
    let principal = app.access.who_had(session.key_digest, now).await?;
    let principal =
        principal.ok_or_else(|| unauthorized("The API key of this session opens nothing any more."))?;
    Ok(Some(Known {
        principal,
        session: Some(session),
    }))
}

/// The token in a session's cookie. Over an encrypted connection only the cookie counts that nobody else can set.
pub(super) fn session_token(headers: &HeaderMap, client: Option<&Client>) -> Option<String> {
    let encrypted = client.is_some_and(|client| client.encrypted);
    let own = if encrypted { SECURE_COOKIE } else { PLAIN_COOKIE };
    let cookies = headers.get_all(header::COOKIE).into_iter();
    let mut pairs = cookies
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs
        .find(|(name, _)| *name == own)
        .map(|(_, token)| token.to_owned())
}

/// Whoever calls with a license key in the body: the ledger is known once the license is found.
pub struct Visitor {
    request: RequestId,
    receipt: ReceiptSlot,
    idempotency: Option<(String, String)>,
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        Ok(Self {
            request: RequestId::of(parts),
            receipt: receipt_slot(parts),
            idempotency: idempotency_key(parts)?,
        })
    }
}

impl Visitor {
    /// The `Idempotency-Key` header.
    pub fn idempotency_key(&self) -> Option<&str> {
        self.idempotency.as_ref().map(|(key, _)| key.as_str())
    }

    /// The command's order, safe to repeat if the header says so.
    pub fn order(&self, app: &App, located: &Located, canonical_body: &[u8]) -> Order {
        let idempotency = self
            .idempotency
            .as_ref()
            .map(|(key, operation)| (key.as_str(), operation.as_str()));
        self.order_with(app, located, idempotency, canonical_body)
    }

    /// The order of somebody whom the body's signature tells, on a ledger.
    pub fn order_as(&self, ledger_id: Arc<str>, actor: Actor) -> Order {
        let context = Context {
            actor,
            correlation_id: Some(self.request.as_str().to_owned()),
            causation_id: None,
            receipt: self.receipt.clone(),
        };
        Order {
            ledger_id,
            context,
            idempotency: None,
        }
    }

    /// The command's order, with an idempotency key and what it is used for.
    pub fn order_with(
        &self,
        app: &App,
        located: &Located,
        idempotency: Option<(&str, &str)>,
        canonical_body: &[u8],
    ) -> Order {
        let license_id = located.license_id;
        let context = Context {
            actor: Actor {
                id: license_id.to_string(),
                kind: "license_key".into(),
                name: None,
                via: "api".into(),
            },
            correlation_id: Some(self.request.as_str().to_owned()),
            causation_id: None,
            receipt: self.receipt.clone(),
        };
        Order {
            ledger_id: Arc::clone(&located.ledger_id),
            context,
            idempotency: idempotency.map(|(key, operation)| {
                app.request_hasher
                    .idempotency_of_license(license_id, key, operation, canonical_body)
            }),
        }
    }
}

/// Where the request's receipt goes, from where the answer's headers are made.
fn receipt_slot(parts: &Parts) -> ReceiptSlot {
    parts.extensions.get().cloned().unwrap_or_default()
}

fn api_key(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(key) = headers.get("x-vinzy-api-key") {
        return Some(key.as_bytes());
    }
    bearer(headers)
}

/// What `Authorization: Bearer` shows.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, key) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| key.trim_ascii())
}

/// The key, and what it is used for: a request to another place is another request.
fn idempotency_key(parts: &Parts) -> Result<Option<(String, String)>, Problem> {
    let Some(value) = parts.headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let key = value.to_str().unwrap_or_default();
    if !(1..=MAX_IDEMPOTENCY_KEY).contains(&key.len()) {
        let must = format!("must have 1 to {MAX_IDEMPOTENCY_KEY} ASCII characters");
        return Err(Problem::field("Idempotency-Key", must));
    }
    Ok(Some((
        key.to_owned(),
        format!("{} {}", parts.method, parts.uri.path()),
    )))
}

pub(super) fn unauthorized(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", detail)
}

pub(super) fn forbidden(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "FORBIDDEN", detail)
}

impl From<Unavailable> for Problem {
    fn from(_: Unavailable) -> Self {
        let detail = "It cannot be found out at the moment whose API key this is.";
        Self::unavailable("DATABASE_UNAVAILABLE", detail, 1)
    }
}

impl From<Limited> for Problem {
    fn from(limited: Limited) -> Self {
        let seconds = limited.retry_after_seconds;
        let detail = format!("Too many requests: try again in {seconds} s.");
        Self::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", detail).retry_after(seconds)
    }
}
