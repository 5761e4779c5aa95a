//! Tenants: a ledger and a world each.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::{Answer, send};
use crate::support::database::TestDatabase;
use crate::support::node::Node;
use crate::support::{SUPER_ADMIN_KEY, TestApp, eventually, server_config};

#[tokio::test]
async fn a_tenants_key_does_all_that_the_admins_does_on_the_tenants_own_data() {
    let app = TestApp::start().await;
    let (tenant, client) = app.tenant("acme").await;
    assert_eq!(
        (
            &tenant["slug"],
            &tenant["hmac_key_version"],
            &tenant["config_overrides"]
        ),
        (&json!("acme"), &Value::Null, &json!({}))
    );
    // Codes and addresses are unique within a tenant only.
    let own = app.license().await;
    let license = client.license().await;
    assert_ne!(own["id"], license["id"]);
    let validated = client.validate(&license["key"]).await;
    assert_eq!(
        (&validated["valid"], &validated["license"]["id"]),
        (&json!(true), &license["id"])
    );
    let lease = validated["lease"]["token"].as_str().unwrap();
    let claims = data_encoding::BASE64URL_NOPAD
        .decode(lease.split('.').nth(1).unwrap().as_bytes())
        .unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["iss"], "test.example/t/acme");
    client.activate(&license["key"], "fp").await;
    client.use_of(&license["key"], "api_calls", 3).await;
    let id = license["id"].as_str().unwrap();
    let audit = client.get(&format!("/audit/{id}")).await.expect(200);
    assert!(audit.as_array().unwrap().len() >= 3, "{audit}");
    let verified = client.get("/ledger/verify").await.expect(200);
    assert_eq!(
        (&verified["valid"], &verified["origin"]),
        (&json!(true), &json!("test.example/t/acme"))
    );
    assert_eq!(app.client.get("/licenses").await.header("x-total-count"), "1");
    app.client
        .get(&format!("/licenses/{id}"))
        .await
        .expect_problem(404, "LICENSE_NOT_FOUND");
    app.finish().await;
}

#[tokio::test]
async fn tenants_are_listed_changed_and_closed_by_the_super_admin() {
    let app = TestApp::start().await;
    let operator = app.operator();
    let (tenant, client) = app.tenant("acme").await;
    let license = client.license().await;
    let path = format!("/tenants/{}", tenant["id"].as_str().unwrap());
    let body = json!({"name": "Acme 2", "config_overrides": {"lease_ttl": 60, "x": {"y": 1}}});
    let updated = operator.patch(&path, &body).await.expect(200);
    assert_eq!(
        (
            &updated["name"],
            &updated["config_overrides"],
            updated.get("api_key")
        ),
        (&body["name"], &body["config_overrides"], None)
    );
    assert_eq!(operator.get(&path).await.expect(200), updated);
    let list = operator.get("/tenants?slug=acme").await;
    assert_eq!(list.header("x-total-count"), "1");
    assert_eq!(list.expect(200), json!([updated]));

    operator.delete(&path).await.expect(204);
    client.get("/licenses").await.expect_problem(401, "UNAUTHORIZED");
    let validated = app.client.validate(&license["key"]).await;
    assert_eq!(
        (&validated["valid"], &validated["code"]),
        (&json!(false), &json!("NOT_FOUND"))
    );
    let machine = json!({"key": license["key"], "fingerprint": "fp"});
    assert_eq!(
        app.client.ask("/activate", &machine).await.expect(200)["code"],
        "NOT_FOUND"
    );
    for gone in [operator.get(&path).await, operator.delete(&path).await] {
        gone.expect_problem(404, "TENANT_NOT_FOUND");
    }
    assert_eq!(operator.get("/tenants").await.expect(200), json!([]));
    // The ledger is kept, and so is its name.
    let again = json!({"name": "Acme", "slug": "acme"});
    operator
        .post("/tenants", &again)
        .await
        .expect_problem(409, "TENANT_SLUG_TAKEN");
    let kept = app
        .database
        .count("SELECT size FROM ledgers WHERE ledger_id = 'acme'")
        .await;
    assert!(kept >= 4, "{kept}");
    app.finish().await;
}

