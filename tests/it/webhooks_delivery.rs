//! Deliveries to real receivers: what is sent, when again, and when not.

use std::time::Duration;

use serde_json::{Value, json};
use vinzy_engine::config::{ServerConfig, WebhookConfig};
use vinzy_engine::processes::webhook_outbox::WebhookOutbox;
use vinzy_projections::Projection;
use vinzy_projections::event_log::{self, Span};

use crate::support::client::Client;
use crate::support::node::Node;
use crate::support::receiver::{Received, Receiver, Reply};
use crate::support::{TestApp, database::TestDatabase, eventually, server_config};
use crate::webhooks::{endpoint, path};

/// The deliveries to an endpoint, newest first.
async fn deliveries(client: &Client, endpoint: &Value, filter: &str) -> Vec<Value> {
    let list = client
        .get(&path(endpoint, &format!("/deliveries?page_size=100&{filter}")))
        .await
        .expect(200);
    list.as_array().unwrap().clone()
}

async fn detail(client: &Client, delivery: &Value) -> Value {
    let id = delivery["id"].as_str().unwrap();
    client
        .get(&format!("/webhooks/deliveries/{id}"))
        .await
        .expect(200)
}

/// The only delivery to an endpoint, once it has been tried so often and is not being sent.
async fn tried(client: &Client, endpoint: &Value, attempts: u64) -> Value {
    let mut shown = Value::Null;
    for _ in 0..400 {
        let all = deliveries(client, endpoint, "").await;
        if let [one] = all.as_slice() {
            shown = one.clone();
            if one["attempts"] == attempts && one["status"] != "sending" {
                return detail(client, one).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not tried {attempts} times: {shown}");
}

async fn test(client: &Client, endpoint: &Value) -> Value {
    client.post_empty(&path(endpoint, "/test")).await.expect(202)
}

#[tokio::test]
async fn a_delivery_says_what_happened_where_it_stands_and_who_sent_it() {
    let app = TestApp::start().await;
    let receiver = Receiver::start().await;
    app.product("OLD").await;
    let made = endpoint(
        &app.client,
        &receiver.url,
        json!({"secret": "0123456789abcdef", "event_types": ["license.created", "usage.recorded"]}),
    )
    .await;
    let license = app.license().await;
    app.client.use_of(&license["key"], "calls", 2).await;
    let seen = receiver.wait_for(2).await;
    let created = seen
        .iter()
        .find(|seen| seen.event_type() == "license.created")
        .unwrap();
    let body = created.json();
    let data = &body["data"];
    assert_eq!(
        (
            &data["license_id"],
            &data["product_code"],
            &data["tier"],
            &data["customer_id"]
        ),
        (
            &license["id"],
            &json!("PRD"),
            &license["tier"],
            &license["customer_id"]
        )
    );
    assert_eq!(data.get("key_digest"), None);
    assert_eq!(body["timestamp"], "2026-03-01T12:00:00.000000Z");
    let receipt = app
        .client
        .get(&format!("/ledger/receipt/{}", body["ledger"]["position"]))
        .await
        .expect(200);
    let leaf = data_encoding::BASE64
        .decode(receipt["leaf"].as_str().unwrap().as_bytes())
        .unwrap();
    assert_eq!(
        body["ledger"]["event_hash"],
        vinzy_events::ledger::event_hash(&leaf).to_string()
    );
    let leaf: Value = serde_json::from_slice(&leaf).unwrap();
    assert_eq!(leaf["event_id"], created.id());
    assert!(created.is_signed_with(&made["secret"]));
    assert_eq!(created.header("x-vinzy-event"), "license.created");
    assert_eq!(created.header("content-type"), "application/json");
    let secret = vinzy_events::webhook::SigningSecret::parse("0123456789abcdef").unwrap();
    assert_eq!(
        created.header("x-vinzy-signature"),
        secret.sign_body(&created.body)
    );
    let used = seen
        .iter()
        .find(|seen| seen.event_type() == "usage.recorded")
        .unwrap()
        .json();
    assert_eq!(
        (&used["data"]["metric"], &used["data"]["license_id"]),
        (&json!("calls"), &license["id"])
    );
    app.finish().await;
}

#[tokio::test]
async fn an_endpoint_gets_what_it_wants_from_its_creation_on_and_a_refused_command_delivers_nothing() {
    let app = TestApp::start().await;
    let (all, some) = (Receiver::start().await, Receiver::start().await);
    app.product("OLD").await;
    let made = endpoint(&app.client, &all.url, json!({})).await;
    let wanting = endpoint(&app.client, &some.url, json!({"event_types": ["customer.*"]})).await;
    app.client
        .post("/products", &json!({"code": "OLD", "name": "x"}))
        .await
        .expect_problem(409, "PRODUCT_CODE_TAKEN");
    let license = app.license().await;
    for _ in 0..2 {
        app.client.activate(&license["key"], "fp").await;
    }
    let body = json!({"key": license["key"], "fingerprint": "fp"});
    app.client.ask("/heartbeat", &body).await.expect(200);
    test(&app.client, &wanting).await;
    all.wait_for(4).await;
    some.wait_for(2).await;
    let mut types: Vec<String> = deliveries(&app.client, &made, "")
        .await
        .iter()
        .map(|delivery| delivery["event_type"].as_str().unwrap().to_owned())
        .collect();
    types.sort_unstable();
    assert_eq!(
        types,
        [
            "activation.created",
            "customer.created",
            "license.created",
            "product.created"
        ]
    );
    let mut types: Vec<String> = some.seen().iter().map(Received::event_type).collect();
    types.sort_unstable();
    assert_eq!(types, ["customer.created", "webhook.test"]);
    assert_eq!(all.seen().len(), 4);
    app.finish().await;
}

#[tokio::test]
async fn a_batch_that_cannot_be_committed_delivers_nothing() {
    let app = TestApp::start().await;
    let receiver = Receiver::start().await;
    endpoint(&app.client, &receiver.url, json!({})).await;
    app.product("ONE").await;
    receiver.wait_for(1).await;
    app.database
        .execute(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
             CREATE CONSTRAINT TRIGGER fails AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION fail()",
        )
        .await;
    app.client
        .post("/products", &json!({"code": "TWO", "name": "x"}))
        .await
        .expect_problem(503, "LEDGER_UNAVAILABLE");
    app.database.execute("DROP FUNCTION fail CASCADE").await;
    app.product("THR").await;
    let seen = receiver.wait_for(2).await;
    let codes: Vec<Value> = seen
        .iter()
        .map(|seen| seen.json()["data"]["code"].clone())
        .collect();
    assert_eq!(codes, ["ONE", "THR"]);
    assert_eq!(app.database.count("SELECT count(*) FROM deliveries").await, 2);
    app.finish().await;
}

#[tokio::test]
async fn a_replay_of_projections_delivers_nothing() {
    let app = TestApp::start().await;
    let receiver = Receiver::start().await;
    let made = endpoint(&app.client, &receiver.url, json!({})).await;
    app.license().await;
    receiver.wait_for(3).await;
    for projection in vinzy_projections::all() {
        let mut conn = app.app.pool.acquire().await.unwrap();
        let differences = vinzy_projections::rebuild::compare(&mut conn, projection.as_ref(), "default")
            .await
            .unwrap();
        assert!(differences.is_empty(), "{differences:?}");
    }
    for projection in vinzy_projections::all() {
        let name = projection.name();
        let emptied = projection.tables().join("; DELETE FROM ");
        app.database
            .execute(&format!(
                "BEGIN; DELETE FROM {emptied};
                 DELETE FROM projection_checkpoints WHERE projection = '{name}'; COMMIT"
            ))
            .await;
    }
    test(&app.client, &made).await;
    eventually("the read models are made again", async || {
        app.client.get("/licenses").await.header("x-total-count") == "1"
    })
    .await;
    receiver.wait_for(4).await;
    assert_eq!(deliveries(&app.client, &made, "").await.len(), 4);
    assert_eq!(receiver.seen().len(), 4);
    app.finish().await;
}

#[tokio::test]
async fn only_a_2xx_is_a_success_and_redirects_are_not_followed() {
    let app = TestApp::start().await;
    let elsewhere = Receiver::start().await;
    let url = elsewhere.url.clone();
    let receiver = Receiver::answering(move |_| Reply {
        headers: vec![("location", url.clone())],
        body: b"go \0 there \xff".to_vec(),
        ..Reply::of(307)
    })
    .await;
    let made = endpoint(&app.client, &receiver.url, json!({"max_retries": 0})).await;
    test(&app.client, &made).await;
    let delivery = tried(&app.client, &made, 1).await;
    assert_eq!(
        (
            &delivery["status"],
            &delivery["last_response_code"],
            &delivery["last_error"],
            &delivery["next_retry_at"]
        ),
        (&json!("failed"), &json!(307), &json!("HTTP 307"), &Value::Null)
    );
    let attempt = &delivery["attempt_log"][0];
    assert_eq!(attempt["response_body"], "go \u{fffd} there \u{fffd}");
    assert!(
        attempt["address"].as_str().unwrap().starts_with("127.0.0.1:"),
        "{attempt}"
    );
    assert!(elsewhere.seen().is_empty());
    app.finish().await;
}

#[tokio::test]
async fn a_failed_delivery_is_tried_again_on_schedule_with_the_same_id_and_body() {
    let app = TestApp::start().await;
    let receiver = Receiver::answering(|_| Reply::of(500)).await;
    let made = endpoint(&app.client, &receiver.url, json!({})).await;
    app.product("PRD").await;
    // The clock stands still: nothing but its moves makes a try come.
    let pauses = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
    for (index, pause) in pauses.into_iter().enumerate() {
        let number = index as u64 + 1;
        let delivery = tried(&app.client, &made, number).await;
        assert_eq!(delivery["status"], "pending");
        let log = delivery["attempt_log"].as_array().unwrap();
        let due = seconds(&log[index]["next_retry_at"]) - seconds(&log[index]["attempted_at"]);
        let middle = f64::from(pause);
        assert!(
            (0.79 * middle..=1.21 * middle).contains(&due),
            "{number}: {due} for {pause}"
        );
        app.advance(Duration::from_secs_f64(due - 1.0));
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(receiver.seen().len(), index + 1, "not before it is due");
        app.advance(Duration::from_millis(1_001));
    }
    let delivery = tried(&app.client, &made, 10).await;
    assert_eq!(
        (&delivery["status"], &delivery["next_retry_at"]),
        (&json!("failed"), &Value::Null)
    );
    let seen = receiver.seen();
    assert_eq!(seen.len(), 10);
    for again in &seen {
        assert_eq!((again.id(), &again.body), (seen[0].id(), &seen[0].body));
        assert!(again.is_signed_with(&made["secret"]), "signed at its own time");
    }
    assert_ne!(
        seen[0].header("webhook-timestamp"),
        seen[9].header("webhook-timestamp")
    );
    app.finish().await;
}

/// A time as seconds.
fn seconds(time: &Value) -> f64 {
    let time: vinzy_events::Timestamp = time.as_str().unwrap().parse().unwrap();
    #[expect(clippy::cast_precision_loss, reason = "microseconds of these years fit")]
    let micros = time.as_micros() as f64;
    micros / 1_000_000.0
}

#[tokio::test]
async fn max_retries_and_retry_after_are_heeded() {
    let app = TestApp::start().await;
    let receiver = Receiver::answering(|_| Reply {
        headers: vec![("retry-after", "120".into())],
        ..Reply::of(503)
    })
    .await;
    let made = endpoint(&app.client, &receiver.url, json!({"max_retries": 1})).await;
    test(&app.client, &made).await;
    let delivery = tried(&app.client, &made, 1).await;
    assert_eq!(delivery["next_retry_at"], "2026-03-01T12:02:00.000000Z");
    app.advance(Duration::from_mins(2));
    let delivery = tried(&app.client, &made, 2).await;
    assert_eq!(delivery["status"], "failed");
    app.finish().await;
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_disabled_and_hears_the_rest_when_it_is_back() {
    let app = TestApp::start().await;
    let receiver = Receiver::answering(|_| Reply::of(410)).await;
    let made = endpoint(&app.client, &receiver.url, json!({})).await;
    test(&app.client, &made).await;
    tried(&app.client, &made, 1).await;
    eventually("it is disabled", async || {
        app.client.get(&path(&made, "")).await.body["status"] == "disabled"
    })
    .await;
    let shown = app.client.get(&path(&made, "")).await.expect(200);
    assert_eq!(shown["disabled_reason"], "gone");
    let says = "SELECT count(*) FROM events WHERE event_type = 'endpoint.disabled'";
    assert_eq!(app.database.count(says).await, 1);

    receiver.answer(|_| Reply::of(204));
    app.product("PRD").await;
    app.advance(Duration::from_mins(1));
    eventually("what happens meanwhile is kept", async || {
        deliveries(&app.client, &made, "status=pending").await.len() == 2
    })
    .await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(receiver.seen().len(), 1);
    let active = json!({"status": "active"});
    let shown = app.client.patch(&path(&made, ""), &active).await.expect(200);
    assert_eq!(
        (&shown["status"], &shown["disabled_reason"]),
        (&json!("active"), &Value::Null)
    );
    receiver.wait_for(3).await;
    eventually("all has arrived", async || {
        deliveries(&app.client, &made, "status=success").await.len() == 2
    })
    .await;
    app.finish().await;
}

#[tokio::test]
async fn an_endpoint_that_fails_for_five_days_is_disabled() {
    let app = TestApp::start().await;
    let receiver = Receiver::answering(|_| Reply::of(500)).await;
    let made = endpoint(&app.client, &receiver.url, json!({"max_retries": 0})).await;
    for day in 0..=5_usize {
        assert_eq!(
            app.client.get(&path(&made, "")).await.body["status"],
            "active",
            "after {day} days"
        );
        test(&app.client, &made).await;
        eventually("it has failed", async || {
            deliveries(&app.client, &made, "status=failed").await.len() == day + 1
        })
        .await;
        app.advance(Duration::from_hours(24));
    }
    eventually("it is disabled", async || {
        app.client.get(&path(&made, "")).await.body["disabled_reason"] == "failing"
    })
    .await;
    // Taken up again, it has five days anew.
    let active = json!({"status": "active"});
    app.client.patch(&path(&made, ""), &active).await.expect(200);
    test(&app.client, &made).await;
    eventually("it has failed once more", async || {
        deliveries(&app.client, &made, "status=failed").await.len() == 7
    })
    .await;
    assert_eq!(app.client.get(&path(&made, "")).await.body["status"], "active");
    app.finish().await;
}

#[tokio::test]
async fn both_secrets_sign_for_a_day_after_a_rotation() {
    let app = TestApp::start().await;
    let receiver = Receiver::start().await;
    let made = endpoint(&app.client, &receiver.url, json!({})).await;
    let rotated = app.client.post_empty(&path(&made, "/rotate")).await.expect(200);
    test(&app.client, &made).await;
    let both = receiver.wait_for(1).await.remove(0);
    assert!(both.is_signed_with(&made["secret"]) && both.is_signed_with(&rotated["secret"]));
    assert_eq!(both.header("webhook-signature").split(' ').count(), 2);
    app.advance(Duration::from_hours(24));
    test(&app.client, &made).await;
    let one = receiver.wait_for(2).await.remove(1);
    assert!(!one.is_signed_with(&made["secret"]) && one.is_signed_with(&rotated["secret"]));
    let shown = app.client.get(&path(&made, "")).await.expect(200);
    assert_eq!(shown["previous_secret_valid_until"], Value::Null);
    app.finish().await;
}

#[tokio::test]
async fn a_paused_endpoint_hears_everything_when_it_is_resumed() {
    let app = TestApp::start().await;
    let receiver = Receiver::start().await;
    let made = endpoint(&app.client, &receiver.url, json!({})).await;
    let paused = json!({"status": "paused"});
    app.client.patch(&path(&made, ""), &paused).await.expect(200);
    app.license().await;
    test(&app.client, &made).await;
    assert_eq!(deliveries(&app.client, &made, "status=pending").await.len(), 4);
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(receiver.seen().is_empty());
    let active = json!({"status": "active"});
    app.client.patch(&path(&made, ""), &active).await.expect(200);
    receiver.wait_for(4).await;
    assert!(receiver.counts().values().all(|count| *count == 1));
    app.finish().await;
}

#[tokio::test]
async fn what_is_due_to_many_endpoints_is_noted_in_several_transactions() {
    let app = TestApp::start().await;
    let paused = json!({"status": "paused"});
    for number in 0..90 {
        let wanted = json!({"event_types": ["usage.recorded"]});
        let made = endpoint(&app.client, &format!("https://hooks.example/{number}"), wanted).await;
        app.client.patch(&path(&made, ""), &paused).await.expect(200);
    }
    let license = app.license().await;
    let records = vec![json!({"metric": "calls"}); 250];
    let batch = json!({"key": license["key"], "records": records});
    app.client.post("/usage/batch", &batch).await.expect(200);
    eventually("everything is noted, once", async || {
        app.database.count("SELECT count(*) FROM deliveries").await == 90 * 250
    })
    .await;

    let mut conn = app.app.pool.acquire().await.unwrap();
    let span = Span {
        ledger_id: "default",
        from: 0,
        to: u64::MAX,
        stream_types: &[],
        limit: 5_000,
    };
    let events = event_log::read(&mut conn, span).await.unwrap();
    let outbox = WebhookOutbox::new(app.clock.clone());
    let first = outbox.apply(&mut conn, "default", &events).await.unwrap();
    assert!((1..events.len()).contains(&first), "{first} of {}", events.len());
    let rest = outbox
        .apply(&mut conn, "default", &events[first..])
        .await
        .unwrap();
    assert_eq!(first + rest, events.len());
    drop(conn);
    app.finish().await;
}

#[tokio::test]
async fn deliveries_are_listed_filtered_paged_and_tried_again_by_hand() {
    let app = TestApp::start().await;
    let receiver = Receiver::answering(|_| Reply::of(500)).await;
    let made = endpoint(&app.client, &receiver.url, json!({"max_retries": 0})).await;
    app.product("PRD").await;
    app.advance(Duration::from_mins(1));
    app.customer("jane@example.com").await;
    eventually("both have failed", async || {
        deliveries(&app.client, &made, "status=failed").await.len() == 2
    })
    .await;
    let all = deliveries(&app.client, &made, "").await;
    assert_eq!(
        (&all[0]["event_type"], &all[1]["event_type"]),
        (&json!("customer.created"), &json!("product.created"))
    );
    for (filter, count) in [
        ("status=success", 0),
        ("event_type=product.created", 1),
        ("since=2026-03-01T12:01:00Z", 1),
        ("until=2026-03-01T12:01:00Z", 1),
        ("since=2026-03-01T12:02:00Z", 0),
    ] {
        assert_eq!(
            deliveries(&app.client, &made, filter).await.len(),
            count,
            "{filter}"
        );
    }
    let first = app
        .client
        .get(&path(&made, "/deliveries?page_size=1&status=failed"))
        .await;
    assert_eq!((first.header("x-total-count"), &first.body[0]), ("2", &all[0]));
    let second = app.client.get(&first.next_page().unwrap()).await;
    assert_eq!((second.next_page(), &second.body[0]), (None, &all[1]));

    let id = all[1]["id"].as_str().unwrap();
    receiver.answer(|_| Reply::of(200));
    let retry = format!("/webhooks/deliveries/{id}/retry");
    let again = app.client.post_empty(&retry).await.expect(200);
    assert_eq!(
        (
            &again["attempts"],
            &again["last_response_code"],
            &again["last_error"]
        ),
        (&json!(0), &json!(500), &Value::Null)
    );
    eventually("it has arrived", async || {
        deliveries(&app.client, &made, "status=success").await.len() == 1
    })
    .await;
    let shown = detail(&app.client, &all[1]).await;
    let numbers: Vec<&Value> = shown["attempt_log"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| &attempt["number"])
        .collect();
    assert_eq!(
        (numbers, &shown["attempts"]),
        (vec![&json!(1), &json!(2)], &json!(1))
    );
    assert_eq!(receiver.counts()[again["event_id"].as_str().unwrap()], 2);
    app.client
        .post_empty("/webhooks/deliveries/0197f0a2-0000-7000-8000-000000000000/retry")
        .await
        .expect_problem(404, "DELIVERY_NOT_FOUND");
    app.finish().await;
}

#[tokio::test]
async fn history_is_sent_once_more_from_a_position_or_a_time() {
    let app = TestApp::start().await;
    let receiver = Receiver::start().await;
    app.product("OLD").await;
    app.advance(Duration::from_mins(1));
    let made = endpoint(&app.client, &receiver.url, json!({"event_types": ["product.*"]})).await;
    app.product("NEW").await;
    app.customer("jane@example.com").await;
    receiver.wait_for(1).await;
    eventually("it is noted", async || {
        deliveries(&app.client, &made, "status=success").await.len() == 1
    })
    .await;
    let replay = async |from: Value| {
        let answer = app.client.post(&path(&made, "/replay"), &from).await.expect(202);
        assert_eq!(answer["next_position"], Value::Null);
        answer["deliveries"].as_u64().unwrap()
    };
    assert_eq!(replay(json!({"since": "2026-03-01T12:01:00Z"})).await, 1);
    receiver.wait_for(2).await;
    eventually("it is noted", async || {
        deliveries(&app.client, &made, "status=success").await.len() == 1
    })
    .await;
    assert_eq!(replay(json!({"from_position": 0})).await, 2);
    receiver.wait_for(4).await;
    let counts: Vec<usize> = receiver.counts().into_values().collect();
    assert_eq!(counts.iter().sum::<usize>(), 4);
    assert_eq!(counts.len(), 2, "the same event has the same id");
    assert_eq!(replay(json!({"since": "2027-01-01T00:00:00Z"})).await, 0);
    assert_eq!(replay(json!({"from_position": 1_000_000})).await, 0);
    app.finish().await;
}

#[tokio::test]
async fn a_test_can_be_repeated_safely() {
    let app = TestApp::start().await;
    let receiver = Receiver::start().await;
    let made = endpoint(&app.client, &receiver.url, json!({"event_types": ["license.*"]})).await;
    let target = path(&made, "/test");
    let first = app
        .client
        .post_with_key(&target, "once", &json!({}))
        .await
        .expect(202);
    assert_eq!(
        (
            &first["status"],
            &first["event_type"],
            &first["payload"]["ledger"]
        ),
        (&json!("pending"), &json!("webhook.test"), &Value::Null)
    );
    app.advance(Duration::from_secs(5));
    let again = app
        .client
        .post_with_key(&target, "once", &json!({}))
        .await
        .expect(202);
    assert_eq!(first["id"], again["id"]);
    test(&app.client, &made).await;
    receiver.wait_for(2).await;
    assert_eq!(receiver.counts().len(), 2);
    app.finish().await;
}

#[tokio::test]
async fn finished_deliveries_go_when_their_time_is_over() {
    let config = ServerConfig {
        webhooks: WebhookConfig {
            webhook_retention_days: 2,
            ..server_config().webhooks
        },
        ..server_config()
    };
    let app = TestApp::start_with(config).await;
    let receiver = Receiver::answering(|seen| {
        Reply::of(if seen.event_type() == "webhook.test" {
            200
        } else {
            500
        })
    })
    .await;
    let made = endpoint(&app.client, &receiver.url, json!({})).await;
    test(&app.client, &made).await;
    app.product("PRD").await;
    eventually("one has arrived, one has failed", async || {
        let all = deliveries(&app.client, &made, "").await;
        all.len() == 2 && all.iter().all(|delivery| delivery["attempts"] == 1)
    })
    .await;
    app.advance(Duration::from_hours(48) - Duration::from_secs(1));
    test(&app.client, &made).await;
    receiver.wait_for(4).await;
    app.advance(Duration::from_secs(2));
    eventually("the first test is gone", async || {
        let all = deliveries(&app.client, &made, "").await;
        all.len() == 2
    })
    .await;
    let left = deliveries(&app.client, &made, "event_type=product.created").await;
    assert_eq!(left.len(), 1, "what is not finished stays");
    app.finish().await;
}

#[tokio::test]
async fn a_dead_or_slow_endpoint_does_not_delay_the_others() {
    let app = TestApp::start().await;
    let slow = Receiver::answering(|_| Reply {
        delay: Duration::from_secs(3),
        ..Reply::of(200)
    })
    .await;
    let good = Receiver::start().await;
    // Nobody listens there: the port was somebody's a moment ago.
    let dead = Receiver::start().await.url.clone();
    for url in [&slow.url, &dead] {
        endpoint(&app.client, url, json!({"timeout_seconds": 60})).await;
    }
    endpoint(&app.client, &good.url, json!({})).await;
    let license = app.license().await;
    let records: Vec<Value> = (0..300).map(|_| json!({"metric": "calls"})).collect();
    let body = json!({"key": license["key"], "records": records});
    let started = std::time::Instant::now();
    app.client.ask("/usage/batch", &body).await.expect(200);
    good.wait_for(303).await;
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
    assert!(
        slow.seen().len() <= 32,
        "at most eight at a time: {}",
        slow.seen().len()
    );
    drop((slow, good));
    app.stop().await.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_on_one_database_deliver_each_event_once() {
    let database = TestDatabase::create().await;
    let (one, two) = (
        Node::on_database(&database.url()),
        Node::on_database(&database.url()),
    );
    let receiver = Receiver::start().await;
    endpoint(&one.client, &receiver.url, json!({})).await;
    let license = one.client.license().await;
    for node in [&one, &two] {
        for _ in 0..3 {
            let records: Vec<Value> = (0..200).map(|_| json!({"metric": "calls"})).collect();
            let body = json!({"key": license["key"], "records": records});
            node.client.ask("/usage/batch", &body).await.expect(200);
        }
    }
    receiver.wait_for(1_203).await;
    eventually("all is noted", async || {
        let open = "SELECT count(*) FROM deliveries WHERE status <> 'success'";
        database.count(open).await == 0
    })
    .await;
    assert!(receiver.counts().values().all(|count| *count == 1));
    assert_eq!(receiver.counts().len(), 1_203);
    assert_eq!(
        database
            .count("SELECT count(DISTINCT worker_id) FROM delivery_workers")
            .await,
        2
    );
    assert!(one.terminate().success() && two.terminate().success());
    assert_eq!(database.count("SELECT count(*) FROM delivery_workers").await, 0);
    database.drop().await;
}

#[tokio::test]
async fn what_is_delivered_is_counted() {
    let app = TestApp::start().await;
    let receiver = Receiver::answering(|_| Reply::of(500)).await;
    let made = endpoint(&app.client, &receiver.url, json!({"max_retries": 0})).await;
    test(&app.client, &made).await;
    tried(&app.client, &made, 1).await;
    receiver.answer(|_| Reply::of(200));
    test(&app.client, &made).await;
    receiver.wait_for(2).await;
    eventually("it is counted", async || {
        let text = app.client.get_anonymously("/metrics").await.body;
        let text = text.as_str().unwrap();
        text.contains("vinzy_webhook_attempts_total{outcome=\"delivered\"} 1")
            && text.contains("vinzy_webhook_attempts_total{outcome=\"given_up\"} 1")
    })
    .await;
    app.finish().await;
}
