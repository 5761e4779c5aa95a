//! Clients that work as an SDK does, on whichever node answers: what fails in passing is asked again, under the same
//! idempotency key, until there is an answer.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use vinzy_client::Error;
use vinzy_client::calls::{licenses, products};
use vinzy_client::licenses::CreateLicense;
use vinzy_client::machines::ActivateRequest;
use vinzy_client::products::CreateProduct;
use vinzy_client::usage::RecordUsageRequest;

use super::client::{Client, object};
use super::database::TestDatabase;

/// Seats of the license.
pub(crate) const SEATS: usize = 20;
/// How much of the limited metric may be used.
pub(crate) const LIMIT: usize = 30;
/// Clients at a time.
const CLIENTS: usize = 8;
/// A client's pause between what it asks.
const PAUSE: Duration = Duration::from_millis(40);
/// How long a client waits for an answer before it asks elsewhere.
const ANSWER_PATIENCE: Duration = Duration::from_secs(3);
/// How long a client asks for the same.
const PATIENCE: Duration = Duration::from_mins(2);

/// The nodes as clients know them; any of them may be gone.
pub(crate) struct Fleet(Mutex<Vec<Client>>);

/// What clients were told.
#[derive(Default)]
pub(crate) struct Told {
    /// Idempotency keys of the records without a limit.
    pub(crate) recorded: BTreeSet<String>,
    /// Those of the records with one.
    pub(crate) recorded_within_limit: BTreeSet<String>,
    /// Fingerprints that have a seat.
    pub(crate) seated: BTreeSet<String>,
    /// Records and machines that found no room.
    pub(crate) refused: usize,
    /// Validations that were answered.
    pub(crate) validated: usize,
    /// Times that a client had to ask again.
    pub(crate) repeated: usize,
    /// Answers that no client expects.
    pub(crate) unexpected: Vec<String>,
}

/// Clients at work.
pub(crate) struct Load {
    license: Value,
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

struct Shared {
    fleet: Arc<Fleet>,
    key: String,
    told: Mutex<Told>,
    next: AtomicUsize,
    ends: AtomicBool,
}

impl Fleet {
    pub(crate) fn new(nodes: impl IntoIterator<Item = Client>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(nodes.into_iter().collect())))
    }

    /// Another node has taken the place of one.
    pub(crate) fn replace(&self, index: usize, node: Client) {
        self.0.lock().unwrap()[index] = node;
    }

    fn of_turn(&self, turn: usize) -> Client {
        let nodes = self.0.lock().unwrap();
        nodes[turn % nodes.len()].clone()
    }
}

impl Load {
    /// Makes a license and lets clients work with it.
    pub(crate) async fn start(fleet: Arc<Fleet>) -> Self {
        let client = fleet.of_turn(0);
        let product = CreateProduct {
            code: "LOD".into(),
            name: "x".into(),
            features: Some(object(json!({"limited": {"limit": LIMIT}}))),
            ..CreateProduct::default()
        };
        client.call(&products::create(&product)).await;
        let customer = client.customer("load@example.com").await;
        let new = CreateLicense {
            product_code: "LOD".into(),
            customer_id: customer["id"].as_str().unwrap().into(),
            machines_limit: Some(u32::try_from(SEATS).ok()),
            ..CreateLicense::default()
        };
        let license = client.call(&licenses::issue(&new)).await;
        let shared = Arc::new(Shared {
            fleet,
            key: license["key"].as_str().unwrap().to_owned(),
            told: Mutex::default(),
            next: AtomicUsize::new(0),
            ends: AtomicBool::new(false),
        });
        let clients = (0..CLIENTS)
            .map(|number| tokio::spawn(work(Arc::clone(&shared), number)))
            .collect();
        Self {
            license,
            shared,
            clients,
        }
    }

