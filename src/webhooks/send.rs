//! One try: the request, and what came of it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, header};
use vinzy_events::Timestamp;
use vinzy_events::ledger::LeafError;
use vinzy_events::webhook::SigningSecret;

use super::body::{Message, TEST};
use super::claim::Claimed;
use super::connector::{Connector, RetryAfter};
use super::target::Target;

/// Bytes of an answer that are kept.
const KEPT: usize = 4_096;
/// Characters of an error that are kept.
const ERROR: usize = 500;

/// What came of a try.
pub(super) struct Tried {
    pub(super) claimed: Claimed,
    pub(super) at: Timestamp,
    pub(super) took: Duration,
    pub(super) address: Option<SocketAddr>,
    pub(super) code: Option<u16>,
    pub(super) answer: String,
    /// What was wrong; nothing after a success.
    pub(super) error: Option<String>,
    pub(super) retry_after: Option<Duration>,
}

impl Tried {
    /// Whether the receiver says that there will be no other answer.
    pub(super) fn is_gone(&self) -> bool {
        self.code == Some(410)
    }
}

/// Sends a delivery.
pub(super) async fn send(connector: &Connector, claimed: Claimed, at: Timestamp) -> Tried {
    let started = Instant::now();
    let mut tried = Tried {
        claimed,
        at,
        took: Duration::ZERO,
        address: None,
        code: None,
        answer: String::new(),
        error: None,
        retry_after: None,
    };
    post(connector, &mut tried).await;
    tried.took = started.elapsed();
    tried
}

async fn post(connector: &Connector, tried: &mut Tried) {
    let (target, headers, body) = match prepare(connector, &tried.claimed, tried.at) {
        Ok(prepared) => prepared,
        Err(error) => {
            tried.error = Some(shown(&error));
            return;
        }
    };
    let timeout = Duration::from_secs(tried.claimed.timeout_seconds.into());
    match connector.post(&target, headers, body, timeout, KEPT).await {
        Ok(answer) => {
            tried.address = Some(answer.address);
            tried.code = Some(answer.status);
            tried.answer = shown(&String::from_utf8_lossy(&answer.body_start));
            tried.retry_after = answer.retry_after.map(|asked| pause(asked, tried.at));
            if !(200..300).contains(&answer.status) {
                tried.error = Some(format!("HTTP {}", answer.status));
            }
        }
        Err(error) => {
            tried.address = error.address;
            tried.error = Some(shown(&error.to_string()).chars().take(ERROR).collect());
        }
    }
}

fn prepare(
    connector: &Connector,
    claimed: &Claimed,
    at: Timestamp,
) -> Result<(Target, HeaderMap, Bytes), String> {
    let target = connector
        .check_url(&claimed.url)
        .map_err(|error| format!("the URL {error}"))?;
    let message = match &claimed.leaf {
        Some(leaf) => Message::of_event(leaf).map_err(unreadable)?,
        None if claimed.event_type == TEST => Message::of_test(claimed.created_at),
        None => return Err("the event is missing".to_owned()),
    };
    let body = message.to_bytes();
    let headers = headers(claimed, at, &body).ok_or("no signing secret can be opened")?;
    Ok((target, headers, body.into()))
}

fn unreadable(error: LeafError) -> &'static str {
    match error {
        LeafError::Archived => "the event is archived",
        _ => "the event cannot be read",
    }
}

/// The headers of Standard Webhooks, and those that older receivers know; nothing if there is no secret.
fn headers(claimed: &Claimed, at: Timestamp, body: &[u8]) -> Option<HeaderMap> {
    let newest = claimed.secrets.first()?;
    let id = claimed.event_id.to_string();
    let sign = |secret: &SigningSecret| secret.sign(&id, at, body);
    let signatures: Vec<String> = claimed.secrets.iter().map(sign).collect();
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let agent = concat!("Vinzy-Engine/", env!("CARGO_PKG_VERSION"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
    for (name, value) in [
        ("webhook-id", id.clone()),
        ("webhook-timestamp", at.as_seconds().to_string()),
        ("webhook-signature", signatures.join(" ")),
        ("x-vinzy-signature", newest.sign_body(body)),
        ("x-vinzy-event", claimed.event_type.clone()),
    ] {
        headers.insert(name, HeaderValue::try_from(value).ok()?);
    }
    Some(headers)
}

/// For how long a receiver wants to be left alone.
fn pause(asked: RetryAfter, now: Timestamp) -> Duration {
    match asked {
        RetryAfter::Seconds(seconds) => Duration::from_secs(seconds.into()),
        RetryAfter::At(then) => {
            let micros = then.as_micros().saturating_sub(now.as_micros());
            Duration::from_micros(u64::try_from(micros).unwrap_or(0))
        }
    }
}

/// Text that PostgreSQL can hold.
fn shown(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
