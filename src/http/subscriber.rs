//! Somebody who stays for a while: what they may do is looked at again.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use vinzy_events::access::Scope;
use vinzy_events::key::KeyDigest;

use crate::access::{Key, Principal, sessions};
use crate::app::App;
use crate::event_feed::{Crowded, HIDDEN, Place};
use crate::http::access::Route;
use crate::http::caller::{Known, allowed, forbidden, session_token, unauthorized};
use crate::http::problem::Problem;

/// When whoever finds no place should come again, in seconds.
const RETRY_AFTER: u32 = 5;

/// Somebody who may read for long, from a place that is theirs meanwhile.
pub struct Subscriber {
    /// The ledger they read.
    pub ledger_id: Arc<str>,
    /// Whether they see everything in it.
    pub sees_all: bool,
    digest: KeyDigest,
    session: Option<String>,
    scopes: &'static [Scope],
    /// Theirs until they go.
    _place: Place,
}

impl FromRequestParts<App> for Subscriber {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Known { principal, session } = Known::from_request_parts(parts, app).await?;
        let route = parts.extensions.get::<Route>();
        let scopes = route.and_then(|route| route.access.scopes()).unwrap_or_default();
        let ledger_id = allowed(&principal.key, scopes, app)?;
        let session = session.and_then(|_| session_token(&parts.headers, parts.extensions.get()));
        let place = app.event_feed.place(principal.bucket(), &ledger_id)?;
        Ok(Self {
            sees_all: sees_all(&principal),
            digest: principal.digest,
            ledger_id,
            session,
            scopes,
            _place: place,
        })
    }
}

impl Subscriber {
    /// Refuses whoever may not read what they were let in for any more, on any node.
    pub async fn check(&self, app: &App) -> Result<(), Problem> {
        let now = app.clock.now();
        if let Some(token) = &self.session
            && sessions::find(&app.vital, token, now).await?.is_none()
        {
            return Err(unauthorized("The session has ended: log in again."));
        }
        let principal = app.access.who_had(self.digest, now).await?;
        let principal = principal.ok_or_else(|| unauthorized("The API key is not known any more."))?;
        allowed(&principal.key, self.scopes, app)?;
        if self.sees_all && !sees_all(&principal) {
            return Err(forbidden(
                "The API key may do less than when the request began: repeat it.",
            ));
        }
        Ok(())
    }
}

fn sees_all(principal: &Principal) -> bool {
    match &principal.key {
        Key::Admin => true,
        Key::SuperAdmin => false,
        Key::Tenant(key) => HIDDEN.1.iter().any(|scope| key.scopes.contains(scope)),
    }
}

impl From<Crowded> for Problem {
    fn from(crowded: Crowded) -> Self {
        match crowded {
            Crowded::Caller => Self::new(
                axum::http::StatusCode::TOO_MANY_REQUESTS,
                "TOO_MANY_READERS",
                "This API key, or its tenant, reads events and exports as often at a time as it may: end another request first.",
            )
            .retry_after(RETRY_AFTER),
            Crowded::Node => Self::unavailable(
                "OVERLOADED",
                "As many read events and exports from this server as can. Repeat the request.",
                RETRY_AFTER,
            ),
        }
    }
}
