//! A plain HTTP client with an API key: the admin's, unless another is given. What sets a test up goes as the client's calls
//! and is read as its types; what a test is about may be any bytes.

use reqwest::{Method, RequestBuilder, header::HeaderMap};
use serde_json::{Value, json};
use vinzy_client::access::CreateApiKey;
use vinzy_client::call::{self, Call};
use vinzy_client::calls::{self, applications};
use vinzy_client::client::{AdminClient, LicenseClientBuilder};
use vinzy_client::customers::CreateCustomer;
use vinzy_client::licenses::CreateLicense;
use vinzy_client::machines::ActivateRequest;
use vinzy_client::products::CreateProduct;
use vinzy_client::usage::RecordUsageRequest;
use vinzy_client::validation::ValidateRequest;
use vinzy_client::{LicenseClient, Object};

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

    /// The vendor's client, with this one's API key.
    pub(crate) fn admin(&self) -> AdminClient {
        AdminClient::builder(&self.base)
            .api_key(&self.key)
            .http_client(self.http.clone())
            .build()
            .unwrap()
    }

    /// The client of an application with a license key.
    pub(crate) fn application(&self, key: &str) -> LicenseClientBuilder {
        LicenseClient::builder(&self.base)
            .license_key(key)
            .http_client(self.http.clone())
    }

    /// Sends a call that must succeed. What comes is given as it came, once it was read as what it should be.
    pub(crate) async fn call<T>(&self, call: &Call<T>) -> Value {
        self.sent(call, true).await
    }

    /// The same without an API key.
    pub(crate) async fn call_anonymously<T>(&self, call: &Call<T>) -> Value {
        self.sent(call, false).await
    }

    async fn sent<T>(&self, call: &Call<T>, authorized: bool) -> Value {
        let method = call.method.parse().unwrap();
        let mut request = if authorized {
            self.authorized(method, &call.path)
        } else {
            self.request(method, &call.path)
        };
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let answer = call::Answer {
            status: response.status().as_u16(),
            body: response.bytes().await.unwrap().to_vec(),
            ..call::Answer::default()
        };
        if let Err(problem) = call.read(&answer) {
            panic!("{call:?}: {problem}");
        }
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    /// A product with some features.
    pub(crate) async fn product(&self, code: &str) -> Value {
        let features = object(json!({
            "api_calls": {"enabled": true, "limit": 1000}, "export": true, "sso": false,
            "agents": {"CTO": {"enabled": true, "token_limit": 50_000, "model_tier": "premium"}, "CFO": {"enabled": false}},
        }));
        let product = CreateProduct {
            code: code.to_owned(),
            name: "My Product".to_owned(),
            features: Some(features),
            ..CreateProduct::default()
        };
        self.call(&calls::products::create(&product)).await
    }

    pub(crate) async fn customer(&self, email: &str) -> Value {
        let customer = CreateCustomer {
            name: "Jane Doe".to_owned(),
            email: email.to_owned(),
            ..CreateCustomer::default()
        };
        self.call(&calls::customers::create(&customer)).await
    }

    /// A license of a new product to a new customer.
    pub(crate) async fn license(&self) -> Value {
        self.product("PRD").await;
        let customer = self.customer("jane@example.com").await;
        self.license_of("PRD", &customer).await
    }

    pub(crate) async fn license_of(&self, code: &str, customer: &Value) -> Value {
        let license = CreateLicense {
            product_code: code.to_owned(),
            customer_id: text(&customer["id"]),
            ..CreateLicense::default()
        };
        self.call(&calls::licenses::issue(&license)).await
    }

    /// A new API key with some scopes; `api_key` is its secret.
    pub(crate) async fn api_key(&self, scopes: &[&str]) -> Value {
        let key = CreateApiKey {
            name: scopes.join("+"),
            scopes: serde_json::from_value(json!(scopes)).unwrap(),
            expires_at: None,
        };
        self.call(&calls::api_keys::create(&key)).await
    }

    /// As an application asks: without an API key.
    pub(crate) async fn ask(&self, path: &str, body: &Value) -> Answer {
        send(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn activate(&self, key: &Value, fingerprint: &str) -> Value {
        let machine = ActivateRequest {
            key: text(key),
            fingerprint: fingerprint.to_owned(),
            ..ActivateRequest::default()
        };
        self.call_anonymously(&applications::activate(&machine)).await
    }

    pub(crate) async fn use_of(&self, key: &Value, metric: &str, value: impl Into<Value>) -> Value {
        let record = RecordUsageRequest {
            key: text(key),
            metric: metric.to_owned(),
            value: Some(value.into()),
            ..RecordUsageRequest::default()
        };
        self.call_anonymously(&applications::record_usage(&record)).await
    }

    pub(crate) async fn validate(&self, key: &Value) -> Value {
        let request = ValidateRequest {
            key: text(key),
            fingerprint: None,
        };
        self.call_anonymously(&applications::validate(&request)).await
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// What is written as a JSON object.
pub(crate) fn object(value: Value) -> Object {
    match value {
        Value::Object(object) => object,
        _ => panic!("{value} is no object"),
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
