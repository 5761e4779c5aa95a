//! A history as a vendor's ledger has it: commands over HTTP in a realistic mix, the same ones for the same seed. (Ids and
//! times are the server's.)

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::client::{Connection, Target, body_of};
use super::server::Server;

/// Connections that make it, each with customers of its own.
pub(crate) const SELLERS: u64 = 64;
const PRODUCTS: usize = 8;
const METRICS: [&str; 4] = ["api_calls", "exports", "tokens", "seats"];

/// What happens, and how often among a thousand commands. Records of usage come in batches of 1 to 100, so that they
/// are two thirds of the events.
const MIX: [(Action, u32); 14] = [
    (Action::Validate, 150),
    (Action::Activate, 190),
    (Action::Upgrade, 100),
    (Action::Deactivate, 60),
    (Action::Record, 120),
    (Action::RecordBatch, 40),
    (Action::Issue, 130),
    (Action::AddCustomer, 80),
    (Action::Entitle, 60),
    (Action::Renew, 30),
    (Action::Suspend, 15),
    (Action::Reinstate, 15),
    (Action::Revoke, 6),
    (Action::RenameCustomer, 4),
];

#[derive(Clone, Copy)]
enum Action {
    Validate,
    Activate,
    /// A heartbeat of a newer version.
    Upgrade,
    Deactivate,
    Record,
    RecordBatch,
    Issue,
    AddCustomer,
    Entitle,
    Renew,
    Suspend,
    Reinstate,
    Revoke,
    RenameCustomer,
}

/// What was made.
pub(crate) struct History {
    pub(crate) events: u64,
    pub(crate) requests: u64,
    pub(crate) took: Duration,
    /// Ids of licenses, the oldest first.
    pub(crate) licenses: Vec<String>,
}

/// Makes at least so many events.
pub(crate) async fn make(server: &Server, events: u64, seed: u64) -> History {
    let start = Instant::now();
    let target = &server.target;
    let products = Arc::new(products(target, seed).await);
    let begun = (0..SELLERS).map(|number| {
        let rng = StdRng::seed_from_u64(seed.wrapping_mul(SELLERS).wrapping_add(number));
        Seller::begin(
            target.clone(),
            Arc::clone(&products),
            rng,
            format!("{seed}-{number}"),
        )
    });
    let mut sellers = futures::future::join_all(begun).await;
    let mut size = 0;
    while size < events {
        // Some of what was answered well was no event: then a little more.
        let share = (events - size).div_ceil(SELLERS);
        let working = sellers.into_iter().map(|seller| tokio::spawn(seller.work(share)));
        let worked = futures::future::join_all(working).await;
        sellers = worked
            .into_iter()
            .map(|seller| seller.expect("a seller does not panic"))
            .collect();
        size = server.size().await;
    }
    let took = start.elapsed();
    let requests = sellers.iter().map(|seller| seller.requests).sum();
    let licenses = sellers.into_iter().flat_map(|seller| seller.licenses);
    let mut licenses: Vec<String> = licenses.map(|license| license.id).collect();
    // Ids begin with the time.
    licenses.sort_unstable();
    History {
        events: size,
        requests,
        took,
        licenses,
    }
}

/// Products that everybody sells; gives their codes.
async fn products(target: &Target, seed: u64) -> Vec<String> {
    let mut connection = Connection::open(&target.address).await;
    let mut codes = vec![];
    for number in 0..PRODUCTS {
        // Three letters, as they stand in a license key.
        let code: String = (0..3)
            .map(|place| {
                char::from(b'A' + u8::try_from((seed + number as u64) / 26_u64.pow(place) % 26).unwrap_or(0))
            })
            .collect();
        let body = json!({"code": code, "name": format!("Product {code}"), "features": {
            "api_calls": {"limit": 1_000_000}, "exports": {"limit": 5000}, "sso": number % 2 == 0,
        }});
        let request = target.request("POST", "/products", true, Some(&body));
        let (status, answer) = connection.exchange(&request).await;
        // It may be there from a history of before.
        assert!(matches!(status, 201 | 409), "{}", String::from_utf8_lossy(answer));
        codes.push(code);
    }
    codes
}

struct License {
    id: String,
    key: String,
    machines: Vec<u64>,
    suspended: bool,
}

/// Somebody who sells, and whose customers use what they bought.
struct Seller {
    target: Target,
    connection: Connection,
    products: Arc<Vec<String>>,
    rng: StdRng,
    name: String,
    customers: Vec<String>,
    licenses: Vec<License>,
    /// Names for what must be new.
    serial: u64,
    events: u64,
    requests: u64,
}

impl Seller {
    async fn begin(target: Target, products: Arc<Vec<String>>, rng: StdRng, name: String) -> Self {
        let connection = Connection::open(&target.address).await;
        let mut seller = Self {
            target,
            connection,
            products,
            rng,
            name,
            customers: vec![],
            licenses: vec![],
            serial: 0,
            events: 0,
            requests: 0,
        };
        seller.add_customer().await;
        seller.issue().await;
        seller
    }

    /// Does what makes about so many events.
    async fn work(mut self, events: u64) -> Self {
        let mix = WeightedIndex::new(MIX.map(|(_, weight)| weight)).expect("weights above zero");
        let end = self.events + events;
        while self.events < end {
            let (action, _) = MIX[mix.sample(&mut self.rng)];
            match action {
                Action::Issue => self.issue().await,
                Action::AddCustomer => self.add_customer().await,
                Action::RenameCustomer => self.rename_customer().await,
                on_a_license => self.act(on_a_license).await,
            }
        }
        self
    }

