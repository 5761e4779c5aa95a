//! Reads a ledger from its address.

use gloo_timers::future::TimeoutFuture;
use js_sys::{Function, Promise, Reflect, Uint8Array};
use serde::Deserialize;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use vinzy_events::ledger::TilePath;

use crate::Stop;
use crate::message::{Failure, Kind};

/// How often a server that is busy is asked again.
const TRIES: u32 = 60;

/// Where the bytes come from.
pub(crate) struct Source {
    base: String,
    get: Function,
    /// Told whenever the server wants to be left alone, for how many seconds.
    pausing: Box<dyn Fn(u32)>,
}

/// What came back; status 0 is no answer.
struct Answer {
    status: u16,
    retry_after: Option<String>,
    body: Vec<u8>,
}

impl Source {
    /// `get` takes a URL and gives a promise of `{ status, retryAfter, body }`, which is always kept.
    pub(crate) fn new(base: String, get: Function, pausing: impl Fn(u32) + 'static) -> Self {
        Self {
            base,
            get,
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
            let answer = self.once(&url).await.unwrap_or(Answer {
                status: 0,
                retry_after: None,
                body: vec![],
            });
            match answer.status {
                0 => return Err(unreachable_server()),
                200..300 => return Ok(answer.body),
                429 | 503 => self.pause(answer.retry_after.as_deref()).await,
                _ => return Err(refused(path, &answer)),
            }
        }
        Err(Stop::Failed(Failure {
            status: 429,
            detail: "The server has had too much to do for minutes. Try again later.".to_owned(),
            request_id: String::new(),
        }))
    }

    async fn once(&self, url: &str) -> Result<Answer, JsValue> {
        let promise: Promise = self.get.call1(&JsValue::NULL, &url.into())?.dyn_into()?;
        let answer = JsFuture::from(promise).await?;
        let member = |name: &str| Reflect::get(&answer, &name.into());
        let status = member("status")?.as_f64().unwrap_or_default();
        Ok(Answer {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "an HTTP status has three digits"
            )]
            status: status as u16,
            retry_after: member("retryAfter")?.as_string(),
            body: Uint8Array::new(&member("body")?).to_vec(),
        })
    }

    async fn pause(&self, retry_after: Option<&str>) {
        let seconds = retry_after
            .and_then(|seconds| seconds.parse().ok())
            .unwrap_or(1_u32);
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

fn refused(path: &str, answer: &Answer) -> Stop {
    let problem: Problem = serde_json::from_slice(&answer.body).unwrap_or_default();
    if problem.code == FORKED {
        let detail = format!(
            "the server itself says so: {}",
            problem.detail.trim_end_matches('.')
        );
        return Stop::broken(Kind::History, None, detail);
    }
    Stop::Failed(Failure {
        status: answer.status,
        detail: format!("The server does not give out {path}: {}", problem.detail),
        request_id: problem.request_id,
    })
}
