//! Anomalies: found once per cause, whatever crashes or is done again.

use serde_json::{Value, json};
use sqlx::{ConnectOptions, Connection, Executor};
use vinzy_engine::processes::anomaly_detection;

use crate::support::database::TestDatabase;
use crate::support::node::Node;
use crate::support::{TestApp, check_everything, server_config};

async fn use_all(app: &TestApp, license: &Value, metric: &str, values: &[f64]) {
    for value in values {
        app.client.use_of(&license["key"], metric, *value).await;
    }
}

async fn found(app: &TestApp, query: &str) -> Vec<Value> {
    let listed = app.client.get(&format!("/anomalies{query}")).await.expect(200);
    listed.as_array().unwrap().clone()
}

#[tokio::test]
async fn a_value_that_stands_out_is_noted_and_resolved() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let id = license["id"].as_str().unwrap();
    use_all(&app, &license, "calls", &[10.0, 10.0, 1000.0]).await;
    assert!(found(&app, "").await.is_empty(), "two values say nothing");
    use_all(&app, &license, "calls", &[10.0, 10.0]).await;
    assert!(found(&app, "").await.is_empty(), "within the spread");
    use_all(&app, &license, "steady", &[10.0, 10.0, 10.0, 10.0, 1000.0]).await;
    let anomalies = found(&app, &format!("/{id}")).await;
    let anomaly = &anomalies[0];
    let (anomaly_id, cause) = (
        anomaly["id"].as_str().unwrap(),
        anomaly["detail"]["usage_event_id"].clone(),
    );
    assert_eq!(
        anomalies,
        [json!({
            "id": anomaly_id, "license_id": id, "anomaly_type": "usage_spike", "severity": "critical", "metric": "steady",
            "z_score": 999, "baseline_mean": 10, "baseline_stddev": 0, "observed_value": 1000,
            "detail": {"usage_event_id": cause}, "resolved": false, "resolved_by": null, "resolved_at": null,
            "created_at": "2026-03-01T12:00:00.000000Z",
        })]
    );
    let trail = app
        .client
        .get(&format!("/audit/{id}?event_type=anomaly.detected"))
        .await
        .expect(200);
    assert_eq!(
        (trail.as_array().unwrap().len(), &trail[0]["actor"]),
        (1, &json!("anomaly_detection"))
    );
    let usage = app
        .client
        .get(&format!("/audit/{id}?event_type=usage.recorded"))
        .await
        .expect(200);
    assert_eq!(usage[0]["id"], cause, "the last record is the cause");

    let resolve = format!("/anomalies/{anomaly_id}/resolve");
    let resolved = app
        .client
        .post(&resolve, &json!({"resolved_by": "ops"}))
        .await
        .expect(200);
    assert_eq!(
        (
            &resolved["resolved"],
            &resolved["resolved_by"],
            &resolved["resolved_at"]
        ),
        (&json!(true), &json!("ops"), &json!("2026-03-01T12:00:00.000000Z"))
    );
    let again = app
        .client
        .post(&resolve, &json!({"resolved_by": "somebody else"}))
        .await
        .expect(200);
    assert_eq!(again, resolved, "the first who did it did it");
    assert_eq!(found(&app, "?resolved=true").await, [resolved]);
    assert!(found(&app, "?resolved=false").await.is_empty());
    for (id, body) in [
        ("0197f0a2-0000-7000-8000-000000000000", json!({})),
        ("x", json!({})),
    ] {
        app.client
            .post(&format!("/anomalies/{id}/resolve"), &body)
            .await
            .expect_problem(404, "ANOMALY_NOT_FOUND");
        app.client
            .get(&format!("/anomalies/{id}"))
            .await
            .expect_problem(404, "LICENSE_NOT_FOUND");
    }
    app.client
        .post(&resolve, &json!({"resolved_by": ""}))
        .await
        .expect_problem(422, "VALIDATION_ERROR");
    app.finish().await;
}

