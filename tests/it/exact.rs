//! Seats and amounts are exact: hundreds and thousands of requests at once, on one node and on two, and
//! through crashes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use vinzy_engine::database::{connect, disconnect};

use crate::support::client::{Client, try_send};
use crate::support::database::TestDatabase;
use crate::support::node::Node;
use crate::support::{check_anomalies, check_everything, eventually};

async fn license_with(client: &Client, content: Value) -> Value {
    let product = json!({"code": "PRD", "name": "x"});
    client.post("/products", &product).await.expect(201);
    let customer = json!({"name": "J", "email": "j@example.com"});
    let customer = client.post("/customers", &customer).await.expect(201);
    let mut new = json!({"product_code": "PRD", "customer_id": customer["id"]});
    new.as_object_mut()
        .unwrap()
        .extend(content.as_object().unwrap().clone());
    client.post("/licenses", &new).await.expect(201)
}

fn nodes(database: &TestDatabase, count: usize) -> Vec<Node> {
    (0..count).map(|_| Node::on_database(&database.url())).collect()
}

async fn end(nodes: Vec<Node>, database: TestDatabase) {
    for node in nodes {
        assert!(node.terminate().success());
    }
    check_everything(&database).await;
    database.drop().await;
}

/// Sends `count` requests at once, by turns to each node. Every answer is a 200.
async fn all_at_once(
    nodes: &[Node],
    count: usize,
    path: &'static str,
    body: impl Fn(usize) -> Value,
) -> Vec<Value> {
    let asking = (0..count).map(|number| {
        let (client, body) = (nodes[number % nodes.len()].client.clone(), body(number));
        tokio::spawn(async move { client.ask(path, &body).await.expect(200) })
    });
    let asking: Vec<_> = asking.collect();
    join_all(asking).await.into_iter().map(Result::unwrap).collect()
}

fn count_codes(answers: &[Value]) -> BTreeMap<&str, usize> {
    let mut codes = BTreeMap::new();
    for answer in answers {
        *codes.entry(answer["code"].as_str().unwrap()).or_default() += 1;
    }
    codes
}

