//! Reads a ledger from its address.

use gloo_net::http::{Request, Response};
use gloo_timers::future::TimeoutFuture;
use serde::Deserialize;
use web_sys::RequestCache;

use vinzy_events::ledger::TilePath;

use crate::Stop;
use crate::message::{Failure, Kind};

/// How often a server that is busy is asked again.
const TRIES: u32 = 60;

/// Where the bytes come from.
pub(crate) struct Source {
    base: String,
    /// Told whenever the server wants to be left alone, for how many seconds.
    pausing: Box<dyn Fn(u32)>,
}

impl Source {
    pub(crate) fn new(base: String, pausing: impl Fn(u32) + 'static) -> Self {
        Self {
            base,
            pausing: Box::new(pausing),
        }
    }

    pub(crate) async fn text(&self, path: &str) -> Result<String, Stop> {
        let bytes = self.get(path).await?;
        String::from_utf8(bytes)
            .map_err(|_| Stop::broken(Kind::Checkpoint, None, format!("{path} is no text")))
    }

    pub(crate) async fn tile(&self, path: TilePath) -> Result<Vec<u8>, Stop> {
        self.get(&path.to_string()).await
    }

    /// Asks, and again while the server has too much to do.
    async fn get(&self, path: &str) -> Result<Vec<u8>, Stop> {
        let url = format!("{}/{path}", self.base);
        for _ in 0..TRIES {
            // What the browser kept would prove nothing about what the server has now.
            let request = Request::get(&url).cache(RequestCache::NoStore);
            let response = request.send().await.map_err(|_| unreachable_server())?;
            match response.status() {
                200..300 => return response.binary().await.map_err(|_| unreachable_server()),
                429 | 503 => self.pause(&response).await,
                _ => return Err(refused(path, response).await),
            }
        }
        Err(Stop::Failed(Failure {
            status: 429,
            detail: "The server has had too much to do for minutes. Try again later.".to_owned(),
            request_id: String::new(),
        }))
    }

    async fn pause(&self, response: &Response) {
        let seconds = response.headers().get("Retry-After");
        let seconds = seconds.and_then(|seconds| seconds.parse().ok()).unwrap_or(1_u32);
        (self.pausing)(seconds);
        TimeoutFuture::new(seconds.clamp(1, 3600) * 1000).await;
    }
}

fn unreachable_server() -> Stop {
    Stop::Failed(Failure {
        detail: "The server cannot be reached.".to_owned(),
        ..Failure::default()
    })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    code: String,
    detail: String,
    request_id: String,
}

/// A server that notices by itself that its history is not the one that it signed says so with this code.
const FORKED: &str = "LEDGER_FORKED";

async fn refused(path: &str, response: Response) -> Stop {
    let status = response.status();
    let body = response.binary().await.unwrap_or_default();
    let problem: Problem = serde_json::from_slice(&body).unwrap_or_default();
    if problem.code == FORKED {
        let detail = format!(
            "the server itself says so: {}",
            problem.detail.trim_end_matches('.')
        );
        return Stop::broken(Kind::History, None, detail);
    }
    Stop::Failed(Failure {
        status,
        detail: format!("The server does not give out {path}: {}", problem.detail),
        request_id: problem.request_id,
    })
}
