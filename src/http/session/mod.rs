//! `/session`: logging in and out of the dashboard.
//!
//! The cookie holds a random token and nothing else. Scripts cannot read it (`HttpOnly`), other sites cannot make
//! browsers send it (`SameSite=Strict`), and what changes something is refused when another page asks for it.

pub mod create;
pub mod delete;
pub mod get;

use axum::extract::FromRequestParts;
use axum::http::HeaderValue;
use axum::http::request::Parts;
use vinzy_client::access as wire;
use vinzy_events::Timestamp;
use vinzy_events::access::Scope;

use super::access::SUPER_ADMIN;
use super::api_keys::names;
use super::caller::{PLAIN_COOKIE, SECURE_COOKIE, forbidden, session_token};
use super::client::{Client, is_foreign};
use super::problem::Problem;
use crate::access::Key;
use crate::app::{App, DEFAULT_LEDGER};

/// The session that a browser has; no other web page may end or replace it.
pub struct Before(Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for Before {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        if is_foreign(parts) {
            return Err(forbidden("This request was made by another web page."));
        }
        Ok(Self(session_token(&parts.headers, parts.extensions.get())))
    }
}

/// What `GET /session` says.
fn wire(key: &Key, expires_at: Option<Timestamp>) -> wire::Session {
    let session = wire::Session {
        role: String::new(),
        tenant: None,
        api_key_id: None,
        name: String::new(),
        scopes: vec![],
        expires_at: expires_at.map(|at| at.to_string()),
    };
    match key {
        Key::SuperAdmin => wire::Session {
            role: SUPER_ADMIN.to_owned(),
            name: "super-admin".to_owned(),
            ..session
        },
        Key::Admin => wire::Session {
            role: "admin".to_owned(),
            tenant: Some(DEFAULT_LEDGER.to_owned()),
            name: "admin".to_owned(),
            scopes: names(Scope::ALL),
            ..session
        },
        Key::Tenant(key) => wire::Session {
            role: "tenant".to_owned(),
            tenant: Some(key.ledger_id.to_string()),
            api_key_id: Some(key.id.to_string()),
            name: key.name.clone(),
            scopes: names(key.scopes.iter().copied()),
            ..session
        },
    }
}

/// Sets the cookie of a session for some seconds; none clears it.
fn cookie(app: &App, client: Client, token: &str, max_age_seconds: u32) -> Option<HeaderValue> {
    let rest = format!("Max-Age={max_age_seconds}; HttpOnly; SameSite=Strict");
    let text = if client.encrypted {
        format!("{SECURE_COOKIE}={token}; Path=/; {rest}; Secure")
    } else {
        let path = if app.api_prefix.is_empty() {
            "/"
        } else {
            &app.api_prefix
        };
        format!("{PLAIN_COOKIE}={token}; Path={path}; {rest}")
    };
    HeaderValue::try_from(text).ok()
}