#[tokio::test]
async fn severities_are_told_apart_and_lists_are_filtered_and_paged() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let other = app
        .license_of("PRD", &app.customer("other@example.com").await)
        .await;
    // Mean 10, sample deviation 1: 11.6, 12.1 and 14 are 1.6, 2.1 and 4 away, on either side.
    let spread = [9.0, 10.0, 11.0];
    for (metric, value) in [("m1", 11.6), ("m2", 7.9), ("m3", 14.0), ("m4", 11.5)] {
        use_all(&app, &license, metric, &spread).await;
        use_all(&app, &license, metric, &[value]).await;
    }
    use_all(&app, &other, "m1", &[1.0, 1.0, 1.0, 2.0]).await;
    let severities: Vec<(String, String)> = found(&app, &format!("/{}", license["id"].as_str().unwrap()))
        .await
        .iter()
        .map(|one| {
            (
                one["metric"].as_str().unwrap().to_owned(),
                one["severity"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let expected = [("m3", "critical"), ("m2", "high"), ("m1", "medium")];
    assert_eq!(
        severities,
        expected.map(|(metric, severity)| (metric.to_owned(), severity.to_owned())),
        "newest first"
    );
    for (query, count) in [
        ("", 4),
        ("?severity=critical", 2),
        ("?severity=medium", 1),
        ("?metric=m1", 2),
        (
            &format!("?metric=m1&license_id={}", other["id"].as_str().unwrap()),
            1,
        ),
        ("?license_id=0197f0a2-0000-7000-8000-000000000000", 0),
        ("?page_size=3", 3),
        ("?page_size=3&page=2", 1),
        ("?metric=%F0%9F%94%91", 0),
    ] {
        assert_eq!(found(&app, query).await.len(), count, "{query}");
    }
    let first = app.client.get("/anomalies?page_size=3").await;
    let rest = app.client.get(&first.next_page().unwrap()).await.expect(200);
    assert_eq!(rest.as_array().unwrap().len(), 1);
    for query in [
        "severity=bad",
        "resolved=maybe",
        "license_id=x",
        "page=0",
        "after=x",
    ] {
        app.client
            .get(&format!("/anomalies?{query}"))
            .await
            .expect_problem(422, "VALIDATION_ERROR");
    }
    // What is deleted keeps its anomalies.
    assert_eq!(
        app.client
            .delete(&format!("/licenses/{}", other["id"].as_str().unwrap()))
            .await
            .status,
        204
    );
    assert_eq!(
        found(&app, &format!("/{}", other["id"].as_str().unwrap()))
            .await
            .len(),
        1
    );
    app.finish().await;
}

#[tokio::test]
async fn values_of_any_size_are_compared_with_the_thirty_before() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let mut old = vec![1e6; 5];
    old.extend([1.0; 30]);
    use_all(&app, &license, "window", &old).await;
    let before = found(&app, "").await.len();
    use_all(&app, &license, "window", &[1.0, 2.0]).await;
    let after = found(&app, "").await;
    assert_eq!(after.len(), before + 1, "the first five are out of the window");
    assert_eq!(
        (&after[0]["observed_value"], &after[0]["z_score"]),
        (&json!(2), &json!(999))
    );
    use_all(&app, &license, "huge", &[1e308, 1e307, 1e307, 1e307]).await;
    use_all(&app, &license, "tiny", &[1e-20, 1e-20, 1e-20, 2e-20]).await;
    let tiny = found(&app, "?metric=tiny").await;
    assert_eq!((tiny.len(), &tiny[0]["observed_value"]), (1, &json!(2e-20)));
    app.finish().await;
}

/// The values beside the newest anomaly of a metric: their roles, and the values themselves.
async fn context(app: &TestApp, metric: &str) -> (Value, Vec<(String, f64)>) {
    let listed = found(app, &format!("?metric={metric}")).await;
    let path = format!("/anomalies/{}/context", listed[0]["id"].as_str().unwrap());
    let context = app.client.get(&path).await.expect(200);
    assert_eq!(context["anomaly"], listed[0]);
    let values = context["values"].as_array().unwrap();
    let shown = values
        .iter()
        .map(|one| {
            (
                one["role"].as_str().unwrap().to_owned(),
                one["value"].as_f64().unwrap(),
            )
        })
        .collect();
    (context, shown)
}

#[tokio::test]
async fn an_anomaly_is_shown_among_the_values_around_it() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let other = app
        .license_of("PRD", &app.customer("other@example.com").await)
        .await;
    let of = |role: &str, value: f64| (role.to_owned(), value);
    use_all(&app, &license, "calls", &[0.5, 1.5, 0.5]).await;
    use_all(&app, &license, "others", &[77.0]).await;
    use_all(&app, &other, "calls", &[88.0]).await;
    app.advance(std::time::Duration::from_hours(1));
    use_all(&app, &license, "calls", &[9.5]).await;
    let (shown, values) = context(&app, "calls").await;
    let expected = [
        of("baseline", 0.5),
        of("baseline", 1.5),
        of("baseline", 0.5),
        of("observed", 9.5),
    ];
    assert_eq!(values, expected);
    assert_eq!(
        (
            &shown["values"][2]["recorded_at"],
            &shown["values"][3]["recorded_at"]
        ),
        (
            &json!("2026-03-01T12:00:00.000000Z"),
            &json!("2026-03-01T13:00:00.000000Z")
        )
    );
    // Each stands where its event does.
    let receipt = format!("/ledger/receipt/{}", shown["values"][3]["position"]);
    let receipt = app.client.get(&receipt).await.expect(200);
    let leaf = data_encoding::BASE64.decode(receipt["leaf"].as_str().unwrap().as_bytes());
    let leaf: Value = serde_json::from_slice(&leaf.unwrap()).unwrap();
    assert_eq!(leaf["event_id"], shown["anomaly"]["detail"]["usage_event_id"]);

    // A long history: as many before as it was compared with, and no more than ten after.
    let mut history: Vec<f64> = (0..32).map(|n| 10.0 + f64::from(n % 2)).collect();
    history[0] = 11.5;
    history[1] = 9.5;
    use_all(&app, &license, "long", &history).await;
    use_all(&app, &license, "long", &[1000.0]).await;
    let (_, values) = context(&app, "long").await;
    let mut expected: Vec<_> = history[2..].iter().map(|value| of("baseline", *value)).collect();
    expected.push(of("observed", 1000.0));
    assert_eq!(values, expected);
    let after: Vec<f64> = (1..=12).map(f64::from).collect();
    use_all(&app, &license, "long", &after).await;
    let (_, values) = context(&app, "long").await;
    expected.extend(after[..10].iter().map(|value| of("after", *value)));
    assert_eq!(values, expected);
    let mean = found(&app, "?metric=long").await[0]["baseline_mean"]
        .as_f64()
        .unwrap();
    let shown_mean: f64 = history[2..].iter().sum::<f64>() / 30.0;
    assert!(
        (mean - shown_mean).abs() < 1e-9,
        "{mean} is the mean of what is shown: {shown_mean}"
    );

    // Amounts keep their digits, and what is deleted its anomalies.
    let exact = "4503599627370496.25";
    for value in ["1", "1", "1", exact] {
        app.client.use_of(&license["key"], "exact", value).await;
    }
    let id = license["id"].as_str().unwrap();
    app.client.delete(&format!("/licenses/{id}")).await.expect(204);
    let listed = found(&app, "?metric=exact").await;
    let path = format!("/anomalies/{}/context", listed[0]["id"].as_str().unwrap());
    let request = app.client.authorized(reqwest::Method::GET, &path);
    let text = request.send().await.unwrap().text().await.unwrap();
    assert!(
        text.contains(&format!("\"role\":\"observed\",\"value\":{exact}")),
        "{text}"
    );
    for id in ["0197f0a2-0000-7000-8000-000000000000", "x", id] {
        app.client
            .get(&format!("/anomalies/{id}/context"))
            .await
            .expect_problem(404, "ANOMALY_NOT_FOUND");
    }
    app.finish().await;
}

const SPIKES: i64 = 20;

/// Records twenty spikes, each on a meter of its own, without anybody looking at them. The node is killed.
async fn unseen_spikes(database: &TestDatabase) -> Value {
    let node = Node::on_database(&database.url());
    let product = json!({"code": "PRD", "name": "x"});
    node.client.post("/products", &product).await.expect(201);
    let customer = json!({"name": "J", "email": "j@example.com"});
    let customer = node.client.post("/customers", &customer).await.expect(201);
    let new = json!({"product_code": "PRD", "customer_id": customer["id"]});
    let license = node.client.post("/licenses", &new).await.expect(201);
    assert!(
        node.client
            .get("/anomalies")
            .await
            .expect(200)
            .as_array()
            .unwrap()
            .is_empty()
    );
    // Whoever holds the checkpoint does the work: for now that is this test, which does nothing.
    let mut holder = database.options().connect().await.unwrap();
    let hold = format!(
        "BEGIN; SELECT 1 FROM projection_checkpoints WHERE projection = '{}' FOR UPDATE",
        anomaly_detection::NAME
    );
    holder.execute(sqlx::raw_sql(&hold)).await.unwrap();
    for number in 0..SPIKES {
        for value in [5, 5, 5, 500] {
            let recorded = node
                .client
                .use_of(&license["key"], &format!("m{number}"), value)
                .await;
            assert_eq!(recorded["code"], "RECORDED", "recording waits for no process");
        }
    }
    node.kill();
    holder.close().await.unwrap();
    assert_eq!(detected(database).await, (0, 0));
    license
}

/// Events, and causes of them.
async fn detected(database: &TestDatabase) -> (i64, i64) {
    let events = "SELECT count(*) FROM events WHERE event_type = 'anomaly.detected'";
    let causes = "SELECT count(DISTINCT convert_from(leaf, 'UTF8')::json -> 'payload' ->> 'usage_event_id') FROM events
                  WHERE event_type = 'anomaly.detected'";
    (database.count(events).await, database.count(causes).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_a_record_and_its_anomaly_loses_and_repeats_nothing() {
    let database = TestDatabase::create().await;
    unseen_spikes(&database).await;
    // Two nodes come up at once, and both find that there is work.
    let nodes = [
        Node::on_database(&database.url()),
        Node::on_database(&database.url()),
    ];
    for node in &nodes {
        let listed = node.client.get("/anomalies?page_size=100").await.expect(200);
        assert_eq!(
            listed.as_array().map(|all| i64::try_from(all.len())),
            Some(Ok(SPIKES))
        );
    }
    for node in nodes {
        node.kill();
    }
    assert_eq!(detected(&database).await, (SPIKES, SPIKES));
    // A crash after the anomalies and before the checkpoint: all of it is looked at again.
    let forget = format!(
        "UPDATE projection_checkpoints SET position = 0 WHERE projection = '{}'",
        anomaly_detection::NAME
    );
    database.execute(&forget).await;
    let node = Node::on_database(&database.url());
    assert_eq!(
        node.client.get("/anomalies").await.header("x-total-count"),
        SPIKES.to_string()
    );
    assert!(node.terminate().success());
    assert_eq!(detected(&database).await, (SPIKES, SPIKES));
    check_everything(&database).await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_of_every_projection_and_process_finds_nothing_new() {
    let database = TestDatabase::create().await;
    let license = unseen_spikes(&database).await;
    let node = Node::on_database(&database.url());
    let paths = [
        "/anomalies?page_size=100".to_owned(),
        format!("/usage/{}?page_size=100", license["id"].as_str().unwrap()),
        "/licenses".to_owned(),
    ];
    let mut before = vec![];
    for path in &paths {
        before.push(node.client.get(path).await.expect(200));
    }
    assert!(node.terminate().success());
    let size = database.count("SELECT size FROM ledgers").await;
    let projections = vinzy_projections::all();
    let tables: Vec<&str> = projections
        .iter()
        .flat_map(|projection| projection.tables())
        .copied()
        .collect();
    database
        .execute(&format!(
            "UPDATE projection_checkpoints SET position = 0; TRUNCATE {}",
            tables.join(", ")
        ))
        .await;
    let app = TestApp::start_on(database, server_config()).await;
    for (path, before) in paths.iter().zip(before) {
        assert_eq!(app.client.get(path).await.expect(200), before, "{path}");
    }
    app.app.in_step(anomaly_detection::NAME, "default").await.unwrap();
    assert_eq!(
        app.database.count("SELECT size FROM ledgers").await,
        size,
        "no event was added"
    );
    // What comes next is compared with a window that was read again.
    let next = app.client.use_of(&license["key"], "m0", 5).await;
    assert_eq!(next["total_value"], 520);
    app.finish().await;
}
