//! Validation and leases.

use std::time::Duration;

use serde_json::{Value, json};
use vinzy_engine::config::ValidationAudit;
use vinzy_events::Timestamp;
use vinzy_events::lease::{JwkSet, LeaseError, verify};

use crate::support::client::send;
use crate::support::node::{Node, kill_postgres};
use crate::support::{TestApp, eventually, server_config, start_time};

async fn keys(app: &TestApp) -> JwkSet {
    serde_json::from_value(
        app.client
            .get_anonymously("/.well-known/jwks.json")
            .await
            .expect(200),
    )
    .unwrap()
}

async fn validations(app: &TestApp, license: &Value) -> Vec<Value> {
    let path = format!(
        "/audit/{}?event_type=license.validated",
        license["id"].as_str().unwrap()
    );
    app.client
        .get(&path)
        .await
        .expect(200)
        .as_array()
        .unwrap()
        .clone()
}

#[tokio::test]
async fn a_good_key_comes_with_a_lease_that_any_verifier_accepts() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let body = json!({"key": license["key"], "fingerprint": "fp-1"});
    let answer = app.client.post("/validate", &body).await.expect(200);
    assert_eq!((&answer["valid"], &answer["code"]), (&json!(true), &json!("OK")));
    let lease = &answer["lease"];
    let token = lease["token"].as_str().unwrap();
    let claims = verify(token, &keys(&app).await, start_time()).unwrap();
    assert_eq!(claims.sub, license["id"].as_str().unwrap());
    assert_eq!(claims.aud, "PRD");
    assert_eq!(claims.iss, "test.example/t/default");
    assert_eq!(claims.fingerprint.as_deref(), Some("fp-1"));
    assert_eq!(claims.exp - claims.iat, 86_400);
    assert_eq!(claims.entitlements, answer["entitlements"]);
    assert_eq!(claims.agents, answer["agents"]);
    assert_eq!(claims.ledger_position, 4, "opened, product, customer, license");
    assert_eq!(lease["signature"], token.rsplit('.').next().unwrap());
    assert_eq!(lease["lease_expires_at"], "2026-03-02T12:00:00.000000Z");
    let later: Timestamp = "2026-03-02T12:00:00Z".parse().unwrap();
    assert_eq!(verify(token, &keys(&app).await, later), Err(LeaseError::Expired));
    app.finish().await;
}

#[tokio::test]
async fn a_lease_never_outlives_its_license() {
    let app = TestApp::start().await;
    app.product("PRD").await;
    let customer = app.customer("jane@example.com").await;
    let body =
        json!({"product_code": "PRD", "customer_id": customer["id"], "expires_at": "2026-03-01T13:30:00.5Z"});
    let license = app.client.post("/licenses", &body).await.expect(201);
    let answer = app.client.validate(&license["key"]).await;
    assert_eq!(answer["lease"]["lease_expires_at"], "2026-03-01T13:30:00.000000Z");
    app.finish().await;
}

#[tokio::test]
async fn every_outcome_has_its_code_and_message() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let key = license["key"].as_str().unwrap().to_owned();
    let path = format!("/licenses/{}", license["id"].as_str().unwrap());
    let told = async |key: &str| {
        let answer = app.client.validate(&json!(key)).await;
        assert_eq!(answer["valid"], answer["code"] == "OK");
        if answer["valid"] == false {
            assert_eq!(
                (&answer["license"], &answer["lease"]),
                (&Value::Null, &Value::Null)
            );
        }
        (
            answer["code"].as_str().unwrap().to_owned(),
            answer["message"].as_str().unwrap().to_owned(),
        )
    };
    let pair = |code: &str, message: &str| (code.to_owned(), message.to_owned());
    let mut tampered = key.clone();
    tampered.replace_range(8..9, if &key[8..9] == "A" { "B" } else { "A" });
    let elsewhere = app.app.key_ring.generate("PRD", [9; 15]);

    assert_eq!(told(&key).await, pair("OK", "License is valid"));
    assert_eq!(told(&format!("  {}\n", key.to_lowercase())).await.0, "OK");
    assert_eq!(
        told("hello").await,
        pair("INVALID_KEY", "Expected 8 segments, got 1")
    );
    assert_eq!(told("").await.0, "INVALID_KEY");
    assert_eq!(
        told(&tampered).await,
        pair(
            "INVALID_KEY",
            "Key HMAC signature does not match — key may be tampered"
        )
    );
    assert_eq!(
        told(elsewhere.as_str()).await,
        pair("NOT_FOUND", "License not found")
    );
    app.client
        .post_empty(&format!("{path}/suspend"))
        .await
        .expect(200);
    assert_eq!(told(&key).await, pair("SUSPENDED", "License is suspended"));
    app.client
        .post_empty(&format!("{path}/reinstate"))
        .await
        .expect(200);
    assert_eq!(told(&key).await.0, "OK");
    app.advance(Duration::from_hours(24 * 366));
    assert_eq!(told(&key).await, pair("EXPIRED", "License has expired"));
    app.client.post_empty(&format!("{path}/revoke")).await.expect(200);
    assert_eq!(told(&key).await, pair("SUSPENDED", "License has been revoked"));
    app.finish().await;
}