    /// Sends a command; its answer, if it was not refused.
    async fn command(&mut self, method: &str, path: &str, admin: bool, body: &Value) -> Option<Value> {
        let request = self.target.request(method, path, admin, Some(body));
        let (status, answer) = self.connection.exchange(&request).await;
        assert!(
            status < 500 && status != 429,
            "{method} {path}: {}",
            String::from_utf8_lossy(answer)
        );
        self.requests += 1;
        let answer = (status < 300).then(|| body_of(answer))?;
        // Some refusals are answers as well.
        (answer["success"] != json!(false)).then_some(answer)
    }

    async fn count(&mut self, method: &str, path: &str, admin: bool, body: &Value) -> bool {
        let done = self.command(method, path, admin, body).await.is_some();
        self.events += u64::from(done);
        done
    }

    async fn add_customer(&mut self) {
        self.serial += 1;
        let (name, serial) = (&self.name, self.serial);
        let body = json!({
            "name": format!("Customer {serial} of {name}"),
            "email": format!("customer-{serial}@{name}.example"),
            "company": format!("Company {}", serial % 100),
        });
        if let Some(customer) = self.command("POST", "/customers", true, &body).await {
            self.customers.extend(customer["id"].as_str().map(str::to_owned));
            self.events += 1;
        }
    }

    async fn rename_customer(&mut self) {
        let customer = self.rng.random_range(0..self.customers.len());
        self.serial += 1;
        let path = format!("/customers/{}", self.customers[customer]);
        let body = json!({"name": format!("Customer {} of {}", self.serial, self.name)});
        self.count("PATCH", &path, true, &body).await;
    }

    async fn issue(&mut self) {
        let customer = self.rng.random_range(0..self.customers.len());
        let product = self.rng.random_range(0..self.products.len());
        let days: u32 = self.rng.random_range(7..1000);
        let body = json!({
            "product_code": self.products[product], "customer_id": self.customers[customer],
            "days_valid": days, "machines_limit": self.rng.random_range(1..10),
        });
        let Some(license) = self.command("POST", "/licenses", true, &body).await else {
            return;
        };
        self.events += 1;
        let text = |member: &str| license[member].as_str().map(str::to_owned);
        if let Some((id, key)) = text("id").zip(text("key")) {
            self.licenses.push(License {
                id,
                key,
                machines: vec![],
                suspended: false,
            });
        }
    }

    async fn act(&mut self, action: Action) {
        // Few licenses are used much, and many a little.
        let skew = self.rng.random::<f64>().powi(3);
        let at = index(skew, self.licenses.len());
        let License {
            id, key, suspended, ..
        } = &self.licenses[at];
        let (id, key, suspended) = (id.clone(), key.clone(), *suspended);
        let license = format!("/licenses/{id}");
        match action {
            Action::Validate => {
                self.command("POST", "/validate", false, &json!({ "key": key }))
                    .await;
            }
            Action::Activate => {
                self.serial += 1;
                let machine = self.serial;
                let body = json!({
                    "key": key, "fingerprint": self.fingerprint(machine),
                    "hostname": format!("host-{machine}"), "platform": "linux",
                });
                if self.count("POST", "/activate", false, &body).await {
                    self.licenses[at].machines.push(machine);
                }
            }
            Action::Upgrade => {
                if let Some(machine) = self.licenses[at].machines.last().copied() {
                    self.serial += 1;
                    let version = format!("1.{}", self.serial);
                    let body =
                        json!({"key": key, "fingerprint": self.fingerprint(machine), "version": version});
                    self.count("POST", "/heartbeat", false, &body).await;
                }
            }
            Action::Deactivate => {
                if let Some(machine) = self.licenses[at].machines.pop() {
                    let body = json!({"key": key, "fingerprint": self.fingerprint(machine)});
                    self.count("POST", "/deactivate", false, &body).await;
                }
            }
            Action::Record => {
                let mut body = self.record();
                body["key"] = key.into();
                self.count("POST", "/usage/record", false, &body).await;
            }
            Action::RecordBatch => {
                let count = self.rng.random_range(1..=100_u64);
                let records: Vec<Value> = (0..count).map(|_| self.record()).collect();
                let body = json!({"key": key, "records": records});
                if self.command("POST", "/usage/batch", false, &body).await.is_some() {
                    self.events += count;
                }
            }
            Action::Entitle => {
                let limit = self.rng.random_range(1000..1_000_000);
                let body = json!({"entitlements": {"api_calls": {"limit": limit}}});
                self.count("PATCH", &license, true, &body).await;
            }
            Action::Renew => {
                let body = json!({"days_valid": self.rng.random_range(30..1000)});
                self.count("POST", &format!("{license}/renew"), true, &body).await;
            }
            Action::Suspend if !suspended => {
                let body = json!({"reason": "an invoice is open"});
                let path = format!("{license}/suspend");
                self.licenses[at].suspended = self.count("POST", &path, true, &body).await;
            }
            Action::Reinstate if suspended => {
                let path = format!("{license}/reinstate");
                self.count("POST", &path, true, &json!({"reason": "it was paid"}))
                    .await;
                self.licenses[at].suspended = false;
            }
            Action::Revoke if self.licenses.len() > 1 => {
                let path = format!("{license}/revoke");
                self.count("POST", &path, true, &json!({"reason": "it was given back"}))
                    .await;
                self.licenses.swap_remove(at);
            }
            _ => {}
        }
    }

    fn fingerprint(&self, machine: u64) -> String {
        format!("{}-{machine}", self.name)
    }

    fn record(&mut self) -> Value {
        let metric = METRICS[self.rng.random_range(0..METRICS.len())];
        json!({"metric": metric, "value": self.rng.random_range(1..50)})
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a place in a list, from a number from 0 to 1"
)]
fn index(fraction: f64, length: usize) -> usize {
    ((fraction * length as f64) as usize).min(length - 1)
}
