//! Webhook endpoints: set up, changed, rotated, removed; their secrets are shown once and nowhere else.

use std::time::Duration;

use serde_json::{Value, json};
use vinzy_engine::clock::Entropy;
use vinzy_engine::database::{connect, disconnect};
use vinzy_engine::keys::census;
use vinzy_engine::keys::rewrap::rewrap;
use vinzy_engine::keys::{MasterKey, MasterKeys};

use crate::support::client::Client;
use crate::support::receiver::Receiver;
use crate::support::{SECRET, TestApp, eventually};

/// The path of an endpoint, with what comes after it.
pub(crate) fn path(endpoint: &Value, rest: &str) -> String {
    format!("/webhooks/{}{rest}", endpoint["id"].as_str().unwrap())
}

/// An endpoint for a receiver, with further fields.
pub(crate) async fn endpoint(client: &Client, url: &str, more: Value) -> Value {
    let mut body = json!({ "url": url });
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    client.post("/webhooks", &body).await.expect(201)
}

#[tokio::test]
async fn an_endpoint_is_set_up_shown_changed_and_deleted() {
    let app = TestApp::start().await;
    let body = json!({
        "url": "https://hooks.example/vinzy", "event_types": ["usage.*", "license.created"], "description": "shop",
        "max_retries": 3, "timeout_seconds": 5,
    });
    let made = app.client.post("/webhooks", &body).await.expect(201);
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"), "{made}");
    assert_eq!(made["event_types"], json!(["license.created", "usage.*"]));
    let got = app.client.get(&path(&made, "")).await.expect(200);
    assert_eq!(got.get("secret"), None);
    assert_eq!(
        (&got["status"], &got["max_retries"], &got["disabled_reason"]),
        (&json!("active"), &json!(3), &Value::Null)
    );
    let listed = app.client.get("/webhooks").await;
    assert_eq!(listed.header("x-total-count"), "1");
    assert_eq!(listed.body, json!([got]));

    app.advance(Duration::from_mins(1));
    let changes = json!({"status": "paused", "description": "new", "max_retries": null, "event_types": []});
    let changed = app.client.patch(&path(&made, ""), &changes).await.expect(200);
    assert_eq!(
        (
            &changed["status"],
            &changed["max_retries"],
            &changed["event_types"]
        ),
        (&json!("paused"), &Value::Null, &json!([]))
    );
    assert_ne!(changed["updated_at"], changed["created_at"]);
    assert_eq!(app.client.get("/webhooks").await.expect(200), json!([changed]));

    app.client.delete(&path(&made, "")).await.expect(204);
    for answer in [
        app.client.get(&path(&made, "")).await,
        app.client.patch(&path(&made, ""), &json!({})).await,
        app.client.delete(&path(&made, "")).await,
        app.client.get(&path(&made, "/deliveries")).await,
        app.client.post_empty(&path(&made, "/test")).await,
        app.client.post_empty(&path(&made, "/rotate")).await,
        app.client
            .post(&path(&made, "/replay"), &json!({"from_position": 0}))
            .await,
    ] {
        answer.expect_problem(404, "WEBHOOK_NOT_FOUND");
    }
    assert_eq!(app.client.get("/webhooks").await.expect(200), json!([]));
    app.finish().await;
}

#[tokio::test]
async fn what_is_wrong_with_an_endpoint_is_told_at_once() {
    let app = TestApp::start().await;
    let wrong = json!({
        "description": "x".repeat(501), "event_types": ["nope"], "secret": "short", "max_retries": 51,
        "timeout_seconds": 0,
    });
    let problem = app
        .client
        .post("/webhooks", &wrong)
        .await
        .expect_problem(422, "VALIDATION_ERROR");
    let fields: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect();
    assert_eq!(
        fields,
        [
            "url",
            "description",
            "event_types",
            "secret",
            "max_retries",
            "timeout_seconds"
        ]
    );
    for (field, value) in [
        ("url", json!("ftp://hooks.example/")),
        ("url", json!("http://10.0.0.1/")),
        ("url", json!("https://user:word@hooks.example/")),
        ("url", json!("x".repeat(3_000))),
        ("event_types", json!(["license.*", 7])),
        ("event_types", json!(["endpoint.disabled"])),
        ("event_types", json!("license.*")),
        ("secret", json!("whsec_notbase64atall!")),
        ("max_retries", json!(-1)),
        ("timeout_seconds", json!(61)),
    ] {
        let mut body = json!({"url": "https://hooks.example/"});
        body[field] = value;
        let problem = app
            .client
            .post("/webhooks", &body)
            .await
            .expect_problem(422, "VALIDATION_ERROR");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
        assert_eq!(problem["errors"].as_array().unwrap().len(), 1, "{problem}");
    }
    let made = endpoint(&app.client, "https://hooks.example/", json!({})).await;
    for (rest, body) in [
        ("", json!({"status": "banana"})),
        ("", json!({"url": "http://169.254.169.254/"})),
        ("/rotate", json!({"overlap_seconds": 2_592_001})),
        ("/rotate", json!({"secret": "short"})),
        ("/replay", json!({})),
        ("/replay", json!({"from_position": -1})),
        (
            "/replay",
            json!({"from_position": 0, "since": "2026-01-01T00:00:00Z"}),
        ),
    ] {
        let target = path(&made, rest);
        let answer = if rest.is_empty() {
            app.client.patch(&target, &body).await
        } else {
            app.client.post(&target, &body).await
        };
        answer.expect_problem(422, "VALIDATION_ERROR");
    }
    app.client
        .get(&path(&made, "/deliveries?status=banana&since=x"))
        .await
        .expect_problem(422, "VALIDATION_ERROR");
    app.finish().await;
}

