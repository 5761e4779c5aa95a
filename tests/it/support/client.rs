//! A plain HTTP client with the admin's key.

use reqwest::{Method, RequestBuilder, header::HeaderMap};
use serde_json::Value;

use super::ADMIN_KEY;

#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) base: String,
    http: reqwest::Client,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// The body, of the expected status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// Checks that this is a problem of a status and code.
    #[track_caller]
    pub(crate) fn expect_problem(self, status: u16, code: &str) -> Value {
        let body = self.into_problem();
        assert_eq!(
            (body["status"].as_u64(), body["code"].as_str()),
            (Some(u64::from(status)), Some(code)),
            "{body}"
        );
        body
    }

    /// Checks that this is a well-formed problem document.
    #[track_caller]
    pub(crate) fn into_problem(self) -> Value {
        let kind = self
            .headers
            .get("content-type")
            .map(|kind| kind.to_str().unwrap().to_owned());
        assert_eq!(
            kind.as_deref(),
            Some("application/problem+json"),
            "{} {}",
            self.status,
            self.body
        );
        for member in ["type", "title", "detail", "code", "request_id"] {
            assert!(
                self.body[member].as_str().is_some_and(|text| !text.is_empty()),
                "{member}: {}",
                self.body
            );
        }
        assert_eq!(self.body["status"], self.status);
        assert_eq!(
            self.headers["x-request-id"],
            self.body["request_id"].as_str().unwrap()
        );
        self.body
    }

    /// Where the next page is, if there is one.
    pub(crate) fn next_page(&self) -> Option<String> {
        let mut links = self.header("link").split(", ");
        let next = links.find(|link| link.contains("rel=\"next\""))?;
        Some(next[1..next.find('>')?].to_owned())
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Client {
    pub(crate) fn new(base: String) -> Self {
        vinzy_engine::cli::prepare_tls();
        Self {
            base,
            http: reqwest::Client::new(),
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    pub(crate) fn authorized(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).header("X-Vinzy-Api-Key", ADMIN_KEY)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.authorized(Method::GET, path)).await
    }

    pub(crate) async fn get_anonymously(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        send(self.authorized(Method::POST, path).json(body)).await
    }

    pub(crate) async fn post_empty(&self, path: &str) -> Answer {
        send(self.authorized(Method::POST, path)).await
    }

    pub(crate) async fn post_with_key(&self, path: &str, key: &str, body: &Value) -> Answer {
        send(
            self.authorized(Method::POST, path)
                .header("Idempotency-Key", key)
                .json(body),
        )
        .await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        send(self.authorized(Method::PATCH, path).json(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        send(self.authorized(Method::DELETE, path)).await
    }

    /// As an application asks: without an API key.
    pub(crate) async fn ask(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn activate(&self, key: &Value, fingerprint: &str) -> Value {
        let body = serde_json::json!({"key": key, "fingerprint": fingerprint});
        self.ask("/activate", &body).await.expect(200)
    }

    pub(crate) async fn use_of(&self, key: &Value, metric: &str, value: impl Into<Value>) -> Value {
        let body = serde_json::json!({"key": key, "metric": metric, "value": value.into()});
        self.ask("/usage/record", &body).await.expect(200)
    }

    pub(crate) async fn validate(&self, key: &Value) -> Value {
        self.ask("/validate", &serde_json::json!({ "key": key }))
            .await
            .expect(200)
    }
}

pub(crate) async fn send(request: RequestBuilder) -> Answer {
    try_send(request).await.unwrap()
}

/// As [`send`], for servers that may die meanwhile.
pub(crate) async fn try_send(request: RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = response.bytes().await?;
    let body = serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
    Ok(Answer {
        status,
        headers,
        body,
    })
}