#[tokio::test]
async fn bad_tenants_are_refused_with_every_reason() {
    let app = TestApp::start().await;
    let operator = app.operator();
    let fields = |answer: Answer| {
        let problem = answer.expect_problem(422, "VALIDATION_ERROR");
        let errors = problem["errors"].as_array().unwrap().clone();
        let mut fields: Vec<String> = errors
            .iter()
            .map(|error| error["field"].as_str().unwrap().to_owned())
            .collect();
        fields.sort();
        fields
    };
    let wrong = json!({"name": "", "slug": "Not A Slug", "hmac_key_version": 32,
                       "config_overrides": {"lease_ttl": -1, "cors_origins": "*"}});
    assert_eq!(
        fields(operator.post("/tenants", &wrong).await),
        [
            "config_overrides.cors_origins",
            "config_overrides.lease_ttl",
            "hmac_key_version",
            "name",
            "slug"
        ]
    );
    for slug in ["default", "system", "-a", "a_b"] {
        let body = json!({"name": "x", "slug": slug});
        assert_eq!(fields(operator.post("/tenants", &body).await), ["slug"], "{slug}");
    }
    let body = json!({"name": "x", "slug": "x", "hmac_key_version": 7});
    assert_eq!(
        fields(operator.post("/tenants", &body).await),
        ["hmac_key_version"]
    );
    app.finish().await;
}

#[tokio::test]
async fn creating_a_tenant_twice_with_one_key_gives_the_same_tenant_and_secret() {
    let app = TestApp::start().await;
    let operator = app.operator();
    let body = json!({"name": "Acme", "slug": "acme"});
    let first = operator.post_with_key("/tenants", "k1", &body).await.expect(201);
    let again = operator.post_with_key("/tenants", "k1", &body).await.expect(201);
    assert_eq!(first, again);
    let other = json!({"name": "Other", "slug": "other"});
    operator
        .post_with_key("/tenants", "k1", &other)
        .await
        .expect_problem(409, "IDEMPOTENCY_KEY_REUSED");
    let client = app.client.with_key(&first["api_key"]);
    assert_eq!(client.get("/api-keys").await.header("x-total-count"), "1");
    app.finish().await;
}

#[tokio::test]
async fn a_slug_is_given_once_however_many_ask() {
    let app = TestApp::start().await;
    let operator = app.operator();
    let body = json!({"name": "Acme", "slug": "acme"});
    let asked = (0..20).map(|_| operator.post("/tenants", &body));
    let answers = futures::future::join_all(asked).await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(created, 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 409).count(), 19);
    app.finish().await;
}

/// A crash between the two ledgers: the tenant is there, its ledger and its key are not.
#[tokio::test]
async fn a_tenant_without_keys_is_helped_by_the_super_admin() {
    let app = TestApp::start().await;
    let operator = app.operator();
    let (tenant, client) = app.tenant("acme").await;
    let own = client.get("/api-keys").await.expect(200)[0]["id"].clone();
    client
        .delete(&format!("/api-keys/{}", own.as_str().unwrap()))
        .await
        .expect(204);
    client.get("/products").await.expect_problem(401, "UNAUTHORIZED");
    let path = format!("/tenants/{}/api-keys", tenant["id"].as_str().unwrap());
    let body = json!({"name": "rescue", "scopes": ["admin"]});
    let key = operator.post(&path, &body).await.expect(201);
    let client = app.client.with_key(&key["api_key"]);
    let keys = client.get("/api-keys").await.expect(200);
    assert_eq!(
        (keys.as_array().unwrap().len(), &keys[0]["name"]),
        (1, &json!("rescue"))
    );
    app.finish().await;
}