#[tokio::test]
async fn secrets_stand_nowhere_in_the_clear_and_are_shown_once() {
    let app = TestApp::start().await;
    let body = json!({"url": "https://hooks.example/", "secret": "an old receiver's secret"});
    let given = app.client.post("/webhooks", &body).await.expect(201);
    assert_eq!(given["secret"], body["secret"]);
    let once = json!({"url": "https://hooks.example/"});
    let made = app
        .client
        .post_with_key("/webhooks", "k-1", &once)
        .await
        .expect(201);
    let again = app
        .client
        .post_with_key("/webhooks", "k-1", &once)
        .await
        .expect(201);
    assert_eq!(made, again, "a repeated request shows it again");
    let rotate = path(&made, "/rotate");
    let rotated = app
        .client
        .post_with_key(&rotate, "k-2", &json!({}))
        .await
        .expect(200);
    assert_ne!(rotated["secret"], made["secret"]);
    assert_eq!(
        rotated["previous_secret_valid_until"],
        "2026-03-02T12:00:00.000000Z"
    );
    let again = app
        .client
        .post_with_key(&rotate, "k-2", &json!({}))
        .await
        .expect(200);
    assert_eq!(again["secret"], rotated["secret"]);
    app.client
        .post(&rotate, &json!({"overlap_seconds": 0}))
        .await
        .expect(200);
    app.client
        .post_with_key("/webhooks", "k-1", &once)
        .await
        .expect_problem(409, "KEY_NO_LONGER_SHOWN");
    for secret in [&given, &made, &rotated].map(|shown| shown["secret"].as_str().unwrap()) {
        let hex = data_encoding::HEXLOWER.encode(secret.as_bytes());
        for table in ["events", "endpoints", "endpoint_secrets", "deliveries"] {
            for text in [secret, &hex] {
                let text = text.replace('\'', "''");
                let sql = format!("SELECT count(*) FROM {table} t WHERE strpos(t::text, '{text}') > 0");
                assert_eq!(app.database.count(&sql).await, 0, "{table}");
            }
        }
    }
    assert_eq!(
        app.database.count("SELECT count(*) FROM endpoint_secrets").await,
        2
    );
    app.client.delete(&path(&made, "")).await.expect(204);
    app.client.delete(&path(&given, "")).await.expect(204);
    assert_eq!(
        app.database.count("SELECT count(*) FROM endpoint_secrets").await,
        0
    );
    app.finish().await;
}

#[tokio::test]
async fn secrets_are_wrapped_anew_with_a_new_master_key() {
    let app = TestApp::start().await;
    let receiver = Receiver::start().await;
    let made = endpoint(&app.client, &receiver.url, json!({})).await;
    app.client.post_empty(&path(&made, "/rotate")).await.expect(200);
    let database = app.stop().await;

    let pool = connect(database.options(), 2).await.unwrap();
    let old = MasterKey::from_secret(SECRET).id();
    let masters = MasterKeys::new(
        MasterKey::from_secret("new"),
        vec![MasterKey::from_secret(SECRET)],
    );
    let wrapped = census::count(&pool).await.unwrap();
    assert_eq!(wrapped[&Some(old)].endpoint_secrets, 2);
    let done = rewrap(&pool, &masters, &Entropy::System).await.unwrap();
    assert_eq!((done.endpoint_secrets, done.endpoints_unopenable.len()), (2, 0));
    let wrapped = census::count(&pool).await.unwrap();
    assert_eq!(
        (
            wrapped.len(),
            wrapped[&Some(masters.current().id())].endpoint_secrets
        ),
        (1, 2)
    );
    // What was wrapped anew opens with the new key, and what opens signs: put back, for the server of the tests.
    let back = MasterKeys::new(
        MasterKey::from_secret(SECRET),
        vec![MasterKey::from_secret("new")],
    );
    rewrap(&pool, &back, &Entropy::System).await.unwrap();
    disconnect(&pool).await;

    let app = TestApp::start_on(database, crate::support::server_config()).await;
    app.client.post_empty(&path(&made, "/test")).await.expect(202);
    let seen = receiver.wait_for(1).await;
    assert!(seen[0].is_signed_with(&made["secret"]));
    app.finish().await;
}

