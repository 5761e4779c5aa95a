mod answers;
mod refusals;
mod tls;

use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use crate::config::WebhookConfig;

const LONG: Duration = Duration::from_secs(20);

/// Answers from a list, one after the other; the last one for ever.
struct Script(Mutex<Vec<Vec<IpAddr>>>);

impl Script {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |answer: &&[&str]| answer.iter().map(|address| address.parse().unwrap()).collect();
        Arc::new(Self(Mutex::new(answers.iter().rev().map(parse).collect())))
    }
}

impl Resolve for Script {
    fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, std::io::Result<Vec<IpAddr>>> {
        let mut answers = self.0.lock().unwrap();
        let answer = if answers.len() > 1 {
            answers.pop().unwrap()
        } else {
            answers[0].clone()
        };
        std::future::ready(Ok(answer)).boxed()
    }
}

fn policy(allowed: &[&str]) -> ConnectPolicy {
    let config = WebhookConfig {
        webhook_allow_cidrs: allowed.iter().map(|net| net.parse().unwrap()).collect(),
        ..WebhookConfig::default()
    };
    ConnectPolicy::try_new(&config).unwrap()
}

/// A connector that may call this machine.
fn connector() -> Connector {
    Connector::with_resolver(policy(&["127.0.0.0/8"]), Script::new(&[&["127.0.0.1"]]))
}

/// What a receiver on this machine got, head and body.
struct Receiver {
    address: SocketAddr,
    requests: mpsc::UnboundedReceiver<String>,
}

impl Receiver {
    /// Answers every request with `answer`, and goes on with `after` until nobody listens.
    async fn start(answer: &'static str, after: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (got, requests) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let got = got.clone();
                tokio::spawn(async move {
                    let _ = got.send(read_request(&mut stream).await);
                    let _ = stream.write_all(answer.as_bytes()).await;
                    while !after.is_empty() && stream.write_all(after.as_bytes()).await.is_ok() {
                        tokio::task::yield_now().await;
                    }
                    // Silence, until the other side has enough.
                    let _ = stream.read(&mut [0]).await;
                });
            }
        });
        Self { address, requests }
    }

    fn url(&self, host: &str) -> String {
        format!("http://{host}:{}/in", self.address.port())
    }

    fn was_asked(&mut self) -> bool {
        self.requests.try_recv().is_ok()
    }
}

/// Reads until the body `{}` is there.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut request = vec![];
    let mut buffer = [0; 1024];
    while !request.ends_with(b"\r\n\r\n{}") {
        match stream.read(&mut buffer).await {
            Ok(read @ 1..) => request.extend_from_slice(&buffer[..read]),
            _ => break,
        }
    }
    String::from_utf8(request).unwrap()
}

async fn post(connector: &Connector, url: &str, timeout: Duration) -> Result<Delivered, PostError> {
    let target = connector.check_url(url).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("webhook-id", HeaderValue::from_static("msg_1"));
    headers.insert("host", HeaderValue::from_static("elsewhere.example"));
    connector
        .post(&target, headers, Bytes::from_static(b"{}"), timeout, 64)
        .await
}
