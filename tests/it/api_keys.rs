//! API keys: several, with scopes, rotated and revoked; who did it is the actor of every event.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::database::TestDatabase;
use crate::support::node::Node;
use crate::support::{SUPER_ADMIN_KEY, TestApp};

fn path(key: &Value) -> String {
    format!("/api-keys/{}", key["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_key_is_shown_once_and_kept_hashed() {
    let app = TestApp::start().await;
    let body = json!({"name": "deploy", "scopes": ["issuer", "read"]});
    let made = app.client.post("/api-keys", &body).await.expect(201);
    let secret = made["api_key"].as_str().unwrap();
    assert!(secret.starts_with("vzt_") && secret.starts_with(made["hint"].as_str().unwrap()));
    assert_eq!(
        (&made["scopes"], &made["expires_at"], &made["last_used_at"]),
        (&json!(["issuer", "read"]), &Value::Null, &Value::Null)
    );
    let got = app.client.get(&path(&made)).await.expect(200);
    assert_eq!(got.get("api_key"), None);
    assert_eq!(
        app.client.get("/api-keys").await.expect(200),
        json!([got]),
        "the list shows the same"
    );
    for table in ["events", "api_keys", "api_key_secrets", "sessions"] {
        let sql = format!("SELECT count(*) FROM {table} t WHERE t::text LIKE '%{secret}%'");
        assert_eq!(app.database.count(&sql).await, 0, "{table}");
        let hex = data_encoding::HEXLOWER.encode(secret.as_bytes());
        let sql = format!("SELECT count(*) FROM {table} t WHERE t::text LIKE '%{hex}%'");
        assert_eq!(app.database.count(&sql).await, 0, "{table}");
    }
    app.finish().await;
}

#[tokio::test]
async fn who_did_it_stands_in_the_event() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let key = app.client.api_key(&["support"]).await;
    let helper = app.client.with_key(&key["api_key"]);
    let license_path = format!("/licenses/{}", license["id"].as_str().unwrap());
    helper
        .post_empty(&format!("{license_path}/suspend"))
        .await
        .expect(200);
    let renamed = json!({"name": "night shift"});
    app.client.patch(&path(&key), &renamed).await.expect(200);
    helper
        .post_empty(&format!("{license_path}/reinstate"))
        .await
        .expect(200);
    let audit = app
        .client
        .get(&format!("/audit/{}", license["id"].as_str().unwrap()))
        .await
        .expect(200);
    let actors: Vec<(&Value, &Value)> = audit
        .as_array()
        .unwrap()
        .iter()
        .map(|event| (&event["actor"], &event["actor_name"]))
        .collect();
    assert_eq!(
        actors,
        [
            (&key["id"], &json!("night shift")),
            (&key["id"], &json!("support")),
            (&json!("admin"), &Value::Null),
        ]
    );
    app.finish().await;
}

#[tokio::test]
async fn a_rotated_key_opens_with_both_secrets_for_the_overlap() {
    let app = TestApp::start().await;
    let key = app.client.api_key(&["read"]).await;
    let rotate = format!("{}/rotate", path(&key));
    let body = json!({"overlap_seconds": 60});
    let rotated = app.client.post(&rotate, &body).await.expect(200);
    assert_eq!(
        (&rotated["id"], &rotated["previous_valid_until"]),
        (&key["id"], &json!("2026-03-01T12:01:00.000000Z"))
    );
    assert_ne!(rotated["api_key"], key["api_key"]);
    let (old, new) = (
        app.client.with_key(&key["api_key"]),
        app.client.with_key(&rotated["api_key"]),
    );
    for client in [&old, &new] {
        client.get("/products").await.expect(200);
    }
    app.advance(Duration::from_mins(1));
    old.get("/products").await.expect_problem(401, "UNAUTHORIZED");
    new.get("/products").await.expect(200);
    let got = app.client.get(&path(&key)).await.expect(200);
    assert_eq!(got["previous_valid_until"], Value::Null);
    // At once, when something has leaked.
    let last = app
        .client
        .post(&rotate, &json!({"overlap_seconds": 0}))
        .await
        .expect(200);
    new.get("/products").await.expect_problem(401, "UNAUTHORIZED");
    app.client
        .with_key(&last["api_key"])
        .get("/products")
        .await
        .expect(200);
    let too_long = json!({"overlap_seconds": 2_592_001});
    app.client
        .post(&rotate, &too_long)
        .await
        .expect_problem(422, "VALIDATION_ERROR");
    // Without a body the old one opens for a day.
    let rotated = app.client.post_empty(&rotate).await.expect(200);
    assert_eq!(rotated["previous_valid_until"], "2026-03-02T12:01:00.000000Z");
    app.finish().await;
}

#[tokio::test]
async fn repeated_requests_show_the_same_secret() {
    let app = TestApp::start().await;
    let body = json!({"name": "deploy", "scopes": ["read"]});
    let first = app
        .client
        .post_with_key("/api-keys", "k1", &body)
        .await
        .expect(201);
    let again = app
        .client
        .post_with_key("/api-keys", "k1", &body)
        .await
        .expect(201);
    assert_eq!(first, again);
    let rotate = format!("{}/rotate", path(&first));
    let rotated = app
        .client
        .post_with_key(&rotate, "k2", &json!({}))
        .await
        .expect(200);
    let again = app
        .client
        .post_with_key(&rotate, "k2", &json!({}))
        .await
        .expect(200);
    assert_eq!(rotated, again);
    assert_ne!(first["api_key"], rotated["api_key"]);
    assert_eq!(app.client.get("/api-keys").await.header("x-total-count"), "1");
    app.finish().await;
}

#[tokio::test]
async fn changes_of_scopes_and_end_hold_at_once() {
    let app = TestApp::start().await;
    let key = app.client.api_key(&["read"]).await;
    let client = app.client.with_key(&key["api_key"]);
    client
        .post("/customers", &json!({"name": "J", "email": "j@example.com"}))
        .await
        .expect_problem(403, "FORBIDDEN");
    let change = json!({"scopes": ["issuer"], "expires_at": "2026-03-01T12:05:00Z"});
    app.client.patch(&path(&key), &change).await.expect(200);
    client.customer("j@example.com").await;
    app.advance(Duration::from_mins(5));
    client.get("/customers").await.expect_problem(401, "UNAUTHORIZED");
    let rotate = format!("{}/rotate", path(&key));
    app.client
        .post_empty(&rotate)
        .await
        .expect_problem(409, "API_KEY_EXPIRED");
    let forever = json!({"expires_at": null});
    app.client.patch(&path(&key), &forever).await.expect(200);
    client.get("/customers").await.expect(200);
    for wrong in [
        json!({"scopes": []}),
        json!({"scopes": ["root"]}),
        json!({"scopes": "admin"}),
        json!({"name": ""}),
        json!({"expires_at": "2020-01-01T00:00:00Z"}),
    ] {
        app.client
            .patch(&path(&key), &wrong)
            .await
            .expect_problem(422, "VALIDATION_ERROR");
    }
    app.finish().await;
}

#[tokio::test]
async fn a_revoked_key_opens_nothing_on_any_node() {
    let database = TestDatabase::create().await;
    let (one, two) = (
        Node::on_database(&database.url()),
        Node::on_database(&database.url()),
    );
    let operator = one.client.with_key(&json!(SUPER_ADMIN_KEY));
    let tenant = operator
        .post("/tenants", &json!({"name": "Acme", "slug": "acme"}))
        .await
        .expect(201);
    let admin = one.client.with_key(&tenant["api_key"]);
    for _ in 0..20 {
        let key = admin.api_key(&["read"]).await;
        let there = two.client.with_key(&key["api_key"]);
        there.get("/products").await.expect(200);
        admin.delete(&path(&key)).await.expect(204);
        // The very next request, on the other node.
        there.get("/products").await.expect_problem(401, "UNAUTHORIZED");
    }
    for node in [one, two] {
        assert!(node.terminate().success());
    }
    crate::support::check_everything(&database).await;
    database.drop().await;
}

#[tokio::test]
async fn the_last_use_is_remembered_across_a_restart() {
    let app = TestApp::start().await;
    let key = app.client.api_key(&["read"]).await;
    app.client
        .with_key(&key["api_key"])
        .get("/products")
        .await
        .expect(200);
    let got = app.client.get(&path(&key)).await.expect(200);
    assert_eq!(got["last_used_at"], "2026-03-01T12:00:00.000000Z");
    let database = app.stop().await;
    let app = TestApp::start_on(database, crate::support::server_config()).await;
    let got = app.client.get(&path(&key)).await.expect(200);
    assert_eq!(got["last_used_at"], "2026-03-01T12:00:00.000000Z");
    app.finish().await;
}

#[tokio::test]
async fn a_meter_key_records_usage_without_the_license_key() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let key = app.client.api_key(&["meter"]).await;
    let meter = app.client.with_key(&key["api_key"]);
    let usage = format!("/licenses/{}/usage", license["id"].as_str().unwrap());
    let body = json!({"metric": "api_calls", "value": 600, "idempotency_key": "u1"});
    for _ in 0..2 {
        let recorded = meter.post(&usage, &body).await.expect(200);
        assert_eq!(
            (
                &recorded["code"],
                &recorded["total_value"],
                &recorded["remaining"]
            ),
            (&json!("RECORDED"), &json!(600), &json!(400))
        );
    }
    let refused = meter
        .post(&usage, &json!({"metric": "api_calls", "value": 401}))
        .await
        .expect(200);
    assert_eq!(refused["code"], "LIMIT_EXCEEDED");
    let other = json!({"metric": "api_calls", "value": 1, "idempotency_key": "u1"});
    meter
        .post(&usage, &other)
        .await
        .expect_problem(409, "IDEMPOTENCY_KEY_REUSED");
    // The application's own keys are apart.
    let own = json!({"key": license["key"], "metric": "api_calls", "value": 1, "idempotency_key": "u1"});
    assert_eq!(
        app.client.ask("/usage/record", &own).await.expect(200)["code"],
        "RECORDED"
    );
    let totals = meter
        .get(&format!("/usage/{}", license["id"].as_str().unwrap()))
        .await
        .expect(200);
    assert!(totals.to_string().contains("601"), "{totals}");
    app.finish().await;
}
