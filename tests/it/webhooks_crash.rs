//! Thousands of deliveries through crashes of the server and trouble of the receivers: nothing is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::{Client, try_send};
use crate::support::database::TestDatabase;
use crate::support::node::Node;
use crate::support::receiver::{Receiver, Reply};
use crate::webhooks::endpoint;

/// Events, and batches of usage that make them.
const EVENTS: usize = 10_000;
const BATCH: usize = 200;
/// How often the server is killed.
const KILLS: usize = 5;

/// A server that tries again soon.
fn node(database: &TestDatabase) -> Node {
    let soon = "200ms,".repeat(10) + &"1s,".repeat(39) + "2s";
    Node::on_database_with(&database.url(), &[("VINZY_WEBHOOK_RETRY_SCHEDULE", &soon)])
}

/// Records a batch, safely repeated until it is acknowledged: `false` when the server is gone.
async fn record(client: &Client, key: &Value, number: usize) -> bool {
    let records: Vec<Value> = (0..BATCH)
        .map(|index| json!({"metric": "calls", "idempotency_key": format!("{number}-{index}")}))
        .collect();
    let body = json!({"key": key, "records": records});
    let request = client.request(reqwest::Method::POST, "/usage/batch").json(&body);
    match try_send(request).await {
        Ok(answer) => {
            let results = answer.expect(200);
            let results = results["results"].as_array().unwrap();
            results.len() == BATCH && results.iter().all(|result| result["success"] == true)
        }
        Err(_) => false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_arrives_although_the_server_is_killed_and_receivers_fail() {
    let started = Instant::now();
    let database = TestDatabase::create().await;
    let mut server = node(&database);
    let asked = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&asked);
    let moody = Receiver::answering(move |_| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        Reply::of(if number.is_multiple_of(2) { 500 } else { 200 })
    })
    .await;
    let slow = Receiver::answering(|_| Reply {
        delay: Duration::from_millis(10),
        ..Reply::of(200)
    })
    .await;
    let leaving = Receiver::start().await;
    for url in [&moody.url, &slow.url, &leaving.url] {
        let wants = json!({"event_types": ["usage.recorded"], "timeout_seconds": 5});
        endpoint(&server.client, url, wants).await;
    }
    let license = server.client.license().await;

    // One of them is away for a while: nobody answers at its address.
    let address = leaving
        .url
        .trim_start_matches("http://")
        .trim_end_matches("/hook")
        .to_owned();
    let mut seen_before = leaving.seen();
    let mut leaving = Some(leaving);
    let kill_after = EVENTS / BATCH / KILLS;
    for number in 0..EVENTS / BATCH {
        while !record(&server.client, &license["key"], number).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if number % kill_after == kill_after / 2 {
            tokio::time::sleep(Duration::from_millis(300)).await;
            server.kill();
            server = node(&database);
        }
        if number == EVENTS / BATCH / 4 {
            seen_before = leaving.take().map(|gone| gone.seen()).unwrap_or_default();
        }
    }
    let back = Receiver::on(&address, |_| Reply::of(200)).await;

    let deadline = Instant::now() + Duration::from_mins(3);
    let mut open = i64::MAX;
    while open > 0 {
        assert!(Instant::now() < deadline, "{open} deliveries are not finished");
        tokio::time::sleep(Duration::from_millis(200)).await;
        open = database
            .count("SELECT count(*) FROM deliveries WHERE status IN ('pending', 'sending')")
            .await;
    }
    let noted = "SELECT count(*) FROM deliveries WHERE status = 'success'";
    assert_eq!(database.count(noted).await, 3 * i64::try_from(EVENTS).unwrap());
    assert_eq!(
        database
            .count("SELECT count(*) FROM events WHERE event_type = 'usage.recorded'")
            .await,
        i64::try_from(EVENTS).unwrap()
    );

    let ids = all_ids(&database).await;
    let mut returned = back.counts();
    for seen in &seen_before {
        *returned.entry(seen.id().to_owned()).or_default() += 1;
    }
    for (name, counts) in [
        ("the one that fails half the time", moody.counts()),
        ("the slow one", slow.counts()),
        ("the one that was away", returned),
    ] {
        let missing = ids.iter().filter(|id| !counts.contains_key(*id)).count();
        assert_eq!(missing, 0, "{name} lacks events");
        assert_eq!(counts.len(), ids.len(), "{name}");
        let requests: usize = counts.values().sum();
        let twice = counts.values().filter(|count| **count > 1).count();
        println!(
            "{name}: {} events in {requests} requests, {twice} of them more than once",
            ids.len()
        );
    }
    println!("{} s in all", started.elapsed().as_secs());
    assert!(server.terminate().success());
    crate::support::check_everything(&database).await;
    database.drop().await;
}

/// The ids of all events that were to be sent.
async fn all_ids(database: &TestDatabase) -> Vec<String> {
    let pool = vinzy_engine::database::connect(database.options(), 1)
        .await
        .unwrap();
    let ids: Vec<uuid::Uuid> =
        sqlx::query_scalar("SELECT event_id FROM events WHERE event_type = 'usage.recorded'")
            .fetch_all(&pool)
            .await
            .unwrap();
    vinzy_engine::database::disconnect(&pool).await;
    ids.into_iter().map(|id| id.to_string()).collect()
}
