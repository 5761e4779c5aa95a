//! What a request must pass before its handler runs: addresses, rates, the size of its body, and room to work. What
//! is refused here has cost next to nothing.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use ipnet::IpNet;
use subtle::ConstantTimeEq;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::access::{Access, Route};
use super::body::{MAX_BODY, body_problem};
use super::caller::{bearer, forbidden, unauthorized};
use super::client::Client;
use super::problem::Problem;
use crate::app::App;
use crate::config::AccessConfig;

/// What all bodies together may take while they come in and are worked on, in KiB, as far as they are small: 64 MiB.
const SMALL_KIB: usize = 64 * 1024;
/// What is beyond that of larger ones, in KiB: as much again, so that those do not stand in the way of small ones.
const LARGE_KIB: usize = 64 * 1024;
/// What of that one client may take, in KiB.
const LARGE_PER_CLIENT_KIB: usize = 8 * 1024;
/// When whoever finds no room should come again, in seconds.
const RETRY_AFTER: u32 = 1;

/// The room there is on this node.
pub struct Room {
    requests: Arc<Semaphore>,
    bodies: Bodies,
}

/// Room for bodies.
struct Bodies {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
    /// What of the large one clients have taken, in KiB.
    by_client: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// Room that a request takes until it is answered.
pub struct Taken {
    _request: Option<OwnedSemaphorePermit>,
    _body: TakenByBody,
}

/// Room that a body takes.
#[derive(Default)]
struct TakenByBody {
    small: Option<OwnedSemaphorePermit>,
    large: Option<OwnedSemaphorePermit>,
    share: Option<Share>,
}

/// What a client has taken of the room for large bodies.
struct Share {
    by_client: Arc<Mutex<HashMap<IpAddr, usize>>>,
    client: IpAddr,
    kib: usize,
}

impl Room {
    /// As much as `config` says.
    pub fn new(config: &AccessConfig) -> Self {
        Self {
            requests: Arc::new(Semaphore::new(config.max_concurrent_requests as usize)),
            bodies: Bodies {
                small: Arc::new(Semaphore::new(SMALL_KIB)),
                large: Arc::new(Semaphore::new(LARGE_KIB)),
                by_client: Arc::default(),
            },
        }
    }
}

impl TakenByBody {
    /// Takes what a body of so many bytes needs beyond what it has.
    fn grow(&mut self, bytes: usize, client: IpAddr, room: &Bodies) -> Result<(), Problem> {
        take(&mut self.small, &room.small, bytes.min(MAX_BODY).div_ceil(1024))?;
        let large = bytes.saturating_sub(MAX_BODY).div_ceil(1024);
        if large > 0 {
            let share = self.share.get_or_insert_with(|| Share {
                by_client: Arc::clone(&room.by_client),
                client,
                kib: 0,
            });
            share.grow(large)?;
            take(&mut self.large, &room.large, large)?;
        }
        Ok(())
    }
}

impl Share {
    fn grow(&mut self, kib: usize) -> Result<(), Problem> {
        let mut by_client = self.by_client.lock().unwrap_or_else(PoisonError::into_inner);
        let all = by_client.entry(self.client).or_default();
        let lacks = kib.saturating_sub(self.kib);
        if *all + lacks > LARGE_PER_CLIENT_KIB {
            return Err(overloaded());
        }
        *all += lacks;
        self.kib += lacks;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut by_client = self.by_client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(all) = by_client.get_mut(&self.client) {
            *all = all.saturating_sub(self.kib);
            if *all == 0 {
                by_client.remove(&self.client);
            }
        }
    }
}

/// Makes `taken` so many permits of `room`.
fn take(taken: &mut Option<OwnedSemaphorePermit>, room: &Arc<Semaphore>, kib: usize) -> Result<(), Problem> {
    let has = taken.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
    let lacks = u32::try_from(kib.saturating_sub(has)).unwrap_or(u32::MAX);
    let permit = Arc::clone(room)
        .try_acquire_many_owned(lacks)
        .map_err(|_| overloaded())?;
    match taken {
        Some(taken) => taken.merge(permit),
        None => *taken = Some(permit),
    }
    Ok(())
}

/// Whether `client` may ask for what opens to `access` at all: by its address, and by how much it has asked.
pub fn admit(app: &App, client: Client, access: Access, headers: &HeaderMap) -> Result<(), Problem> {
    let config = &app.access_config;
    if !is_listed(&config.ip_allowlist, client.address) {
        return Err(not_from_here());
    }
    if access.is_for_admins() {
        admit_admin(app, client)?;
    }
    if let Some(kind) = access.limit() {
        app.limits.request(kind, client.address)?;
    }
    if access == Access::Metrics {
        may_read_metrics(config, headers)?;
    }
    Ok(())
}

/// Whether `client` may use API keys, by its address.
pub fn admit_admin(app: &App, client: Client) -> Result<(), Problem> {
    if is_listed(&app.access_config.admin_ip_allowlist, client.address) {
        Ok(())
    } else {
        Err(not_from_here())
    }
}

/// Gives a request room, with its body read, or says that there is none.
pub async fn make_room(
    room: &Room,
    client: Client,
    route: Option<Route>,
    request: Request,
) -> Result<(Request, Taken), Problem> {
    let (request, body) = match route {
        Some(route) if !request.body().is_end_stream() => {
            read(request, route.max_body, client.address, &room.bodies).await?
        }
        _ => (request, TakenByBody::default()),
    };
    // What leads nowhere takes room, too.
    let takes_room = route.is_none_or(|route| route.takes_room);
    let permit = takes_room.then(|| Arc::clone(&room.requests).try_acquire_owned());
    let permit = permit.transpose().map_err(|_| overloaded())?;
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
    client: IpAddr,
    room: &Bodies,
) -> Result<(Request, TakenByBody), Problem> {
    if announced_too_large(request.headers(), max_body) {
        return Err(too_large(max_body));
    }
    let (parts, mut body) = request.into_parts();
    let mut taken = TakenByBody::default();
    let mut first = Bytes::new();
    let mut more: Vec<u8> = vec![];
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| body_problem(&error))?.into_data() else {
            continue;
        };
        let so_far = first.len() + more.len() + data.len();
        if so_far > max_body {
            return Err(too_large(max_body));
        }
        taken.grow(so_far, client, room)?;
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

/// Whether a request says beforehand that its body is longer than it may be.
fn announced_too_large(headers: &HeaderMap, max_body: usize) -> bool {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok());
    announced
        .and_then(|length| length.parse::<u64>().ok())
        .is_some_and(|length| length > max_body as u64)
}

/// 413.
fn too_large(max_body: usize) -> Problem {
    let detail = format!("The body is larger than {max_body} bytes.");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", detail)
}

fn is_listed(list: &[IpNet], address: IpAddr) -> bool {
    list.is_empty() || list.iter().any(|net| net.contains(&address))
}

fn may_read_metrics(config: &AccessConfig, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(token) = &config.metrics_token else {
        return Ok(());
    };
    let shown = bearer(headers).unwrap_or_default();
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
