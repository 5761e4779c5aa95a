//! A lean HTTP/1.1 client: prebuilt requests, keep-alive, no more parsing than needed.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long before the figures count.
const WARM_UP: Duration = Duration::from_secs(1);

/// What was seen.
pub(crate) struct Measured {
    /// Latencies in microseconds.
    pub(crate) latencies: Histogram<u64>,
    /// Answers with a status of 400 or above.
    pub(crate) errors: u64,
    /// Good answers before the figures counted.
    pub(crate) warm_up: u64,
    /// How long was measured.
    pub(crate) span: Duration,
}

impl Measured {
    pub(crate) fn new(span: Duration) -> Self {
        let latencies = Histogram::new_with_bounds(1, 60_000_000, 3).expect("valid bounds");
        Self {
            latencies,
            errors: 0,
            warm_up: 0,
            span,
        }
    }

    pub(crate) fn note(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.latencies.saturating_record(micros.max(1));
    }

    /// Good answers, counted or not.
    pub(crate) fn done(&self) -> u64 {
        self.latencies.len() + self.warm_up
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate is shown with few digits")]
    pub(crate) fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.span.as_secs_f64()
    }

    pub(crate) fn p99(&self) -> u64 {
        self.latencies.value_at_quantile(0.99)
    }

    fn add(&mut self, other: &Self) {
        self.latencies.add(&other.latencies).expect("equal bounds");
        self.errors += other.errors;
        self.warm_up += other.warm_up;
    }
}

/// What clients send.
pub(crate) enum Requests {
    /// These by turns, each client beginning elsewhere.
    Turns(Vec<Vec<u8>>),
    /// The n-th request of a client: every one another.
    Made(Box<dyn Fn(usize, usize) -> Vec<u8> + Send + Sync>),
}

impl Requests {
    fn get(&self, client: usize, number: usize) -> Cow<'_, [u8]> {
        match self {
            Self::Turns(requests) => Cow::Borrowed(&requests[(client * 31 + number) % requests.len()]),
            Self::Made(make) => Cow::Owned(make(client, number)),
        }
    }
}

/// Sends requests over so many connections for `span`, each waiting for its answer.
pub(crate) async fn drive(address: &str, requests: Requests, connections: usize, span: Duration) -> Measured {
    let requests = Arc::new(requests);
    let start = Instant::now();
    let clients = (0..connections).map(|number| {
        let (address, requests) = (address.to_owned(), Arc::clone(&requests));
        tokio::spawn(async move { client(&address, &requests, number, start, span).await })
    });
    let mut all = Measured::new(span);
    for measured in futures::future::join_all(clients).await {
        all.add(&measured.expect("a client does not panic"));
    }
    all
}

/// Sends so many requests per second, evenly, over so many connections, whether or not answers keep up. A latency
/// counts from when its request was due.
pub(crate) async fn pace(
    address: &str,
    requests: Requests,
    connections: usize,
    per_second: u32,
    span: Duration,
) -> Measured {
    let requests = Arc::new(requests);
    let start = Instant::now();
    let each = Duration::from_secs(1) / per_second;
    let clients = (0..connections).map(|number| {
        let (address, requests) = (address.to_owned(), Arc::clone(&requests));
        tokio::spawn(async move {
            let mut connection = Connection::open(&address).await;
            let mut measured = Measured::new(span);
            for next in 0.. {
                let turn = u32::try_from(next * connections + number).unwrap_or(u32::MAX);
                let due = start + each * turn;
                if due >= start + WARM_UP + span {
                    break;
                }
                tokio::time::sleep_until(due.into()).await;
                let (status, _) = connection.exchange(&requests.get(number, next)).await;
                match (status, due >= start + WARM_UP) {
                    (400.., _) => measured.errors += 1,
                    (_, true) => measured.note(due.elapsed()),
                    (_, false) => measured.warm_up += 1,
                }
            }
            measured
        })
    });
    let mut all = Measured::new(span);
    for measured in futures::future::join_all(clients).await {
        all.add(&measured.expect("a client does not panic"));
    }
    all
}

async fn client(
    address: &str,
    requests: &Requests,
    number: usize,
    start: Instant,
    span: Duration,
) -> Measured {
    let mut connection = Connection::open(address).await;
    let mut measured = Measured::new(span);
    for next in 0.. {
        let request = requests.get(number, next);
        let sent = Instant::now();
        if sent >= start + WARM_UP + span {
            break;
        }
        let (status, _) = connection.exchange(&request).await;
        match (status, sent >= start + WARM_UP) {
            (400.., _) => measured.errors += 1,
            (_, true) => measured.note(sent.elapsed()),
            (_, false) => measured.warm_up += 1,
        }
    }
    measured
}