#[tokio::test]
async fn tenants_know_nothing_of_each_others_endpoints() {
    let app = TestApp::start().await;
    let receiver = Receiver::start().await;
    let (_, alpha) = app.tenant("alpha").await;
    let (_, beta) = app.tenant("beta").await;
    let made = endpoint(&alpha, &receiver.url, json!({})).await;
    beta.product("BET").await;
    alpha.product("ALP").await;
    let seen = receiver.wait_for(1).await;
    assert_eq!(seen[0].json()["data"]["code"], "ALP");
    let deliveries = alpha.get(&path(&made, "/deliveries")).await.expect(200);
    let delivery = format!("/webhooks/deliveries/{}", deliveries[0]["id"].as_str().unwrap());
    alpha.get(&delivery).await.expect(200);
    for client in [&beta, &app.client] {
        client
            .get(&delivery)
            .await
            .expect_problem(404, "DELIVERY_NOT_FOUND");
        client
            .post_empty(&format!("{delivery}/retry"))
            .await
            .expect_problem(404, "DELIVERY_NOT_FOUND");
        client
            .get(&path(&made, "/deliveries"))
            .await
            .expect_problem(404, "WEBHOOK_NOT_FOUND");
        assert_eq!(client.get("/webhooks").await.expect(200), json!([]));
    }
    // A closed tenant's endpoints hear nothing more.
    let tenants = app.operator().get("/tenants").await.expect(200);
    let id = tenants
        .as_array()
        .unwrap()
        .iter()
        .find(|tenant| tenant["slug"] == "alpha")
        .unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    receiver.answer(|_| crate::support::receiver::Reply::of(500));
    alpha.product("OTH").await;
    receiver.wait_for(2).await;
    app.operator().delete(&format!("/tenants/{id}")).await.expect(204);
    app.advance(Duration::from_mins(1));
    let own = endpoint(&app.client, &receiver.url, json!({})).await;
    app.client.post_empty(&path(&own, "/test")).await.expect(202);
    let seen = receiver.wait_for(3).await;
    assert_eq!(seen[2].event_type(), "webhook.test");
    eventually("the test is noted", async || {
        let pending = "SELECT count(*) FROM deliveries WHERE status = 'sending'";
        app.database.count(pending).await == 0
    })
    .await;
    assert_eq!(receiver.seen().len(), 3);
    app.finish().await;
}

/// The list in the guide, as it follows from the catalogue of events.
#[test]
fn the_guides_table_of_event_types_is_the_catalogues() {
    const GUIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/webhooks.md");
    const BEGIN: &str = "<!-- event types -->\n";
    const END: &str = "<!-- /event types -->";
    let mut kinds: Vec<(&str, Vec<String>)> = vec![];
    for event_type in vinzy_events::endpoint::subscribable() {
        let (kind, _) = event_type.split_once('.').unwrap();
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, types)) => types.push(format!("`{event_type}`")),
            None => kinds.push((kind, vec![format!("`{event_type}`")])),
        }
    }
    let rows = kinds
        .iter()
        .map(|(kind, types)| format!("| `{kind}.*` | {} |\n", types.join(", ")));
    let table: String = std::iter::once("| kind | types |\n|---|---|\n".to_owned())
        .chain(rows)
        .collect();
    let guide = std::fs::read_to_string(GUIDE).unwrap();
    let begin = guide.find(BEGIN).unwrap() + BEGIN.len();
    let end = guide.find(END).unwrap();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        let updated = [&guide[..begin], table.as_str(), &guide[end..]].concat();
        std::fs::write(GUIDE, updated).unwrap();
        return;
    }
    assert!(
        guide[begin..end] == table,
        "docs/webhooks.md is not up to date: run `cargo xtask openapi` and look at the difference"
    );
}