async fn activations_race(count: usize) {
    let database = TestDatabase::create().await;
    let nodes = nodes(&database, count);
    let client = &nodes[0].client;
    let license = license_with(client, json!({"machines_limit": 3})).await;
    let path = format!("/licenses/{}", license["id"].as_str().unwrap());
    let key = &license["key"];

    let same = all_at_once(
        &nodes,
        200,
        "/activate",
        |_| json!({"key": key, "fingerprint": "the same"}),
    )
    .await;
    assert_eq!(
        count_codes(&same),
        [("ACTIVATED", 1), ("ALREADY_ACTIVATED", 199)].into()
    );
    let ids: BTreeSet<&str> = same
        .iter()
        .map(|answer| answer["machine_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 1);
    for node in &nodes {
        assert_eq!(node.client.get(&path).await.expect(200)["machines_used"], 1);
    }
    let gone = json!({"key": key, "fingerprint": "the same"});
    client.ask("/deactivate", &gone).await.expect(200);

    let fresh = all_at_once(
        &nodes,
        200,
        "/activate",
        |number| json!({"key": key, "fingerprint": format!("fp-{number}")}),
    )
    .await;
    assert_eq!(
        count_codes(&fresh),
        [("ACTIVATED", 3), ("ACTIVATION_LIMIT", 197)].into()
    );
    let activated: BTreeSet<&str> = fresh
        .iter()
        .filter_map(|answer| answer["machine_id"].as_str())
        .collect();
    for node in &nodes {
        let listed = node.client.get(&format!("{path}/machines")).await.expect(200);
        let listed: BTreeSet<&str> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|machine| machine["id"].as_str().unwrap())
            .collect();
        assert_eq!(listed.len(), 3);
        assert_eq!(listed, activated);
    }

    // Leaving and coming at once: there is never a fourth, and the end is what was answered last.
    let mixed = all_at_once(
        &nodes,
        200,
        "/activate",
        |number| json!({"key": key, "fingerprint": format!("fp-{}", number % 5)}),
    );
    let leaving = all_at_once(
        &nodes,
        200,
        "/deactivate",
        |number| json!({"key": key, "fingerprint": format!("fp-{}", number % 200)}),
    );
    futures::join!(mixed, leaving);
    let used = client.get(&path).await.expect(200)["machines_used"]
        .as_u64()
        .unwrap();
    let listed = client
        .get(&format!("{path}/machines"))
        .await
        .header("x-total-count")
        .to_owned();
    assert!(used <= 3, "{used}");
    assert_eq!(listed, used.to_string());
    end(nodes, database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_activations_at_once_take_three_seats_on_one_node() {
    activations_race(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_activations_at_once_take_three_seats_on_two_nodes() {
    activations_race(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_records_at_once_over_two_nodes_count_a_thousand() {
    let database = TestDatabase::create().await;
    let nodes = nodes(&database, 2);
    let license = license_with(
        &nodes[0].client,
        json!({"entitlements": {"calls": {"limit": 1000}}}),
    )
    .await;
    let record = |_| json!({"key": license["key"], "metric": "calls", "value": 1});
    let answers = all_at_once(&nodes, 5_000, "/usage/record", record).await;
    assert_eq!(
        count_codes(&answers),
        [("LIMIT_EXCEEDED", 4000), ("RECORDED", 1000)].into()
    );
    let totals: BTreeSet<u64> = answers
        .iter()
        .filter(|answer| answer["success"] == true)
        .map(|answer| answer["total_value"].as_u64().unwrap())
        .collect();
    assert_eq!(totals, (1..=1000).collect(), "each got the total right after it");
    for node in &nodes {
        let path = format!("/usage/{}", license["id"].as_str().unwrap());
        let total = node.client.get(&path).await.expect(200);
        assert_eq!(
            (
                &total[0]["total_value"],
                &total[0]["remaining"],
                &total[0]["record_count"]
            ),
            (&json!(1000), &json!(0), &json!(1000))
        );
    }
    end(nodes, database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_holds_while_it_changes_and_the_license_is_suspended() {
    let database = TestDatabase::create().await;
    let nodes = nodes(&database, 2);
    let license = license_with(
        &nodes[0].client,
        json!({"entitlements": {"calls": {"limit": 100}}}),
    )
    .await;
    let path = format!("/licenses/{}", license["id"].as_str().unwrap());
    let done = Arc::new(AtomicBool::new(false));
    let recording: Vec<_> = (0..32)
        .map(|number: usize| {
            let (client, key, done) = (
                nodes[number % 2].client.clone(),
                license["key"].clone(),
                Arc::clone(&done),
            );
            tokio::spawn(async move {
                let mut granted = vec![];
                while !done.load(Ordering::Relaxed) {
                    let answer = client.use_of(&key, "calls", 1).await;
                    if answer["code"] == "RECORDED" {
                        granted.push((
                            answer["total_value"].as_u64().unwrap(),
                            answer["limit"].as_u64().unwrap(),
                        ));
                    }
                }
                granted
            })
        })
        .collect();
    for limit in [200, 50, 300, 250, 400] {
        let changed = json!({"entitlements": {"calls": {"limit": limit}}});
        nodes[1].client.patch(&path, &changed).await.expect(200);
        tokio::time::sleep(Duration::from_millis(50)).await;
        nodes[0]
            .client
            .post_empty(&format!("{path}/suspend"))
            .await
            .expect(200);
        // Acknowledged: nobody records from here on, on any node.
        let count = "SELECT count(*) FROM events WHERE event_type = 'usage.recorded'";
        let before = database.count(count).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(
            database.count(count).await,
            before,
            "suspended on both nodes at once"
        );
        nodes[1]
            .client
            .post_empty(&format!("{path}/reinstate"))
            .await
            .expect(200);
    }
    let path = format!("/usage/{}", license["id"].as_str().unwrap());
    eventually("the last limit is used up", || async {
        nodes[0].client.get(&path).await.expect(200)[0]["remaining"] == 0
    })
    .await;
    done.store(true, Ordering::Relaxed);
    let granted: Vec<(u64, u64)> = join_all(recording)
        .await
        .into_iter()
        .flat_map(Result::unwrap)
        .collect();
    assert!(granted.iter().all(|(total, limit)| total <= limit), "{granted:?}");
    let totals: BTreeSet<u64> = granted.iter().map(|(total, _)| *total).collect();
    assert_eq!(
        (granted.len(), totals),
        (400, (1..=400).collect()),
        "each use was counted once"
    );
    end(nodes, database).await;
}

/// Sends every record three times with the same key, whatever the server does. Gives what was acknowledged,
/// by key.
async fn record_thrice(
    base: Arc<Mutex<Client>>,
    key: Value,
    number: usize,
    done: Arc<AtomicBool>,
) -> BTreeMap<String, Value> {
    let mut acknowledged = BTreeMap::new();
    for round in 0.. {
        if done.load(Ordering::Relaxed) {
            break;
        }
        let idempotency_key = format!("{number}-{round}");
        // Some stand out, so that anomalies are found while servers die.
        let value = if round % 10 == 9 { 1000 } else { 1 + round % 3 };
        let body = json!({"key": key, "metric": format!("m{}", number % 4), "value": value, "idempotency_key": idempotency_key});
        let mut answers = vec![];
        while answers.len() < 3 {
            let client = base.lock().unwrap().clone();
            match try_send(client.request(Method::POST, "/usage/record").json(&body)).await {
                Ok(answer) if answer.status == 200 => answers.push(answer.body),
                Ok(answer) => assert_eq!(answer.status, 503, "{}", answer.body),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        assert_eq!(answers[0]["code"], "RECORDED");
        assert!(
            answers[1] == answers[0] && answers[2] == answers[0],
            "{answers:?}"
        );
        acknowledged.insert(idempotency_key, answers.remove(0));
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_sent_three_times_counts_once_through_five_kills() {
    let database = TestDatabase::create().await;
    let mut node = Node::on_database(&database.url());
    let license = license_with(&node.client, json!({})).await;
    let base = Arc::new(Mutex::new(node.client.clone()));
    let done = Arc::new(AtomicBool::new(false));
    let recording: Vec<_> = (0..16)
        .map(|number| {
            let (base, key, done) = (Arc::clone(&base), license["key"].clone(), Arc::clone(&done));
            tokio::spawn(record_thrice(base, key, number, done))
        })
        .collect();
    for round in 0..5 {
        tokio::time::sleep(Duration::from_millis(500 + 130 * round)).await;
        node.kill();
        node = Node::on_database(&database.url());
        *base.lock().unwrap() = node.client.clone();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    done.store(true, Ordering::Relaxed);
    let mut acknowledged = BTreeMap::new();
    for client in recording {
        acknowledged.extend(client.await.unwrap());
    }
    let sum: u64 = acknowledged
        .values()
        .map(|answer| answer["value_added"].as_u64().unwrap())
        .sum();
    let totals = node
        .client
        .get(&format!("/usage/{}", license["id"].as_str().unwrap()))
        .await
        .expect(200);
    let totals = totals.as_array().unwrap();
    let add = |member: &str| {
        totals
            .iter()
            .map(|total| total[member].as_u64().unwrap())
            .sum::<u64>()
    };
    println!(
        "{} distinct keys, each sent three times; sum {sum}",
        acknowledged.len()
    );
    assert!(
        acknowledged.len() > 100,
        "{} records are no load",
        acknowledged.len()
    );
    assert_eq!(
        (add("record_count"), add("total_value")),
        (acknowledged.len() as u64, sum)
    );

    // Anomalies came through the kills exactly once each, and they are those that the records imply.
    let anomalies: u64 = node
        .client
        .get("/anomalies")
        .await
        .header("x-total-count")
        .parse()
        .unwrap();
    assert!(anomalies > 0);
    let pool = connect(database.options(), 2).await.unwrap();
    assert_eq!(check_anomalies(&pool).await, anomalies);
    disconnect(&pool).await;
    end(vec![node], database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_keys_racing_over_two_nodes_lead_to_one_result_each() {
    let database = TestDatabase::create().await;
    let nodes = nodes(&database, 2);
    let license = license_with(&nodes[0].client, json!({})).await;
    nodes[0].client.activate(&license["key"], "fp").await;
    // Two hundred activations that need no event, with ten keys; two hundred records with ten others.
    let racing = (0..400).map(|number: usize| {
        let client = nodes[number % 2].client.clone();
        let (path, body) = if number < 200 {
            ("/activate", json!({"key": license["key"], "fingerprint": "fp"}))
        } else {
            (
                "/usage/record",
                json!({"key": license["key"], "metric": "calls", "value": 2}),
            )
        };
        let key = format!("{path}-{}", number / 2 % 10);
        tokio::spawn(async move {
            let request = client.request(Method::POST, path).header("Idempotency-Key", &key);
            let answer = try_send(request.json(&body)).await.unwrap().expect(200);
            (key, answer)
        })
    });
    let racing: Vec<_> = racing.collect();
    let mut results: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for raced in racing {
        let (key, answer) = raced.await.unwrap();
        assert_eq!(answer["success"], true);
        results.entry(key).or_default().insert(answer.to_string());
    }
    assert_eq!(results.len(), 20);
    for (key, answers) in results.iter().filter(|(key, _)| key.starts_with("/usage")) {
        assert_eq!(answers.len(), 1, "{key}: {answers:?}");
    }
    let path = format!("/usage/{}", license["id"].as_str().unwrap());
    let total = nodes[1].client.get(&path).await.expect(200);
    assert_eq!(
        (&total[0]["total_value"], &total[0]["record_count"]),
        (&json!(20), &json!(10))
    );
    end(nodes, database).await;
}
