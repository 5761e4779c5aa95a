//! A receiver of webhooks on the loopback interface.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Response};
use serde_json::Value;
use tokio::time::Instant;
use vinzy_events::Timestamp;
use vinzy_events::webhook::SigningSecret;

/// How long something may take to arrive.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request that has come.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn id(&self) -> &str {
        self.header("webhook-id")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn event_type(&self) -> String {
        self.json()["event_type"].as_str().unwrap().to_owned()
    }

    /// Whether a secret has signed it, as the standard has it.
    pub(crate) fn is_signed_with(&self, secret: &Value) -> bool {
        let secret = SigningSecret::parse(secret.as_str().unwrap()).unwrap();
        let seconds: i64 = self.header("webhook-timestamp").parse().unwrap();
        let at = Timestamp::from_micros(seconds * 1_000_000).unwrap();
        let expected = secret.sign(self.id(), at, &self.body);
        self.header("webhook-signature")
            .split(' ')
            .any(|signature| signature == expected)
    }
}

/// What a receiver answers.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) delay: Duration,
}

impl Reply {
    pub(crate) fn of(status: u16) -> Self {
        Self {
            status,
            headers: vec![],
            body: b"noted".to_vec(),
            delay: Duration::ZERO,
        }
    }
}

type Answering = Box<dyn Fn(&Received) -> Reply + Send + Sync>;

pub(crate) struct Receiver {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Received>>>,
    answering: Arc<Mutex<Answering>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Receiver {
    /// One that answers 200.
    pub(crate) async fn start() -> Self {
        Self::answering(|_| Reply::of(200)).await
    }

    pub(crate) async fn answering(answer: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        Self::on("127.0.0.1:0", answer).await
    }

    pub(crate) async fn on(
        address: &str,
        answer: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let seen = Arc::new(Mutex::new(vec![]));
        let answering: Arc<Mutex<Answering>> = Arc::new(Mutex::new(Box::new(answer)));
        let (log, replies) = (Arc::clone(&seen), Arc::clone(&answering));
        let handle = move |headers: HeaderMap, body: Bytes| {
            let received = Received { headers, body };
            let reply = replies.lock().unwrap()(&received);
            log.lock().unwrap().push(received);
            async move {
                tokio::time::sleep(reply.delay).await;
                let mut response = Response::builder().status(reply.status);
                for (name, value) in reply.headers {
                    response = response.header(name, value);
                }
                response.body(Body::from(reply.body)).unwrap()
            }
        };
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let router = Router::new().fallback(handle);
        let serving = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self {
            url,
            seen,
            answering,
            serving,
        }
    }

    /// From now on it answers otherwise.
    pub(crate) fn answer(&self, answer: impl Fn(&Received) -> Reply + Send + Sync + 'static) {
        *self.answering.lock().unwrap() = Box::new(answer);
    }

    pub(crate) fn seen(&self) -> Vec<Received> {
        self.seen.lock().unwrap().clone()
    }

    /// How often each event has come, by its id.
    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for received in self.seen.lock().unwrap().iter() {
            *counts.entry(received.id().to_owned()).or_default() += 1;
        }
        counts
    }

    /// Waits until so many requests have come, and gives all that have.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Received> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = self.seen();
            if seen.len() >= count {
                return seen;
            }
            assert!(
                Instant::now() < deadline,
                "{} of {count} requests have come: {:?}",
                seen.len(),
                seen.iter().map(Received::event_type).collect::<Vec<_>>()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
