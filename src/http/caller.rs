//! Who calls, and what they may do: it stands in a handler's signature.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use vinzy_events::ledger::Actor;

use super::problem::Problem;
use super::shell::RequestId;
use crate::app::App;
use crate::commands::{Context, Order};
use crate::directory::Located;

/// The header that makes a request safe to repeat.
pub(super) const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Longest `Idempotency-Key`, in characters.
const MAX_IDEMPOTENCY_KEY: usize = 255;

/// Whoever holds the admin's key.
pub struct Admin;

/// A caller who may do what `K` may.
pub struct Caller<K> {
    /// The ledger they work on.
    pub ledger_id: Arc<str>,
    /// Who they are, for the ledger.
    pub actor: Actor,
    request: RequestId,
    idempotency: Option<(String, String)>,
    kind: PhantomData<K>,
}

/// The API keys that the server knows, as digests.
pub struct AuthKeys {
    admin: [u8; 32],
    super_admin: [u8; 32],
}

impl AuthKeys {
    /// From the keys themselves.
    pub fn new(admin: &str, super_admin: &str) -> Self {
        Self {
            admin: digest(admin),
            super_admin: digest(super_admin),
        }
    }
}

impl<K> Caller<K> {
    /// The command's order: who gives it, and what makes it safe to repeat, if the caller wants that.
    pub fn order(self, app: &App, canonical_body: &[u8]) -> Order {
        let idempotency = self
            .idempotency
            .map(|(key, operation)| app.request_hasher.idempotency(&key, &operation, canonical_body));
        let context = Context {
            actor: self.actor,
            correlation_id: Some(self.request.as_str().to_owned()),
            causation_id: None,
        };
        Order {
            ledger_id: self.ledger_id,
            context,
            idempotency,
        }
    }
}

impl FromRequestParts<App> for Caller<Admin> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let key = api_key(&parts.headers).ok_or_else(|| {
            unauthorized("An API key is needed: send it as `X-Vinzy-Api-Key` or `Authorization: Bearer`.")
        })?;
        let given = digest(key);
        // Both are compared whatever the first gives, so that time tells nothing.
        let is_admin = given.ct_eq(&app.auth.admin);
        let is_super_admin = given.ct_eq(&app.auth.super_admin);
        if bool::from(is_super_admin) {
            let detail = "The super-admin key manages tenants only; use the admin key here.";
            return Err(Problem::new(StatusCode::FORBIDDEN, "FORBIDDEN", detail));
        }
        if !bool::from(is_admin) {
            return Err(unauthorized("The API key is not known."));
        }
        Ok(Self {
            ledger_id: Arc::clone(&app.default_ledger),
            actor: Actor {
                id: "admin".into(),
                kind: "api_key".into(),
                via: "api".into(),
            },
            request: RequestId::of(parts),
            idempotency: idempotency_key(parts)?,
            kind: PhantomData,
        })
    }
}

/// Whoever calls with a license key in the body: the ledger is known once the license is found.
pub struct Visitor {
    request: RequestId,
    idempotency: Option<(String, String)>,
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        Ok(Self {
            request: RequestId::of(parts),
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
                via: "api".into(),
            },
            correlation_id: Some(self.request.as_str().to_owned()),
            causation_id: None,
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

fn api_key(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(key) = headers.get("x-vinzy-api-key") {
        return Some(key.as_bytes());
    }
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

fn unauthorized(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", detail)
}

fn digest(key: impl AsRef<[u8]>) -> [u8; 32] {
    Sha256::digest(key.as_ref()).into()
}
