//! Who may call which route: the one table, which the server checks, the `OpenAPI` document shows and the guide's
//! table is made from.

use std::collections::HashMap;

use axum::http::Method;
use utoipa::openapi::path::{HttpMethod, Operation, PathItem};
use utoipa::openapi::security::SecurityRequirement;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use vinzy_events::access::Scope;

use super::body::MAX_BODY;
use crate::app::App;
use crate::limits::Kind;

/// What the role of the super-admin's key is called beside the scopes of tenants' keys.
pub const SUPER_ADMIN: &str = "super_admin";

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Whoever watches the server: no limits but the addresses'.
    Probe,
    /// Whoever watches the server from inside: the admin's addresses, and the token for metrics if there is one.
    Metrics,
    /// Everyone; a license key in the request says for which license.
    Open,
    /// A key with one of these scopes; the admin's key has all of them in the default tenant.
    Scopes(&'static [Scope]),
    /// As [`Access::Scopes`], and everyone if the tenant says so.
    Ledger(&'static [Scope]),
    /// The super-admin's key.
    SuperAdmin,
    /// Whoever wants to log in, with any key.
    LogIn,
    /// Any key, whatever it may do.
    AnyKey,
}

/// Reading what belongs to the business.
pub const READ: Access = Access::Scopes(&[Scope::Admin, Scope::Issuer, Scope::Support, Scope::Read]);
/// Reading usage.
pub const READ_USAGE: Access = Access::Scopes(&[
    Scope::Admin,
    Scope::Issuer,
    Scope::Support,
    Scope::Meter,
    Scope::Read,
]);
/// Reading what happened to a license.
pub const READ_AUDIT: Access = Access::Scopes(&[Scope::Admin, Scope::Support, Scope::Read, Scope::Audit]);
/// Verifying the whole ledger.
pub const VERIFY: Access = Access::Scopes(&[Scope::Admin, Scope::Audit]);
/// Reading the ledger's checkpoints and proofs.
pub const PROVE: Access = Access::Ledger(&[Scope::Admin, Scope::Audit]);
/// Customers and licenses.
pub const ISSUE: Access = Access::Scopes(&[Scope::Admin, Scope::Issuer]);
/// What helps a customer now.
pub const HELP: Access = Access::Scopes(&[Scope::Admin, Scope::Issuer, Scope::Support]);
/// Dealing with anomalies.
pub const RESOLVE: Access = Access::Scopes(&[Scope::Admin, Scope::Support]);
/// Recording usage without the license key.
pub const METER: Access = Access::Scopes(&[Scope::Admin, Scope::Meter]);
/// What is sold, who has keys, and taking away for good.
pub const ADMINISTER: Access = Access::Scopes(&[Scope::Admin]);

impl Access {
    /// Which rate limit of client addresses holds; `None` for none.
    pub const fn limit(self) -> Option<Kind> {
        match self {
            Self::Probe => None,
            Self::Open | Self::Metrics => Some(Kind::Public),
            Self::Scopes(_) | Self::Ledger(_) | Self::SuperAdmin | Self::AnyKey => Some(Kind::Admin),
            Self::LogIn => Some(Kind::LogIn),
        }
    }

    /// Whether only the addresses of admins may call it; of a ledger that is not public its handler sees to that.
    pub const fn is_for_admins(self) -> bool {
        !matches!(self, Self::Probe | Self::Open | Self::Ledger(_))
    }

    /// The scopes one of which a key must have.
    pub const fn scopes(self) -> Option<&'static [Scope]> {
        match self {
            Self::Scopes(scopes) | Self::Ledger(scopes) => Some(scopes),
            _ => None,
        }
    }

    /// What the `OpenAPI` document says of it: one of several ways to show a key, each with the roles (scopes) that
    /// open. Nothing at all is said of what stands open.
    fn requirements(self) -> Option<Vec<SecurityRequirement>> {
        let roles: Vec<&str> = match self {
            Self::Probe | Self::Metrics | Self::Open | Self::LogIn => return None,
            Self::Scopes(scopes) | Self::Ledger(scopes) => {
                scopes.iter().map(|scope| scope.as_str()).collect()
            }
            Self::SuperAdmin => vec![SUPER_ADMIN],
            Self::AnyKey => vec![],
        };
        let by = |scheme: &str| SecurityRequirement::new(scheme, roles.clone());
        let mut requirements = vec![by("apiKey"), by("bearer"), by("session")];
        if matches!(self, Self::Ledger(_)) {
            requirements.push(SecurityRequirement::default());
        }
        Some(requirements)
    }
}