    /// Waits until so much more was recorded: the nodes that are left do work.
    pub(crate) async fn goes_on(&self, records: usize) {
        let recorded = || self.shared.told.lock().unwrap().recorded.len();
        let (goal, deadline) = (recorded() + records, Instant::now() + PATIENCE);
        while recorded() < goal {
            assert!(Instant::now() < deadline, "nothing is recorded any more");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Lets every client finish what it asks, and compares what they were told with what `node` says and with what is in
    /// the ledger: nothing acknowledged is lost or there twice, and limits are exact.
    pub(crate) async fn finish(self, node: &Client, database: &TestDatabase) -> Told {
        self.shared.ends.store(true, Ordering::SeqCst);
        for client in self.clients {
            client.await.unwrap();
        }
        let told = std::mem::take(&mut *self.shared.told.lock().unwrap());
        assert!(told.unexpected.is_empty(), "{:#?}", told.unexpected);
        println!(
            "{} records, {} of them within a limit, {} machines, {} refusals, {} validations; {} asked again",
            told.recorded.len() + told.recorded_within_limit.len(),
            told.recorded_within_limit.len(),
            told.seated.len(),
            told.refused,
            told.validated,
            told.repeated,
        );

        let id = self.license["id"].as_str().unwrap();
        let totals = node.get(&format!("/usage/{id}")).await.expect(200);
        for (metric, acknowledged) in [("free", &told.recorded), ("limited", &told.recorded_within_limit)] {
            let mut all = totals.as_array().unwrap().iter();
            let total = all.find(|total| total["metric"] == metric).unwrap();
            let expected = json!(acknowledged.len());
            assert_eq!(
                (&total["total_value"], &total["record_count"]),
                (&expected, &expected),
                "{metric}"
            );
        }
        assert_eq!(told.recorded_within_limit.len(), LIMIT);
        assert_eq!(told.seated.len(), SEATS);
        let license = node.get(&format!("/licenses/{id}")).await.expect(200);
        assert_eq!(license["machines_used"], SEATS);
        let machines = node
            .get(&format!("/licenses/{id}/machines?page_size=100"))
            .await
            .expect(200);
        let machines: BTreeSet<String> = machines
            .as_array()
            .unwrap()
            .iter()
            .map(|machine| machine["fingerprint"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(machines, told.seated);
        let records = "SELECT count(*) FROM events WHERE event_type = 'usage.recorded'";
        let acknowledged = told.recorded.len() + told.recorded_within_limit.len();
        assert_eq!(
            database.count(records).await,
            i64::try_from(acknowledged).unwrap()
        );
        assert_eq!(node.get("/ledger/verify").await.expect(200)["valid"], true);
        told
    }
}

async fn work(shared: Arc<Shared>, number: usize) {
    let mut round = 0;
    while !shared.ends.load(Ordering::SeqCst) {
        let name = format!("{number}-{round}");
        match round % 5 {
            0 => shared.activate(&name).await,
            1 => shared.validate().await,
            2 => shared.record("limited", &name).await,
            _ => shared.record("free", &name).await,
        }
        round += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

/// What a client asks.
enum Question {
    Record(RecordUsageRequest),
    Activate(ActivateRequest),
    Validate,
}

impl Shared {
    async fn record(&self, metric: &str, name: &str) {
        let record = RecordUsageRequest {
            metric: metric.to_owned(),
            value: Some(1.into()),
            idempotency_key: Some(name.to_owned()),
            ..RecordUsageRequest::default()
        };
        let Some(code) = self.ask(&Question::Record(record)).await else {
            return;
        };
        let mut told = self.told.lock().unwrap();
        match (metric, code.as_str()) {
            ("free", "RECORDED") => _ = told.recorded.insert(name.to_owned()),
            ("limited", "RECORDED") => _ = told.recorded_within_limit.insert(name.to_owned()),
            ("limited", "LIMIT_EXCEEDED") => told.refused += 1,
            _ => told.unexpected.push(format!("{metric}: {code}")),
        }
    }

    async fn activate(&self, name: &str) {
        let machine = ActivateRequest {
            fingerprint: name.to_owned(),
            ..ActivateRequest::default()
        };
        let Some(code) = self.ask(&Question::Activate(machine)).await else {
            return;
        };
        let mut told = self.told.lock().unwrap();
        match code.as_str() {
            "ACTIVATED" | "ALREADY_ACTIVATED" => _ = told.seated.insert(name.to_owned()),
            "ACTIVATION_LIMIT" => told.refused += 1,
            _ => told.unexpected.push(format!("activate: {code}")),
        }
    }

    async fn validate(&self) {
        let Some(code) = self.ask(&Question::Validate).await else {
            return;
        };
        let mut told = self.told.lock().unwrap();
        if code == "OK" {
            told.validated += 1;
        } else {
            told.unexpected.push(format!("validate: {code}"));
        }
    }

    /// Asks one node after the other until one answers, and gives the code of the answer.
    async fn ask(&self, question: &Question) -> Option<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let node = self.fleet.of_turn(self.next.fetch_add(1, Ordering::Relaxed));
            match self.ask_at(&node, question).await {
                Ok(Some(code)) => return Some(code),
                Err(error) if !error.is_no_answer() || error.status().is_some_and(|status| status != 503) => {
                    self.told.lock().unwrap().unexpected.push(error.to_string());
                    return None;
                }
                Ok(None) | Err(_) => {}
            }
            assert!(Instant::now() < deadline, "nobody answers any more");
            self.told.lock().unwrap().repeated += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Asks a node once. Nothing, if what answers is a lease.
    async fn ask_at(&self, node: &Client, question: &Question) -> Result<Option<String>, Error> {
        let client = node
            .application(&self.key)
            .timeout(ANSWER_PATIENCE)
            .max_retries(0)
            .build()
            .unwrap();
        Ok(match question {
            Question::Record(record) => Some(client.record_usage_with(record.clone()).await?.code),
            Question::Activate(machine) => {
                let name = format!("activate {}", machine.fingerprint);
                Some(client.activate_with(machine.clone(), Some(&name)).await?.code)
            }
            Question::Validate => {
                let license = client.validate(None).await?;
                (!license.offline).then_some(license.code)
            }
        })
    }
}