#[tokio::test]
async fn the_older_way_of_validating_answers_the_same() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let path = format!("/validate?key={}", license["key"].as_str().unwrap());
    let by_get = app.client.get_anonymously(&path).await.expect(200);
    assert_eq!(by_get, app.client.validate(&license["key"]).await);
    app.client
        .get_anonymously("/validate")
        .await
        .expect_problem(422, "VALIDATION_ERROR");
    app.finish().await;
}

#[tokio::test]
async fn changes_to_license_and_product_show_in_the_next_validation() {
    let app = TestApp::start().await;
    let product = app.product("PRD").await;
    let customer = app.customer("jane@example.com").await;
    let license = app.license_of("PRD", &customer).await;
    let limit = async || app.client.validate(&license["key"]).await["entitlements"][1]["limit"].clone();
    assert_eq!(limit().await, 1000);
    let product_path = format!("/products/{}", product["id"].as_str().unwrap());
    for round in 1..20 {
        let features = json!({"agents": {}, "api_calls": {"limit": round}});
        app.client
            .patch(&product_path, &json!({"features": features}))
            .await
            .expect(200);
        assert_eq!(limit().await, round);
    }
    let license_path = format!("/licenses/{}", license["id"].as_str().unwrap());
    let overrides = json!({"entitlements": {"api_calls": {"limit": 77}}});
    app.client.patch(&license_path, &overrides).await.expect(200);
    assert_eq!(limit().await, 77);
    let own = json!({"features": {"only": true}, "entitlements": {}});
    app.client.patch(&license_path, &own).await.expect(200);
    assert_eq!(
        app.client.validate(&license["key"]).await["features"],
        json!(["only"])
    );
    app.finish().await;
}

#[tokio::test]
async fn a_lease_is_reused_for_a_minute_while_nothing_changes() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let token = async || app.client.validate(&license["key"]).await["lease"]["token"].clone();
    let first = token().await;
    app.advance(Duration::from_secs(59));
    assert_eq!(token().await, first);
    app.advance(Duration::from_secs(1));
    assert_ne!(token().await, first);
    app.finish().await;
}

#[tokio::test]
async fn validations_are_counted_in_the_audit_trail() {
    let app = TestApp::start().await;
    let license = app.license().await;
    for _ in 0..5 {
        app.client.validate(&license["key"]).await;
    }
    let path = format!("/licenses/{}/suspend", license["id"].as_str().unwrap());
    app.client.post_empty(&path).await.expect(200);
    app.client.validate(&license["key"]).await;
    let (mut ok, mut suspended) = (0, 0);
    for event in validations(&app, &license).await {
        ok += event["detail"]["outcomes"]["OK"].as_u64().unwrap_or(0);
        suspended += event["detail"]["outcomes"]["SUSPENDED"].as_u64().unwrap_or(0);
    }
    assert_eq!((ok, suspended), (5, 1), "the read itself notes what was counted");
    app.finish().await;
}

#[tokio::test]
async fn each_validation_can_be_an_event_or_none() {
    for (mode, expected) in [(ValidationAudit::Each, 3), (ValidationAudit::Off, 0)] {
        let app = TestApp::start_with(vinzy_engine::config::ServerConfig {
            validation_audit: mode,
            ..server_config()
        })
        .await;
        let license = app.license().await;
        for _ in 0..3 {
            app.client.validate(&license["key"]).await;
        }
        assert_eq!(validations(&app, &license).await.len(), expected);
        app.finish().await;
    }
}

#[tokio::test]
async fn a_clean_stop_notes_the_validations_counted_last() {
    let database = crate::support::database::TestDatabase::create().await;
    let node = Node::on_database(&database.url());
    let product = json!({"code": "PRD", "name": "x"});
    node.client.post("/products", &product).await.expect(201);
    let customer = node
        .client
        .post("/customers", &json!({"name": "J", "email": "j@example.com"}))
        .await
        .expect(201);
    let body = json!({"product_code": "PRD", "customer_id": customer["id"]});
    let license = node.client.post("/licenses", &body).await.expect(201);
    for _ in 0..10 {
        node.client.validate(&license["key"]).await;
    }
    assert!(node.terminate().success());
    let sql = "SELECT sum((convert_from(leaf, 'UTF8')::json -> 'payload' ->> 'count')::bigint)::bigint FROM events WHERE event_type = 'license.validated'";
    assert_eq!(database.count(sql).await, 10);
    crate::support::check_everything(&database).await;
    database.drop().await;
}