/// One connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        stream.set_nodelay(true).expect("a TCP socket");
        Self {
            stream,
            buffer: Vec::with_capacity(64 * 1024),
        }
    }

    /// Sends a request and reads its answer: status, and head and body as they came.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> (u16, &[u8]) {
        self.stream.write_all(request).await.expect("the server reads");
        self.buffer.clear();
        let mut chunk = [0; 16 * 1024];
        loop {
            let read = self.stream.read(&mut chunk).await.expect("the server answers");
            assert!(read > 0, "the server closed the connection");
            self.buffer.extend_from_slice(&chunk[..read]);
            if let Some(length) = complete(&self.buffer)
                && self.buffer.len() >= length
            {
                let status = str::from_utf8(&self.buffer[9..12])
                    .ok()
                    .and_then(|text| text.parse().ok());
                return (status.expect("a status line"), &self.buffer);
            }
        }
    }
}

/// Length of head and body, once the head is there.
fn complete(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = str::from_utf8(&bytes[..head]).ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    Some(head + length.unwrap_or(0))
}

/// The JSON body of an answer.
pub(crate) fn body_of(answer: &[u8]) -> Value {
    let head = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .expect("a head")
        + 4;
    serde_json::from_slice(&answer[head..]).expect("a JSON body")
}

/// A server, and as whom it is asked.
#[derive(Clone)]
pub(crate) struct Target {
    /// Host and port.
    pub(crate) address: String,
    /// Path before all routes.
    pub(crate) prefix: String,
    /// An admin's key.
    pub(crate) key: String,
}

impl Target {
    /// One at an address, without a path before its routes.
    pub(crate) const fn at(address: String, key: String) -> Self {
        Self {
            address,
            prefix: String::new(),
            key,
        }
    }

    /// A server at a URL such as `http://localhost:8080/api`.
    pub(crate) fn parse(base_url: &str, key: &str) -> Result<Self, String> {
        let url = url::Url::parse(base_url).map_err(|error| format!("{base_url}: {error}"))?;
        let host = url.host_str().filter(|_| url.scheme() == "http");
        let host = host.ok_or_else(|| format!("{base_url}: only http:// is measured"))?;
        Ok(Self {
            address: format!("{host}:{}", url.port_or_known_default().unwrap_or(80)),
            prefix: url.path().trim_end_matches('/').to_owned(),
            key: key.to_owned(),
        })
    }

    /// The same server, asked with another key.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        Self {
            key: key.to_owned(),
            ..self.clone()
        }
    }

    /// A request as bytes, with the API key if it is an admin's.
    pub(crate) fn request(&self, method: &str, path: &str, is_admin: bool, body: Option<&Value>) -> Vec<u8> {
        let mut head = format!(
            "{method} {}{path} HTTP/1.1\r\nHost: {}\r\n",
            self.prefix, self.address
        );
        if is_admin {
            head += &format!("X-Vinzy-Api-Key: {}\r\n", self.key);
        }
        match body.map(Value::to_string) {
            Some(body) => {
                head += &format!(
                    "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
            }
            None => head += "\r\n",
        }
        head.into_bytes()
    }

    /// Records a use of 1, with an idempotency key if one is given.
    pub(crate) fn use_of(&self, license_key: &str, metric: &str, idempotency_key: Option<&str>) -> Vec<u8> {
        let mut body = json!({"key": license_key, "metric": metric, "value": 1});
        if let Some(key) = idempotency_key {
            body["idempotency_key"] = key.into();
        }
        self.request("POST", "/usage/record", false, Some(&body))
    }

    /// Records a use of 1 a thousand times.
    pub(crate) fn thousand_uses_of(&self, license_key: &str, metric: &str) -> Vec<u8> {
        let records = vec![json!({"metric": metric, "value": 1}); 1000];
        let body = json!({"key": license_key, "records": records});
        self.request("POST", "/usage/batch", false, Some(&body))
    }

    /// Activates a machine.
    pub(crate) fn activation(&self, license_key: &str, fingerprint: &str) -> Vec<u8> {
        let body =
            json!({"key": license_key, "fingerprint": fingerprint, "hostname": "bench", "platform": "linux"});
        self.request("POST", "/activate", false, Some(&body))
    }

    /// Validates a license key.
    pub(crate) fn validation(&self, license_key: &str) -> Vec<u8> {
        self.request("POST", "/validate", false, Some(&json!({ "key": license_key })))
    }

    /// Asks for something as an admin.
    pub(crate) fn get(&self, path: &str) -> Vec<u8> {
        self.request("GET", path, true, None)
    }
}
