//! What a request must pass before its handler runs: addresses, rates, the size of its body, and room to work. What
//! is refused here has cost next to nothing.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use http_body_util::BodyExt;
use ipnet::IpNet;
use subtle::ConstantTimeEq;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::access::{Access, Route};
use super::body::{announced_too_large, body_problem, too_large};
use super::caller::{bearer, forbidden, unauthorized};
use super::client::Client;
use super::problem::Problem;
use crate::app::App;
use crate::config::AccessConfig;

/// What all bodies together may take while they come in and are worked on, in KiB: 128 MiB.
const BODIES_KIB: usize = 128 * 1024;
/// When whoever finds no room should come again, in seconds.
const RETRY_AFTER: u32 = 1;

/// The room there is on this node.
pub struct Room {
    requests: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
}

/// Room that a request takes until it is answered.
pub struct Taken {
    _request: Option<OwnedSemaphorePermit>,
    _body: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// As much as `config` says.
    pub fn new(config: &AccessConfig) -> Self {
        Self {
            requests: Arc::new(Semaphore::new(config.max_concurrent_requests as usize)),
            bodies: Arc::new(Semaphore::new(BODIES_KIB)),
        }
    }
}

/// Lets a request in that `client` sends to `route`, with its body read, or says why not.
pub async fn pass(
    app: &App,
    room: &Room,
    client: Client,
    route: Option<Route>,
    request: Request,
) -> Result<(Request, Taken), Problem> {
    let config = &app.access_config;
    if !is_listed(&config.ip_allowlist, client.address) {
        return Err(not_from_here());
    }
    // What leads nowhere costs as much as what stands open.
    let access = route.map_or(Access::Open, |route| route.access);
    if access.is_for_admins() && !is_listed(&config.admin_ip_allowlist, client.address) {
        return Err(not_from_here());
    }
    if access == Access::Metrics {
        may_read_metrics(config, &request)?;
    }
    if let Some(kind) = access.limit() {
        app.limits.request(kind, client.address)?;
    }
    let (request, body) = match route {
        Some(route) if !request.body().is_end_stream() => read(request, route.max_body, &room.bodies).await?,
        _ => (request, None),
    };
    let permit = match access {
        Access::Probe | Access::Metrics => None,
        _ => Some(
            Arc::clone(&room.requests)
                .try_acquire_owned()
                .map_err(|_| overloaded())?,
        ),
    };
    let taken = Taken {
        _request: permit,
        _body: body,
    };
    Ok((request, taken))
}

/// Reads the body before room to work is taken, so that who sends it slowly keeps nobody out.
async fn read(
    request: Request,
    max_body: usize,
    room: &Arc<Semaphore>,
) -> Result<(Request, Option<OwnedSemaphorePermit>), Problem> {
    if announced_too_large(request.headers(), max_body) {
        return Err(too_large(max_body));
    }
    let (parts, mut body) = request.into_parts();
    let mut taken: Option<OwnedSemaphorePermit> = None;
    let mut first = Bytes::new();
    let mut more: Vec<u8> = vec![];
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| body_problem(&error))?.into_data() else {
            continue;
        };
        if first.len() + more.len() + data.len() > max_body {
            return Err(too_large(max_body));
        }
        let kib = (first.len() + more.len() + data.len()).div_ceil(1024);
        let has = taken.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let lacks = u32::try_from(kib.saturating_sub(has)).unwrap_or(u32::MAX);
        let permit = Arc::clone(room)
            .try_acquire_many_owned(lacks)
            .map_err(|_| overloaded())?;
        match &mut taken {
            Some(taken) => taken.merge(permit),
            None => taken = Some(permit),
        }
        // Most bodies come in one piece, which need not be copied.
        if first.is_empty() {
            first = data;
        } else {
            more.extend_from_slice(&data);
        }
    }
    let whole = if more.is_empty() {
        first
    } else {
        [&first, more.as_slice()].concat().into()
    };
    Ok((Request::from_parts(parts, Body::from(whole)), taken))
}

fn is_listed(list: &[IpNet], address: IpAddr) -> bool {
    list.is_empty() || list.iter().any(|net| net.contains(&address))
}

fn may_read_metrics(config: &AccessConfig, request: &Request) -> Result<(), Problem> {
    let Some(token) = &config.metrics_token else {
        return Ok(());
    };
    let shown = bearer(request.headers()).unwrap_or_default();
    if bool::from(shown.ct_eq(token.expose().as_bytes())) {
        Ok(())
    } else {
        Err(unauthorized("Metrics are shown for their token only."))
    }
}

fn not_from_here() -> Problem {
    forbidden("Requests from this address are not taken.")
}

fn overloaded() -> Problem {
    Problem::unavailable(
        "OVERLOADED",
        "The server has as much to do as it can. Repeat the request, best with an Idempotency-Key.",
        RETRY_AFTER,
    )
}
