//! The server under test, and requests to it.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};

use super::client::{Connection, Target, body_of};
use super::process;

pub(crate) struct Server {
    pub(crate) target: Target,
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
        let (child, said) = serve(&data_dir, &["VINZY_API_KEY=", "VINZY_SUPER_ADMIN_KEY="]);
        let [address, key, super_admin_key] = said.try_into().expect("as many as were asked for");
        Self {
            target: Target::at(address, key),
            super_admin_key: Some(super_admin_key),
            customer: OnceLock::new(),
            own: Some(Own {
                child,
                data_dir,
                _directory: directory,
            }),
        }
    }

    pub(crate) const fn elsewhere(target: Target) -> Self {
        Self {
            target,
            super_admin_key: None,
            customer: OnceLock::new(),
            own: None,
        }
    }

    /// Stops it, and starts it again on the same data.
    pub(crate) fn restart(&mut self) {
        let Some(own) = &mut self.own else { return };
        own.end();
        let (child, said) = serve(&own.data_dir, &[]);
        own.child = child;
        self.target.address = said.into_iter().next().expect("its address");
    }

    /// How much memory it holds, in bytes.
    pub(crate) fn resident(&self) -> Option<u64> {
        process::resident(self.own.as_ref()?.child.id())
    }

    pub(crate) fn data_dir(&self) -> Option<&Path> {
        self.own.as_ref().map(|own| own.data_dir.as_path())
    }

    pub(crate) fn remember_customer(&self, id: &str) {
        self.customer.set(id.to_owned()).expect("remembered once");
    }

    pub(crate) fn issuing(&self) -> Vec<u8> {
        let customer = self.customer.get().expect("remembered");
        let body = json!({"product_code": "PRD", "customer_id": customer});
        self.target.request("POST", "/licenses", true, Some(&body))
    }

    pub(crate) async fn once(&self, request: &[u8]) -> Vec<u8> {
        let mut connection = Connection::open(&self.target.address).await;
        let (status, answer) = connection.exchange(request).await;
        assert!(status < 400, "{}", String::from_utf8_lossy(answer));
        answer.to_vec()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        self.post_as(&self.target, path, body).await
    }

    async fn post_as(&self, target: &Target, path: &str, body: &Value) -> Value {
        let request = target.request("POST", path, true, Some(body));
        body_of(&self.once(&request).await)
    }

    /// A tenant with one license, and requests of its own; `None` if the server is not ours.
    pub(crate) async fn tenant(&self, slug: &str, rate_limit_per_minute: Option<u32>) -> Option<Tenant> {
        let operator = self.target.with_key(self.super_admin_key.as_deref()?);
        let settings = json!({"rate_limit_per_minute": rate_limit_per_minute});
        let body = json!({"name": slug, "slug": slug, "config_overrides": settings});
        let tenant = self.post_as(&operator, "/tenants", &body).await;
        let target = self
            .target
            .with_key(tenant["api_key"].as_str().expect("shown at creation"));
        let product = json!({"code": "PRD", "name": "Benchmark"});
        self.post_as(&target, "/products", &product).await;
        let customer = json!({"name": "Jane Doe", "email": "jane@example.com"});
        let customer = self.post_as(&target, "/customers", &customer).await;
        let license = json!({"product_code": "PRD", "customer_id": customer["id"]});
        let issued = self.post_as(&target, "/licenses", &license).await;
        let license_key = issued["key"].as_str().expect("shown at creation");
        Some(Tenant {
            asking: vec![
                target.validation(license_key),
                target.use_of(license_key, "calls", None),
            ],
            issuing: target.request("POST", "/licenses", true, Some(&license)),
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
        let answer = self.once(&self.target.get(path)).await;
        let text = String::from_utf8_lossy(&answer);
        let total = text
            .lines()
            .find_map(|line| line.strip_prefix("x-total-count: "))
            .and_then(|text| text.parse().ok());
        (body_of(&answer), total.unwrap_or(0))
    }

    /// A request for the page that comes after so many licenses.
    pub(crate) async fn page_after(&self, licenses: u64) -> Vec<u8> {
        const PAGE: u64 = 100;
        let mut path = format!("/licenses?page_size={PAGE}");
        for _ in 0..licenses / PAGE {
            let answer = self.once(&self.target.get(&path)).await;
            let text = String::from_utf8_lossy(&answer);
            let cursor = text
                .lines()
                .take_while(|line| !line.is_empty())
                .find_map(|line| line.strip_prefix("link: "))
                .and_then(|link| link.split_once("after="))
                .map(|(_, rest)| rest.split(['&', '>']).next().unwrap_or(rest).to_owned())
                .expect("there is a next page");
            path = format!("/licenses?page_size={PAGE}&after={cursor}");
        }
        let path = path.replace(&format!("page_size={PAGE}"), "page_size=20");
        self.target.get(&path)
    }

    /// How many events the ledger holds.
    pub(crate) async fn size(&self) -> u64 {
        let answer = self.once(&self.target.get("/t/default/checkpoint")).await;
        let text = String::from_utf8_lossy(&answer);
        let (_, note) = text.split_once("\r\n\r\n").expect("a head");
        let size = note.lines().nth(1).and_then(|line| line.parse().ok());
        size.expect("a checkpoint says it in its second line")
    }

    /// Waits until read models and processes have caught up with the load.
    pub(crate) async fn catch_up(&self) {
        let mut connection = Connection::open(&self.target.address).await;
        let asking = self.target.request("GET", "/ready", false, None);
        loop {
            let (status, answer) = connection.exchange(&asking).await;
            if status == 404 {
                // Another server, which has nothing of the kind.
                return;
            }
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
        let mut connection = Connection::open(&self.target.address).await;
        let asking = self.target.get(path);
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

impl Own {
    fn end(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // Also when a check failed: no server is left behind.
        self.end();
    }
}

/// Starts the server; gives its address, and what it says after each of the words.
fn serve(data_dir: &Path, words: &[&str]) -> (Child, Vec<String>) {
    let mut child = process::vinzy(data_dir)
        .arg("serve")
        .env("VINZY_PORT", "0")
        .env("VINZY_LOG", "warn")
        // Everything comes from one address here.
        .env("VINZY_RATE_LIMIT_ENABLED", "false")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let mut said = vec![None; words.len() + 1];
    let stdout = child.stdout.take().expect("it is piped");
    let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
    while said.contains(&None) {
        let line = lines
            .next()
            .expect("the server says where it is and what its keys are");
        let address = line
            .split_whitespace()
            .find_map(|word| word.strip_prefix("http://"));
        let values = words.iter().map(|word| line.strip_prefix(word));
        for (place, value) in said.iter_mut().zip([address].into_iter().chain(values)) {
            *place = place.take().or(value.map(str::to_owned));
        }
    }
    // Its further lines go nowhere, but must be taken.
    std::thread::spawn(move || lines.for_each(drop));
    (child, said.into_iter().flatten().collect())
}

/// Asks for something a thousand times, fifty at once.
pub(crate) async fn thousand<F: Future>(ask: impl Fn(u32) -> F) -> Vec<F::Output> {
    futures::stream::iter(0..1000)
        .map(ask)
        .buffered(50)
        .collect()
        .await
}
