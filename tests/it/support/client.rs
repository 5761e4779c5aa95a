//! A plain HTTP client with an API key: the admin's, unless another is given.

use reqwest::{Method, RequestBuilder, header::HeaderMap};
use serde_json::Value;

use super::ADMIN_KEY;

#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) base: String,
    key: String,
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
            key: ADMIN_KEY.to_owned(),
            http: reqwest::Client::new(),
        }
    }

    /// The same with another API key.
    pub(crate) fn with_key(&self, key: &Value) -> Self {
        Self {
            key: key.as_str().unwrap().to_owned(),
            ..self.clone()
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    pub(crate) fn authorized(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).header("X-Vinzy-Api-Key", &self.key)
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

    /// A product with some features.
    pub(crate) async fn product(&self, code: &str) -> Value {
        let features = serde_json::json!({
            "api_calls": {"enabled": true, "limit": 1000}, "export": true, "sso": false,
            "agents": {"CTO": {"enabled": true, "token_limit": 50_000, "model_tier": "premium"}, "CFO": {"enabled": false}},
        });
        let body = serde_json::json!({"code": code, "name": "My Product", "features": features});
        self.post("/products", &body).await.expect(201)
    }

    pub(crate) async fn customer(&self, email: &str) -> Value {
        let body = serde_json::json!({"name": "Jane Doe", "email": email});
        self.post("/customers", &body).await.expect(201)
    }

    /// A license of a new product to a new customer.
    pub(crate) async fn license(&self) -> Value {
        self.product("PRD").await;
        let customer = self.customer("jane@example.com").await;
        self.license_of("PRD", &customer).await
    }

    pub(crate) async fn license_of(&self, code: &str, customer: &Value) -> Value {
        let body = serde_json::json!({"product_code": code, "customer_id": customer["id"]});
        self.post("/licenses", &body).await.expect(201)
    }

    /// A new API key with some scopes; `api_key` is its secret.
    pub(crate) async fn api_key(&self, scopes: &[&str]) -> Value {
        let body = serde_json::json!({"name": scopes.join("+"), "scopes": scopes});
        self.post("/api-keys", &body).await.expect(201)
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
