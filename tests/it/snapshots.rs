//! Snapshots save work and nothing else: whatever becomes of them, streams are what their events make them.

use std::process::Command;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use vinzy_engine::app::DEFAULT_LEDGER;
use vinzy_engine::ledger::StreamStore;
use vinzy_events::license::License;
use vinzy_events::meter::Meter;

use crate::support::TestApp;
use crate::support::database::TestDatabase;
use crate::support::node::{Node, on_database, vinzy};

/// What a client does to a license.
#[derive(Debug, Clone)]
enum Step {
    Activate(u8),
    Deactivate(u8),
    Tier(u8),
    Suspend,
    Reinstate,
    Use(u8, u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..12_u8).prop_map(Step::Activate),
        3 => (0..12_u8).prop_map(Step::Deactivate),
        2 => any::<u8>().prop_map(Step::Tier),
        1 => Just(Step::Suspend),
        4 => Just(Step::Reinstate),
        6 => (0..2_u8, 1..1_000_000_u32).prop_map(|(metric, value)| Step::Use(metric, value)),
    ];
    proptest::collection::vec(step, 1_000)
}

/// The same steps at every run.
fn some_steps() -> Vec<Step> {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    steps().new_tree(&mut runner).unwrap().current()
}

/// Does a step, which the server may refuse.
async fn take(app: &TestApp, license: &Value, step: &Step) {
    let (client, key) = (&app.client, &license["key"]);
    let path = format!("/licenses/{}", license["id"].as_str().unwrap());
    let answer = match step {
        Step::Activate(machine) => {
            let body = json!({"key": key, "fingerprint": format!("m{machine}")});
            client.ask("/activate", &body).await
        }
        Step::Deactivate(machine) => {
            let body = json!({"key": key, "fingerprint": format!("m{machine}")});
            client.ask("/deactivate", &body).await
        }
        Step::Tier(tier) => client.patch(&path, &json!({"tier": format!("t{tier}")})).await,
        Step::Suspend => client.post(&format!("{path}/suspend"), &json!({})).await,
        Step::Reinstate => client.post(&format!("{path}/reinstate"), &json!({})).await,
        Step::Use(metric, value) => {
            let body = json!({"key": key, "metric": format!("metric{metric}"), "value": value});
            client.ask("/usage/record", &body).await
        }
    };
    assert!(answer.status < 500, "{step:?}: {}", answer.body);
}

fn store(app: &TestApp) -> StreamStore {
    StreamStore::new(app.app.pool.clone(), DEFAULT_LEDGER)
}

/// The states of a license and its meters, each with its number, as cold loads give them: one by one, and many at once.
async fn states(app: &TestApp, license: &Value) -> Vec<(u64, Value)> {
    let id = license["id"].as_str().unwrap().to_owned();
    let meters: Vec<String> = (0..2).map(|metric| format!("{id}/metric{metric}")).collect();
    let store = store(app);
    let one = store.load::<License>(&id).await.unwrap();
    let many = store
        .load_many::<License>(std::slice::from_ref(&id))
        .await
        .unwrap();
    assert_eq!((one.seq, &one.aggregate), (many[&id].seq, &many[&id].aggregate));
    let mut states = vec![(one.seq, json!(one.aggregate))];
    let many = store.load_many::<Meter>(&meters).await.unwrap();
    for meter in &meters {
        let one = store.load::<Meter>(meter).await.unwrap();
        assert_eq!(
            (one.seq, &one.aggregate),
            (many[meter].seq, &many[meter].aggregate)
        );
        states.push((one.seq, json!(one.aggregate)));
    }
    states
}

const SNAPSHOTS: &str = "SELECT count(*) FROM snapshots";

async fn drop_snapshots(database: &TestDatabase) -> String {
    let mut command = vinzy();
    on_database(&mut command, &database.url()).args(["snapshots", "drop"]);
    output(command).await
}