#[tokio::test]
async fn settings_of_a_tenant_hold_for_it_alone() {
    let app = TestApp::start().await;
    let (tenant, client) = app.tenant("acme").await;
    let (license, others) = (client.license().await, app.license().await);
    let ends = async |key: &Value| {
        app.client.validate(key).await["lease"]["lease_expires_at"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(ends(&license["key"]).await, "2026-03-02T12:00:00.000000Z");
    let path = format!("/tenants/{}", tenant["id"].as_str().unwrap());
    let change = json!({"config_overrides": {"lease_ttl": 60, "ledger_public": true}});
    app.operator().patch(&path, &change).await.expect(200);
    assert_eq!(ends(&license["key"]).await, "2026-03-01T12:01:00.000000Z");
    assert_eq!(ends(&others["key"]).await, "2026-03-02T12:00:00.000000Z");

    let checkpoint = app.client.get_anonymously("/t/acme/checkpoint").await;
    assert_eq!(checkpoint.header("content-type"), "text/plain; charset=utf-8");
    let note = checkpoint.expect(200);
    assert!(
        note.as_str().unwrap().starts_with("test.example/t/acme\n"),
        "{note}"
    );
    // Who may not read a ledger cannot tell whether it is there.
    for path in [
        "/t/default/checkpoint",
        "/t/system/checkpoint",
        "/t/nobody/checkpoint",
    ] {
        app.client
            .get_anonymously(path)
            .await
            .expect_problem(401, "UNAUTHORIZED");
        client.get(path).await.expect_problem(404, "LEDGER_NOT_FOUND");
    }
    app.client.get("/t/default/checkpoint").await.expect(200);
    app.finish().await;
}

#[tokio::test]
async fn a_tenants_license_keys_are_signed_with_the_version_it_is_set_to() {
    let app = TestApp::start().await;
    let body = json!({"name": "Acme", "slug": "acme", "hmac_key_version": 0});
    let tenant = app.operator().post("/tenants", &body).await.expect(201);
    assert_eq!(tenant["hmac_key_version"], 0);
    let license = app.client.with_key(&tenant["api_key"]).license().await;
    let key = license["key"].as_str().unwrap();
    assert_eq!(vinzy_events::key::version_of(key), 0);
    app.finish().await;
}

#[tokio::test]
async fn other_nodes_know_of_a_tenant_and_of_its_end_at_once() {
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
    let there = two.client.with_key(&tenant["api_key"]);
    let license = there.license().await;
    assert_eq!(two.client.validate(&license["key"]).await["valid"], true);
    let path = format!("/tenants/{}", tenant["id"].as_str().unwrap());
    operator.delete(&path).await.expect(204);
    there.get("/products").await.expect_problem(401, "UNAUTHORIZED");
    eventually("the license opens nothing any more", || async {
        two.client.validate(&license["key"]).await["code"] == "NOT_FOUND"
    })
    .await;
    for node in [one, two] {
        assert!(node.terminate().success());
    }
    crate::support::check_everything(&database).await;
    database.drop().await;
}

#[tokio::test]
async fn tenants_outlive_a_restart_with_their_settings() {
    let app = TestApp::start().await;
    let (tenant, client) = app.tenant("acme").await;
    let license = client.license().await;
    let path = format!("/tenants/{}", tenant["id"].as_str().unwrap());
    let change = json!({"config_overrides": {"lease_ttl": 60}});
    app.operator().patch(&path, &change).await.expect(200);
    let (gone, _) = app.tenant("gone").await;
    let path = format!("/tenants/{}", gone["id"].as_str().unwrap());
    app.operator().delete(&path).await.expect(204);

    let database = app.stop().await;
    let app = TestApp::start_on(database, server_config()).await;
    let validated = app.client.validate(&license["key"]).await;
    assert_eq!(
        validated["lease"]["lease_expires_at"],
        "2026-03-01T12:01:00.000000Z"
    );
    app.client
        .with_key(&gone["api_key"])
        .get("/products")
        .await
        .expect_problem(401, "UNAUTHORIZED");
    let bearer = app
        .client
        .request(reqwest::Method::GET, "/products")
        .bearer_auth(tenant["api_key"].as_str().unwrap());
    send(bearer).await.expect(200);
    app.finish().await;
}

/// There are fewer connections for writing than tenants who write.
#[tokio::test]
async fn tenants_who_write_steadily_keep_no_other_waiting() {
    let app = TestApp::start().await;
    let mut writing = vec![];
    for number in 0..6 {
        let (_, client) = app.tenant(&format!("tenant-{number}")).await;
        writing.push(tokio::spawn(async move {
            let (begun, mut written) = (Instant::now(), 0);
            while begun.elapsed() < Duration::from_secs(8) {
                client.customer(&format!("jane{written}@example.com")).await;
                written += 1;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            written
        }));
    }
    for tenant in writing {
        assert!(tenant.await.unwrap() > 1);
    }
    app.finish().await;
}

#[tokio::test]
async fn a_ledger_is_verified_once_at_a_time() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let walk = app.app.walks.begin(&app.app.default_ledger).unwrap();
    let audit = format!("/audit/{}/verify", license["id"].as_str().unwrap());
    for path in ["/ledger/verify", &audit] {
        let busy = app.client.get(path).await;
        assert_eq!(busy.header("retry-after"), "5");
        busy.expect_problem(503, "VERIFICATION_BUSY");
    }
    drop(walk);
    app.client.get("/ledger/verify").await.expect(200);
    app.finish().await;
}

#[tokio::test]
async fn names_hold_nothing_that_controls_how_they_are_shown() {
    let app = TestApp::start().await;
    for name in ["a\nb", "a\u{202e}b", "\u{7}"] {
        let body = json!({"name": name, "slug": "x", "scopes": ["read"]});
        app.client
            .post("/api-keys", &body)
            .await
            .expect_problem(422, "VALIDATION_ERROR");
        app.operator()
            .post("/tenants", &body)
            .await
            .expect_problem(422, "VALIDATION_ERROR");
    }
    app.finish().await;
}
