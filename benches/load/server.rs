//! The server under test, and requests to it.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};

use super::client::{Connection, request};

pub(crate) struct Server {
    pub(crate) address: String,
    key: String,
    super_admin_key: Option<String>,
    customer: OnceLock<String>,
    own: Option<Own>,
}

/// A license.
pub(crate) struct Issued {
    pub(crate) id: String,
    pub(crate) key: String,
}

/// Requests of a tenant's.
pub(crate) struct Tenant {
    /// Validations and records.
    pub(crate) asking: Vec<Vec<u8>>,
    /// Licenses, with its API key.
    pub(crate) issuing: Vec<u8>,
}

/// A server that was started here.
struct Own {
    child: Child,
    data_dir: PathBuf,
    _directory: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        // Whoever PostgreSQL runs as must be able to get there.
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755))
            .expect("it is ours");
        let data_dir = directory.path().join("data");
        let mut child = Command::new(env!("CARGO_BIN_EXE_vinzy"))
            .arg("serve")
            .env("VINZY_DATA_DIR", &data_dir)
            .env("VINZY_PORT", "0")
            .env("VINZY_LOG", "warn")
            // Everything comes from one address here.
            .env("VINZY_RATE_LIMIT_ENABLED", "false")
            .env_remove("VINZY_DB_URL")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let (mut address, mut key, mut super_admin_key) = (None, None, None);
        let stdout = child.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        while address.is_none() || key.is_none() || super_admin_key.is_none() {
            let line = lines
                .next()
                .expect("the server says where it is and what its key is");
            let word = line
                .split_whitespace()
                .find_map(|word| word.strip_prefix("http://"));
            address = address.or(word.map(str::to_owned));
            let value = |name: &str| line.strip_prefix(name).map(str::to_owned);
            key = key.or(value("VINZY_API_KEY="));
            super_admin_key = super_admin_key.or(value("VINZY_SUPER_ADMIN_KEY="));
        }
        // Its further lines go nowhere, but must be taken.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            address: address.expect("seen"),
            key: key.expect("seen"),
            super_admin_key,
            customer: OnceLock::new(),
            own: Some(Own {
                child,
                data_dir,
                _directory: directory,
            }),
        }
    }

    pub(crate) fn elsewhere(base: &str, key: &str) -> Self {
        let address = base
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .to_owned();
        Self {
            address,
            key: key.to_owned(),
            super_admin_key: None,
            customer: OnceLock::new(),
            own: None,
        }
    }

    pub(crate) fn data_dir(&self) -> Option<&Path> {
        self.own.as_ref().map(|own| own.data_dir.as_path())
    }

    pub(crate) fn remember_customer(&self, id: &str) {
        self.customer.set(id.to_owned()).expect("remembered once");
    }

    pub(crate) fn issuing(&self) -> Vec<u8> {
        let customer = self.customer.get().expect("remembered");
        let body = json!({"product_code": "PRD", "customer_id": customer}).to_string();
        request("POST", "/licenses", Some(&self.key), Some(&body))
    }

    pub(crate) async fn once(&self, request: &[u8]) -> Vec<u8> {
        let mut connection = Connection::open(&self.address).await;
        let (status, answer) = connection.exchange(request).await;
        assert!(status < 400, "{}", String::from_utf8_lossy(answer));
        answer.to_vec()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        self.post_as(&self.key, path, body).await
    }

    async fn post_as(&self, key: &str, path: &str, body: &Value) -> Value {
        let request = request("POST", path, Some(key), Some(&body.to_string()));
        body_of(&self.once(&request).await)
    }

    /// A tenant with one license, and requests of its own; `None` if the server is not ours.
    pub(crate) async fn tenant(&self, slug: &str, rate_limit_per_minute: Option<u32>) -> Option<Tenant> {
        let operator = self.super_admin_key.as_deref()?;
        let settings = json!({"rate_limit_per_minute": rate_limit_per_minute});
        let body = json!({"name": slug, "slug": slug, "config_overrides": settings});
        let tenant = self.post_as(operator, "/tenants", &body).await;
        let key = tenant["api_key"].as_str().expect("shown at creation");
        self.post_as(key, "/products", &json!({"code": "PRD", "name": "Benchmark"}))
            .await;
        let customer = json!({"name": "Jane Doe", "email": "jane@example.com"});
        let customer = self.post_as(key, "/customers", &customer).await;
        let license = json!({"product_code": "PRD", "customer_id": customer["id"]});
        let issued = self.post_as(key, "/licenses", &license).await;
        let license_key = issued["key"].as_str().expect("shown at creation");
        Some(Tenant {
            asking: vec![validation(license_key), use_of(license_key, "calls", None)],
            issuing: request("POST", "/licenses", Some(key), Some(&license.to_string())),
        })
    }

    /// Issues a license without a machine limit.
    pub(crate) async fn issue_unlimited(&self) -> Issued {
        let customer = self.customer.get().expect("remembered");
        let body = json!({"product_code": "PRD", "customer_id": customer, "machines_limit": null});
        let license = self.post("/licenses", &body).await;
        let text = |member: &str| license[member].as_str().expect("shown at creation").to_owned();
        Issued {
            id: text("id"),
            key: text("key"),
        }
    }

    /// A thousand webhook endpoints, which nobody can reach, for one type of events.
    pub(crate) async fn thousand_endpoints(&self, event_type: &str) {
        thousand(|number| async move {
            let url = format!("https://hooks.invalid/{event_type}/{number}");
            let body = json!({"url": url, "event_types": [event_type]});
            self.post("/webhooks", &body).await
        })
        .await;
    }

    /// The body, and `X-Total-Count`.
    pub(crate) async fn get(&self, path: &str) -> (Value, u64) {
        let answer = self.once(&request("GET", path, Some(&self.key), None)).await;
        let text = String::from_utf8_lossy(&answer);
        let total = text
            .lines()
            .find_map(|line| line.strip_prefix("x-total-count: "))
            .and_then(|text| text.parse().ok());
        (body_of(&answer), total.unwrap_or(0))
    }

    /// Waits until read models and processes have caught up with the load.
    pub(crate) async fn catch_up(&self) {
        let mut connection = Connection::open(&self.address).await;
        let asking = request("GET", "/ready", None, None);
        loop {
            let (_, answer) = connection.exchange(&asking).await;
            let ready = body_of(answer);
            let projections = ready["projections"].as_array().expect("they are listed");
            if projections.iter().all(|projection| projection["lag"] == 0) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// As [`Server::get`], as soon as read models have caught up with the load.
    pub(crate) async fn get_patiently(&self, path: &str) -> (Value, u64) {
        let mut connection = Connection::open(&self.address).await;
        let asking = request("GET", path, Some(&self.key), None);
        for _ in 0..60 {
            let (status, _) = connection.exchange(&asking).await;
            if status != 503 {
                break;
            }
        }
        self.get(path).await
    }

    /// Ends it as an operator would.
    pub(crate) fn stop(self) {
        drop(self.own);
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // Also when a check failed: no server is left behind.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// Asks for something a thousand times, fifty at once.
pub(crate) async fn thousand<F: Future>(ask: impl Fn(u32) -> F) -> Vec<F::Output> {
    futures::stream::iter(0..1000)
        .map(ask)
        .buffered(50)
        .collect()
        .await
}

/// A request that records a use of 1, with an idempotency key if one is given.
pub(crate) fn use_of(license_key: &str, metric: &str, idempotency_key: Option<&str>) -> Vec<u8> {
    let mut body = json!({"key": license_key, "metric": metric, "value": 1});
    if let Some(key) = idempotency_key {
        body["idempotency_key"] = key.into();
    }
    request("POST", "/usage/record", None, Some(&body.to_string()))
}

/// A request that records a use of 1 a thousand times.
pub(crate) fn thousand_uses_of(license_key: &str, metric: &str) -> Vec<u8> {
    let records = vec![json!({"metric": metric, "value": 1}); 1000];
    let body = json!({"key": license_key, "records": records}).to_string();
    request("POST", "/usage/batch", None, Some(&body))
}

/// A request that activates a machine.
pub(crate) fn activation(license_key: &str, fingerprint: &str) -> Vec<u8> {
    let body =
        json!({"key": license_key, "fingerprint": fingerprint, "hostname": "bench", "platform": "linux"});
    request("POST", "/activate", None, Some(&body.to_string()))
}

/// A request that validates a license key.
pub(crate) fn validation(license_key: &str) -> Vec<u8> {
    request(
        "POST",
        "/validate",
        None,
        Some(&json!({ "key": license_key }).to_string()),
    )
}

fn body_of(answer: &[u8]) -> Value {
    let head = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .expect("a head")
        + 4;
    serde_json::from_slice(&answer[head..]).expect("a JSON body")
}