#[tokio::test]
async fn other_nodes_hear_of_changes_within_a_second() {
    let database = crate::support::database::TestDatabase::create().await;
    let (one, two) = (
        Node::on_database(&database.url()),
        Node::on_database(&database.url()),
    );
    one.client
        .post("/products", &json!({"code": "PRD", "name": "x"}))
        .await
        .expect(201);
    let customer = two
        .client
        .post("/customers", &json!({"name": "J", "email": "j@example.com"}))
        .await
        .expect(201);
    let body = json!({"product_code": "PRD", "customer_id": customer["id"]});
    let license = one.client.post("/licenses", &body).await.expect(201);
    assert_eq!(two.client.validate(&license["key"]).await["valid"], true);
    let path = format!("/licenses/{}", license["id"].as_str().unwrap());
    for _ in 0..5 {
        for (action, code) in [("suspend", "SUSPENDED"), ("reinstate", "OK")] {
            one.client
                .post_empty(&format!("{path}/{action}"))
                .await
                .expect(200);
            assert_eq!(one.client.validate(&license["key"]).await["code"], code);
            eventually("the other node knows", async || {
                two.client.validate(&license["key"]).await["code"] == code
            })
            .await;
        }
    }
    // A node that writes for the first time hears of what was written elsewhere before that.
    for _ in 0..3 {
        let three = Node::on_database(&database.url());
        assert_eq!(three.client.validate(&license["key"]).await["valid"], true);
        one.client
            .post_empty(&format!("{path}/suspend"))
            .await
            .expect(200);
        three
            .client
            .patch(&path, &json!({"metadata": {"by": "three"}}))
            .await
            .expect(200);
        assert_eq!(three.client.validate(&license["key"]).await["code"], "SUSPENDED");
        one.client
            .post_empty(&format!("{path}/reinstate"))
            .await
            .expect(200);
        assert!(three.terminate().success());
    }
    // A list on the other node, too, shows what was acknowledged here.
    two.client
        .patch(&path, &json!({"tier": "gold"}))
        .await
        .expect(200);
    assert_eq!(one.client.get("/licenses").await.expect(200)[0]["tier"], "gold");
    assert!(one.terminate().success() && two.terminate().success());
    crate::support::check_everything(&database).await;
    database.drop().await;
}

#[tokio::test]
async fn a_node_that_lost_the_database_stops_answering_from_memory() {
    let data = tempfile::tempdir().unwrap();
    let data_dir = data.path().join("data");
    // Whoever PostgreSQL runs as must be able to get there.
    std::fs::set_permissions(data.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let node = Node::on_data_dir_with(&data_dir, &[("VINZY_MAX_STALENESS", "2")]);
    node.client
        .post("/products", &json!({"code": "PRD", "name": "x"}))
        .await
        .expect(201);
    let customer = node
        .client
        .post("/customers", &json!({"name": "J", "email": "j@example.com"}))
        .await
        .expect(201);
    let body = json!({"product_code": "PRD", "customer_id": customer["id"]});
    let license = node.client.post("/licenses", &body).await.expect(201);
    assert_eq!(node.client.validate(&license["key"]).await["valid"], true);
    kill_postgres(&data_dir);
    let (here, away) = (data_dir.join("postgres"), data_dir.join("away"));
    std::fs::rename(&here, &away).unwrap();
    let body = json!({"key": license["key"]});
    let ask = async || {
        send(
            node.client
                .request(reqwest::Method::POST, "/validate")
                .json(&body),
        )
        .await
    };
    eventually("validation is refused", async || ask().await.status == 503).await;
    ask().await.expect_problem(503, "STALE");
    node.client
        .post("/products", &json!({"code": "TWO", "name": "x"}))
        .await
        .into_problem();
    assert_eq!(node.client.get_anonymously("/ready").await.status, 503);
    assert_eq!(node.client.get_anonymously("/health").await.status, 200);

    // The private database is started again as soon as it can be.
    std::fs::rename(&away, &here).unwrap();
    eventually("validations are answered again", async || {
        ask().await.status == 200
    })
    .await;
    assert!(node.terminate().success());
}