/// What is known of a route before its handler runs.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// Who may call it.
    pub access: Access,
    /// The longest body, in bytes.
    pub max_body: usize,
    /// Whether it takes room to work. What waits takes none, and bounds itself.
    pub takes_room: bool,
    /// Whether its answer may take long to begin.
    pub takes_time: bool,
}

/// Routes by method and path, as they are matched.
pub type RouteTable = HashMap<String, Vec<(Method, Route)>>;

/// Routes in the making, each with who may call it.
pub(super) struct Routes {
    router: OpenApiRouter<App>,
    table: RouteTable,
}

impl Routes {
    pub(super) fn new(router: OpenApiRouter<App>) -> Self {
        Self {
            router,
            table: RouteTable::new(),
        }
    }

    /// Adds routes that may be called as `access` says.
    pub(super) fn allow(self, access: Access, routes: UtoipaMethodRouter<App>) -> Self {
        self.allow_large(access, MAX_BODY, routes)
    }

    /// As [`Routes::allow`], for routes that may wait for something to happen.
    pub(super) fn allow_waiting(self, access: Access, routes: UtoipaMethodRouter<App>) -> Self {
        let route = Route {
            access,
            max_body: MAX_BODY,
            takes_room: false,
            takes_time: true,
        };
        self.add(route, routes)
    }

    /// As [`Routes::allow`], for routes that look at as much as there is.
    pub(super) fn allow_long(self, access: Access, routes: UtoipaMethodRouter<App>) -> Self {
        let route = Route {
            access,
            max_body: MAX_BODY,
            takes_room: true,
            takes_time: true,
        };
        self.add(route, routes)
    }

    /// As [`Routes::allow`], for routes with longer bodies.
    pub(super) fn allow_large(
        self,
        access: Access,
        max_body: usize,
        routes: UtoipaMethodRouter<App>,
    ) -> Self {
        let takes_room = !matches!(access, Access::Probe | Access::Metrics);
        let route = Route {
            access,
            max_body,
            takes_room,
            takes_time: false,
        };
        self.add(route, routes)
    }

    fn add(mut self, route: Route, mut routes: UtoipaMethodRouter<App>) -> Self {
        for (path, item) in &mut routes.1.paths {
            let methods = self.table.entry(path.clone()).or_default();
            for (method, operation) in operations(item) {
                operation.security = route.access.requirements();
                methods.push((method, route));
            }
        }
        self.router = self.router.routes(routes);
        self
    }

    pub(super) fn into_parts(self) -> (OpenApiRouter<App>, RouteTable) {
        (self.router, self.table)
    }
}

/// The operations of a path, with their methods.
pub(super) fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    [
        (HttpMethod::Get, &mut item.get),
        (HttpMethod::Put, &mut item.put),
        (HttpMethod::Post, &mut item.post),
        (HttpMethod::Patch, &mut item.patch),
        (HttpMethod::Delete, &mut item.delete),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method_of(&method), operation.as_mut()?)))
}

fn method_of(method: &HttpMethod) -> Method {
    match method {
        HttpMethod::Put => Method::PUT,
        HttpMethod::Post => Method::POST,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Delete => Method::DELETE,
        _ => Method::GET,
    }
}
