//! Many nodes on one database, while one of them, the database or the network fails: nothing acknowledged is lost, limits
//! stay exact, projections and processes go on, and nobody answers from what is too old.

mod clock;
mod cut;
mod disk;
mod killed;
mod pooled;
mod replica;
mod rolling;
mod silent;
mod stopped;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::check_everything;
use crate::support::client::{Client, try_send};
use crate::support::database::TestDatabase;
use crate::support::load::{Fleet, Load};
use crate::support::node::Node;
use crate::support::receiver::Receiver;
use crate::webhooks::endpoint;

/// How long a node is stopped or cut off: longer than the database lets a silent session hold a lock, than others wait
/// for a silent sender of webhooks, and than [`STALENESS`]. `VINZY_FAULT_SECONDS` makes it longer.
fn fault() -> Duration {
    let seconds = std::env::var("VINZY_FAULT_SECONDS").ok();
    let seconds = seconds.and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(8))
}

/// How old a node's knowledge may be, in seconds.
const STALENESS: &str = "3";
/// How long something may take that no test is about.
const PATIENCE: Duration = Duration::from_mins(1);

/// A node that finds out soon what it must find out.
fn node(url: &str) -> Node {
    let soon = "200ms,".repeat(10) + &"1s,".repeat(39) + "2s";
    Node::on_database_with(
        url,
        &[
            ("VINZY_MAX_STALENESS", STALENESS),
            ("VINZY_WEBHOOK_RETRY_SCHEDULE", &soon),
        ],
    )
}

/// Three nodes under load, with a receiver that hears of every record.
struct Scene {
    database: TestDatabase,
    nodes: Vec<Node>,
    fleet: Arc<Fleet>,
    load: Load,
    receiver: Receiver,
}

impl Scene {
    /// The third node reaches the database by an URL of its own.
    async fn start(database: TestDatabase, url_of_third: &str) -> Self {
        let mut nodes = vec![node(&database.url())];
        nodes.push(node(&database.url()));
        nodes.push(node(url_of_third));
        let fleet = Fleet::new(nodes.iter().map(|node| node.client.clone()));
        let receiver = Receiver::start().await;
        let wants = json!({"event_types": ["usage.recorded"]});
        endpoint(&nodes[0].client, &receiver.url, wants).await;
        let load = Load::start(Arc::clone(&fleet)).await;
        load.goes_on(40).await;
        Self {
            database,
            nodes,
            fleet,
            load,
            receiver,
        }
    }

    /// Ends the load and the nodes, and checks everything: answers, ledger, read models, webhooks.
    async fn finish(self) {
        let Self {
            database,
            nodes,
            load,
            receiver,
            ..
        } = self;
        load.goes_on(40).await;
        let told = load.finish(&nodes[2].client, &database).await;
        let records = told.recorded.len() + told.recorded_within_limit.len();
        until("every record is delivered", || async {
            let counts = receiver.counts();
            let open = "SELECT count(*) FROM deliveries WHERE status IN ('pending', 'sending')";
            counts.len() == records && database.count(open).await == 0
        })
        .await;
        for node in nodes {
            assert!(node.terminate().success());
        }
        check_everything(&database).await;
        database.drop().await;
    }
}

/// Asks until the answer is good.
async fn until<F: Future<Output = bool>>(what: &str, ask: impl Fn() -> F) {
    let deadline = Instant::now() + PATIENCE;
    while !ask().await {
        assert!(Instant::now() < deadline, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What a node says of a license key: its code, or the status of its refusal to say. `None` if it says nothing.
async fn says(client: &Client, key: &serde_json::Value) -> Option<String> {
    let request = client.request(reqwest::Method::POST, "/validate");
    let request = request
        .json(&json!({ "key": key }))
        .timeout(Duration::from_secs(15));
    let answer = try_send(request).await.ok()?;
    let code = answer.body["code"].as_str().unwrap_or_default().to_owned();
    Some(if answer.status == 200 {
        code
    } else {
        answer.status.to_string()
    })
}
