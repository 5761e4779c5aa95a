//! Many clients at once, on one node and on two.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vinzy_engine::database::{connect, disconnect};

use crate::support::check_everything;
use crate::support::client::Client;
use crate::support::database::TestDatabase;
use crate::support::node::Node;

const CLIENTS: usize = 64;

fn how_long() -> Duration {
    let seconds = std::env::var("VINZY_RACE_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(30))
}

/// What was acknowledged.
#[derive(Default)]
struct Acknowledged {
    licenses: BTreeSet<String>,
    /// The value of every change of the shared license.
    changes: BTreeSet<String>,
}

async fn storm(nodes: Vec<Node>, database: TestDatabase) {
    let first = &nodes[0].client;
    first
        .post("/products", &json!({"code": "PRD", "name": "x"}))
        .await
        .expect(201);
    let customer = first
        .post("/customers", &json!({"name": "J", "email": "j@example.com"}))
        .await
        .expect(201);
    let new = json!({"product_code": "PRD", "customer_id": customer["id"]});
    let shared = first.post("/licenses", &new).await.expect(201);
    let shared_path = format!("/licenses/{}", shared["id"].as_str().unwrap());
    let acknowledged = Arc::new(Mutex::new(Acknowledged::default()));
    let until = Instant::now() + how_long();

    let clients = (0..CLIENTS).map(|number| {
        let client = nodes[number % nodes.len()].client.clone();
        let (acknowledged, new, path) = (Arc::clone(&acknowledged), new.clone(), shared_path.clone());
        tokio::spawn(async move { hammer(number, client, &new, &path, until, &acknowledged).await })
    });
    for client in futures::future::join_all(clients).await {
        client.unwrap();
    }
    for node in nodes {
        assert!(node.terminate().success());
    }
    let acknowledged = std::mem::take(&mut *acknowledged.lock().unwrap());
    println!(
        "{} licenses and {} changes acknowledged",
        acknowledged.licenses.len(),
        acknowledged.changes.len()
    );
    check_acknowledged(&database, &acknowledged).await;
    check_everything(&database).await;
    database.drop().await;
}

async fn hammer(
    number: usize,
    client: Client,
    new: &Value,
    shared: &str,
    until: Instant,
    acknowledged: &Mutex<Acknowledged>,
) {
    let mut round = 0;
    while Instant::now() < until {
        let license = client.post("/licenses", new).await.expect(201);
        acknowledged
            .lock()
            .unwrap()
            .licenses
            .insert(license["id"].as_str().unwrap().to_owned());
        let tier = format!("tier-{number}-{round}");
        let changed = client.patch(shared, &json!({"tier": tier})).await.expect(200);
        assert_eq!(
            changed["tier"], tier,
            "the answer is the license right after the change"
        );
        acknowledged.lock().unwrap().changes.insert(tier);
        round += 1;
    }
}

/// Everything acknowledged is in the ledger, once.
async fn check_acknowledged(database: &TestDatabase, acknowledged: &Acknowledged) {
    let pool = connect(database.options(), 2).await.unwrap();
    let mut conn = pool.acquire().await.unwrap();
    let mut found: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let (mut from, mut count) = (0, 0_u64);
    loop {
        let span = vinzy_projections::event_log::Span {
            ledger_id: "default",
            from,
            to: u64::MAX,
            stream_types: &[],
            limit: 1000,
        };
        let events = vinzy_projections::event_log::read(&mut conn, span).await.unwrap();
        let Some(last) = events.last() else { break };
        from = last.position + 1;
        for event in &events {
            assert_eq!(event.position, count, "positions have no gaps");
            count += 1;
            let leaf = event.parse_leaf().unwrap();
            let (kind, value) = match leaf.event_type.as_str() {
                "license.created" => ("licenses", leaf.stream.id),
                "license.updated" => ("changes", leaf.payload["tier"].as_str().unwrap().to_owned()),
                _ => continue,
            };
            assert!(
                found.entry(kind).or_default().insert(value),
                "nothing is there twice"
            );
        }
    }
    assert!(found["licenses"].is_superset(&acknowledged.licenses));
    assert_eq!(
        found["licenses"].len(),
        acknowledged.licenses.len() + 1,
        "the shared one is not counted"
    );
    assert_eq!(found["changes"], acknowledged.changes);
    drop(conn);
    disconnect(&pool).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_clients_on_one_node() {
    let database = TestDatabase::create().await;
    let nodes = vec![Node::on_database(&database.url())];
    storm(nodes, database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_clients_on_two_nodes() {
    let database = TestDatabase::create().await;
    let nodes = vec![
        Node::on_database(&database.url()),
        Node::on_database(&database.url()),
    ];
    storm(nodes, database).await;
}