async fn output(mut command: Command) -> String {
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_the_same_with_snapshots_without_and_with_any_that_is_wrong() {
    let app = TestApp::start().await;
    let license = app.license().await;
    for step in some_steps() {
        take(&app, &license, &step).await;
    }
    let written = app.database.count(SNAPSHOTS).await;
    assert!(written >= 2, "{written} snapshots are too few to tell anything");
    let with = states(&app, &license).await;
    assert!(
        with.iter().all(|(seq, _)| *seq > 100),
        "the streams are short: {with:?}"
    );

    for (what, sql) in [
        ("of an older program", r#"payload = '{"version":0,"state":{}}'"#),
        (
            "of a newer program",
            r"payload = json_build_object('version', 2, 'state', payload -> 'state')",
        ),
        (
            "as they were before they had versions",
            "payload = payload -> 'state'",
        ),
        (
            "of another shape",
            r#"payload = '{"version":1,"state":{"seats":7}}'"#,
        ),
        ("empty", "payload = '{}'"),
        ("no object", "payload = '[1]'"),
    ] {
        app.database
            .execute(&format!(
                "CREATE TABLE kept AS SELECT * FROM snapshots; UPDATE snapshots SET {sql}"
            ))
            .await;
        assert_eq!(states(&app, &license).await, with, "{what}");
        app.database
            .execute("DELETE FROM snapshots; INSERT INTO snapshots SELECT * FROM kept; DROP TABLE kept")
            .await;
    }
    let text = drop_snapshots(&app.database).await;
    assert!(
        text.contains(&format!("default: {written} snapshots removed")),
        "{text}"
    );
    assert_eq!(app.database.count(SNAPSHOTS).await, 0);
    assert_eq!(states(&app, &license).await, with);
    app.finish().await;
}

/// A server that has the streams in its cache, and one that loads them cold, on one database.
#[tokio::test(flavor = "multi_thread")]
async fn snapshots_may_go_at_any_time_and_are_made_again() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let other = Node::on_database(&app.database.url());
    let batch = |client: crate::support::client::Client, count: usize| {
        let record = json!({"key": license["key"], "metric": "metric0", "value": 1});
        async move {
            let records = vec![record; count];
            client
                .ask("/usage/batch", &json!({"records": records}))
                .await
                .expect(200)
        }
    };
    let mut recorded = 0;
    for round in 0..6 {
        // By turns: whoever has not written lately follows, or loads anew.
        let client = if round % 2 == 0 {
            &app.client
        } else {
            &other.client
        };
        let (dropping, writing) = tokio::join!(drop_snapshots(&app.database), batch(client.clone(), 150));
        assert!(dropping.contains("snapshots removed"), "{dropping}");
        assert_eq!(writing["results"].as_array().map(Vec::len), Some(150));
        recorded += 150;
        let loaded = store(&app)
            .load::<Meter>(&format!("{}/metric0", license["id"].as_str().unwrap()))
            .await
            .unwrap();
        assert_eq!(loaded.aggregate.record_count(), recorded);
    }
    drop_snapshots(&app.database).await;
    batch(app.client.clone(), 150).await;
    assert!(app.database.count(SNAPSHOTS).await >= 1, "they are made again");
    assert!(other.terminate().success());
    app.finish().await;
}

/// Without their version, events would be read as if they were of the newest.
#[tokio::test]
async fn a_stream_with_an_event_of_a_newer_version_is_not_loaded() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let id = license["id"].as_str().unwrap();
    assert!(store(&app).load::<License>(id).await.is_ok());
    app.database
        .execute(
            "ALTER TABLE events DISABLE TRIGGER USER;
             UPDATE events SET type_ver = 2,
                    leaf = convert_to(replace(convert_from(leaf, 'UTF8'), '\"type_ver\":1', '\"type_ver\":2'), 'UTF8')
             WHERE event_type = 'license.created'",
        )
        .await;
    let one = store(&app).load::<License>(id).await;
    assert!(one.is_err(), "it is read as if it were of version 1");
    assert!(store(&app).load_many::<License>(&[id.to_owned()]).await.is_err());
    // The ledger is damaged now: there is nothing more to check.
    app.stop().await.drop().await;
}
