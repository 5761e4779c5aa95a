//! A small proxy in front of a server, which may strip a part of the path and can be led to another server.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode, header};

pub(crate) struct Proxy {
    /// Its address, with the part of the path that it strips.
    pub(crate) base: String,
    upstream: Arc<Mutex<String>>,
    serving: tokio::task::JoinHandle<()>,
}

#[derive(Clone)]
struct Way {
    upstream: Arc<Mutex<String>>,
    prefix: &'static str,
    client: reqwest::Client,
}

impl Proxy {
    /// One that passes everything on.
    pub(crate) async fn start(upstream: &str) -> Self {
        Self::stripping("", upstream).await
    }

    /// One that serves below a prefix of which the server knows nothing.
    pub(crate) async fn stripping(prefix: &'static str, upstream: &str) -> Self {
        let upstream = Arc::new(Mutex::new(upstream.to_owned()));
        let way = Way {
            upstream: Arc::clone(&upstream),
            prefix,
            client: reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .unwrap(),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}{prefix}", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass).with_state(way);
        let serving = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self {
            base,
            upstream,
            serving,
        }
    }

    /// From now on it leads to another server.
    pub(crate) fn lead_to(&self, upstream: &str) {
        upstream.clone_into(&mut self.upstream.lock().unwrap());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn pass(State(way): State<Way>, request: Request) -> Response<Body> {
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str())
        .to_owned();
    let Some(path) = path.strip_prefix(way.prefix) else {
        return Response::builder()
            .status(StatusCode::NOT_FOUND)
            .body(Body::empty())
            .unwrap();
    };
    let url = format!("{}{path}", way.upstream.lock().unwrap());
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 24).await.unwrap();
    let mut headers = parts.headers;
    for name in [header::CONTENT_LENGTH, header::CONNECTION] {
        headers.remove(name);
    }
    // As the browser sent it, `Host` included: what is compared with `Origin` is the proxy's own address.
    let answer = way
        .client
        .request(parts.method, url)
        .headers(headers)
        .body(body)
        .send()
        .await
        .unwrap();
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if name != header::TRANSFER_ENCODING && name != header::CONNECTION {
            response = response.header(name, value);
        }
    }
    response.body(Body::from(answer.bytes().await.unwrap())).unwrap()
}
