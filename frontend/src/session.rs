//! Who is logged in, and what they may do.

use std::cell::RefCell;

use leptos::prelude::*;
use vinzy_client::access::Session;
use vinzy_client::calls;
use vinzy_client::service::Problem;

use crate::api;

/// What is known of the session.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// Nothing yet: the server was asked.
    Asking,
    /// The server did not say.
    Unknown(Problem),
    /// Nobody is logged in.
    Out {
        /// Somebody was, until a moment ago.
        ended: bool,
    },
    /// Somebody is.
    In(Session),
}

thread_local! {
    static CURRENT: RefCell<Option<ArcRwSignal<State>>> = const { RefCell::new(None) };
}

/// The session of this page.
pub fn state() -> ArcRwSignal<State> {
    CURRENT.with_borrow_mut(|current| {
        current
            .get_or_insert_with(|| ArcRwSignal::new(State::Asking))
            .clone()
    })
}

/// Asks the server who is logged in.
pub fn ask() {
    state().set(State::Asking);
    api::spawn(async {
        let answer = api::send(&calls::session::get()).await;
        state().set(match answer {
            Ok(session) => State::In(session),
            Err(problem) if problem.status == 401 => State::Out { ended: false },
            Err(problem) => State::Unknown(problem),
        });
    });
}

/// An answer said that there is no session any more. The page stays where it is, so that whoever logs in again goes on
/// there.
pub fn ended() {
    let state = state();
    if matches!(*state.read_untracked(), State::In(_)) {
        state.set(State::Out { ended: true });
    }
}

/// What the one who is logged in may do; what they may not is not offered. The server decides all the same.
///
/// One question for each row of the guide's table of who may do what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub struct May {
    /// Read what belongs to the business.
    pub read: bool,
    /// Read usage.
    pub read_usage: bool,
    /// Read what happened to a license.
    pub read_audit: bool,
    /// Verify the whole ledger, and explore it.
    pub verify: bool,
    /// Issue and change customers and licenses.
    pub issue: bool,
    /// Help a customer now: suspend, reinstate, free a seat.
    pub help: bool,
    /// Deal with anomalies.
    pub resolve: bool,
    /// Everything else in a tenant.
    pub administer: bool,
    /// Run the server: tenants, settings.
    pub operate: bool,
}

impl May {
    /// What a session may do.
    pub fn of(session: &Session) -> Self {
        let any = |scopes: &[&str]| {
            session
                .scopes
                .iter()
                .any(|scope| scopes.contains(&scope.as_str()))
        };
        Self {
            read: any(&["admin", "issuer", "support", "read"]),
            read_usage: any(&["admin", "issuer", "support", "meter", "read"]),
            read_audit: any(&["admin", "support", "read", "audit"]),
            verify: any(&["admin", "audit"]),
            issue: any(&["admin", "issuer"]),
            help: any(&["admin", "issuer", "support"]),
            resolve: any(&["admin", "support"]),
            administer: any(&["admin"]),
            operate: session.role == "super_admin",
        }
    }
}

/// What the one who is logged in may do. Only pages ask, which are shown to nobody else and made anew for each.
pub fn may() -> May {
    match &*state().read_untracked() {
        State::In(session) => May::of(session),
        _ => May::default(),
    }
}

/// The tenant whose ledger is seen; the default one's name is `default`.
pub fn tenant() -> String {
    match &*state().read_untracked() {
        State::In(session) => session.tenant.clone().unwrap_or_else(|| "default".to_owned()),
        _ => "default".to_owned(),
    }
}
