//! The way out: one POST to a URL that may be called, without following redirects.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::HeaderMap;

/// Who may be called.
#[derive(Debug, Clone, Default)]
pub struct ConnectPolicy;

/// Why a URL is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a URL such as https://hooks.example.com/vinzy")]
pub struct UrlError;

/// A URL that may be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target(reqwest::Url);

/// An answer.
#[derive(Debug)]
pub struct Delivered {
    /// Its status.
    pub status: u16,
    /// From where.
    pub address: SocketAddr,
    /// When to come again, if it says so.
    pub retry_after: Option<Duration>,
    /// What it begins with.
    pub body_start: Vec<u8>,
    /// How long it took.
    pub duration: Duration,
}

/// There was no answer.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub struct PostError {
    /// To where a connection was made, if one was.
    pub address: Option<SocketAddr>,
    /// What went wrong.
    pub detail: String,
}

/// Makes requests.
#[derive(Clone)]
pub struct Connector(reqwest::Client);

impl Connector {
    /// As `policy` allows.
    pub fn new(_: ConnectPolicy) -> Self {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        Self(client.build().expect("the settings are fixed"))
    }

    /// Reads a URL.
    pub fn check_url(&self, url: &str) -> Result<Target, UrlError> {
        let url: reqwest::Url = url.parse().map_err(|_| UrlError)?;
        let good = ["http", "https"].contains(&url.scheme()) && url.has_host();
        good.then_some(Target(url)).ok_or(UrlError)
    }

    /// Sends `body` and reads the beginning of the answer.
    pub async fn post(
        &self,
        target: &Target,
        headers: HeaderMap,
        body: Bytes,
        timeout: Duration,
        keep_response_bytes: usize,
    ) -> Result<Delivered, PostError> {
        let started = Instant::now();
        let request = self
            .0
            .post(target.0.clone())
            .headers(headers)
            .body(body)
            .timeout(timeout);
        let failed = |error: reqwest::Error| PostError {
            address: None,
            detail: if error.is_timeout() {
                "timed out".into()
            } else {
                format!("{error:?}")
            },
        };
        let mut response = request.send().await.map_err(failed)?;
        let address = response.remote_addr();
        let retry_after = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(Duration::from_secs);
        let status = response.status().as_u16();
        let mut body_start = vec![];
        while body_start.len() < keep_response_bytes {
            match response.chunk().await.map_err(failed)? {
                Some(chunk) => body_start.extend_from_slice(&chunk),
                None => break,
            }
        }
        body_start.truncate(keep_response_bytes);
        Ok(Delivered {
            status,
            address: address.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0))),
            retry_after,
            body_start,
            duration: started.elapsed(),
        })
    }
}
