//! A bad network: what comes through, and what does not, is said beforehand.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

/// What becomes of a request instead of an answer of the server.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// The connection breaks before the server hears of it.
    Drop,
    /// The server does it, and its answer is lost.
    DropAfterActing,
    /// Nothing ever comes.
    Silence,
    /// Somebody else answers.
    Reply(u16, Vec<(&'static str, &'static str)>, Vec<u8>),
}

/// What came.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

#[derive(Debug, Default)]
struct Way {
    upstream: String,
    faults: VecDeque<Fault>,
    broken: HashMap<String, Fault>,
    seen: Vec<Seen>,
}

pub(super) struct Proxy {
    pub(super) url: String,
    way: Arc<Mutex<Way>>,
    serving: tokio::task::JoinHandle<()>,
}

/// A reply of a status that says no more than that.
pub(super) fn reply(status: u16) -> Fault {
    reply_with(status, &[])
}

pub(super) fn reply_with(status: u16, headers: &[(&'static str, &'static str)]) -> Fault {
    let body = br#"{"detail":"not now","code":"BUSY","request_id":"r1"}"#;
    Fault::Reply(status, headers.to_vec(), body.to_vec())
}

impl Proxy {
    pub(super) async fn start(upstream: &str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let way = Arc::new(Mutex::new(Way {
            upstream: upstream.to_owned(),
            ..Way::default()
        }));
        let serving = tokio::spawn(serve(listener, Arc::clone(&way)));
        Self { url, way, serving }
    }

    /// What becomes of the next requests.
    pub(super) fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.way.lock().unwrap().faults.extend(faults);
    }

    /// What becomes of every request for a path.
    pub(super) fn break_path(&self, path: &str, fault: Fault) {
        self.way.lock().unwrap().broken.insert(path.to_owned(), fault);
    }

    /// From now on it leads to another server.
    pub(super) fn lead_to(&self, upstream: &str) {
        upstream.clone_into(&mut self.way.lock().unwrap().upstream);
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.way.lock().unwrap().seen.clone()
    }

    /// How many faults have not come to pass yet.
    pub(super) fn pending(&self) -> usize {
        self.way.lock().unwrap().faults.len()
    }

    /// How often a path was asked for.
    pub(super) fn count(&self, path: &str) -> usize {
        self.seen().iter().filter(|seen| seen.path == path).count()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: tokio::net::TcpListener, way: Arc<Mutex<Way>>) {
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (way, http) = (Arc::clone(&way), http.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| pass(&way, &http, request));
            // An error of the service ends the connection, and is seen as that.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn pass(
    way: &Mutex<Way>,
    http: &reqwest::Client,
    request: Request<Incoming>,
) -> io::Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let path = parts.uri.path().to_owned();
    let (fault, upstream) = {
        let mut way = way.lock().unwrap();
        way.seen.push(Seen {
            path: path.clone(),
            headers: parts.headers.clone(),
            body: body.clone(),
        });
        let broken = way.broken.get(&path).cloned();
        (broken.or_else(|| way.faults.pop_front()), way.upstream.clone())
    };
    match fault {
        Some(Fault::Drop) => return Err(io::ErrorKind::ConnectionReset.into()),
        Some(Fault::Silence) => return std::future::pending().await,
        Some(Fault::Reply(status, headers, body)) => {
            let response = headers
                .iter()
                .fold(Response::builder().status(status), |response, (name, value)| {
                    response.header(*name, *value)
                });
            return Ok(response.body(Full::new(body.into())).unwrap());
        }
        None | Some(Fault::DropAfterActing) => {}
    }
    let mut headers = parts.headers;
    headers.remove("host");
    let answer = http
        .request(parts.method, format!("{upstream}{}", parts.uri))
        .headers(headers)
        .body(body)
        .send()
        .await
        .map_err(io::Error::other)?;
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if name != "transfer-encoding" && name != "connection" {
            response = response.header(name, value);
        }
    }
    let body = answer.bytes().await.map_err(io::Error::other)?;
    if matches!(fault, Some(Fault::DropAfterActing)) {
        return Err(io::ErrorKind::ConnectionReset.into());
    }
    Ok(response.body(Full::new(body)).unwrap())
}
