//! The life of a license.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::TestApp;

const DAY: Duration = Duration::from_hours(24);

fn path(license: &Value) -> String {
    format!("/licenses/{}", license["id"].as_str().unwrap())
}

/// The license without its key, as every answer but the first shows it.
fn without_key(license: &Value) -> Value {
    let mut license = license.clone();
    license.as_object_mut().unwrap().remove("key");
    license
}

#[tokio::test]
async fn a_license_has_sensible_defaults() {
    let app = TestApp::start().await;
    let license = app.license().await;
    assert_eq!(license["status"], "active");
    assert_eq!(license["tier"], "standard");
    assert_eq!(license["machines_limit"], 3);
    assert_eq!(license["expires_at"], "2027-03-01T12:00:00.000000Z");
    assert_eq!(license["created_at"], "2026-03-01T12:00:00.000000Z");
    assert_eq!(
        app.client.get(&path(&license)).await.expect(200),
        without_key(&license)
    );
    assert_eq!(
        app.client.get("/licenses").await.expect(200),
        json!([without_key(&license)])
    );
    app.finish().await;
}

#[tokio::test]
async fn a_tier_that_is_not_named_is_the_products() {
    let app = TestApp::start().await;
    app.client
        .post(
            "/products",
            &json!({"code": "AB", "name": "x", "default_tier": "pro"}),
        )
        .await
        .expect(201);
    let customer = app.customer("jane@example.com").await;
    assert_eq!(app.license_of("AB", &customer).await["tier"], "pro");
    app.finish().await;
}

#[tokio::test]
async fn expiry_can_be_days_a_date_or_never() {
    let app = TestApp::start().await;
    app.product("PRD").await;
    let customer = app.customer("jane@example.com").await;
    for (field, value, expected) in [
        ("days_valid", json!(30), json!("2026-03-31T12:00:00.000000Z")),
        ("days_valid", json!(null), json!(null)),
        (
            "expires_at",
            json!("2030-01-01T01:00:00+01:00"),
            json!("2030-01-01T00:00:00.000000Z"),
        ),
        ("expires_at", json!(null), json!(null)),
    ] {
        let body = json!({"product_code": "PRD", "customer_id": customer["id"], field: value});
        assert_eq!(
            app.client.post("/licenses", &body).await.expect(201)["expires_at"],
            expected
        );
    }
    app.finish().await;
}

#[tokio::test]
async fn a_license_is_changed_field_by_field() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let changes = json!({"tier": "gold", "machines_limit": null, "entitlements": {"api_calls": {"limit": 99}}, "metadata": {"z": 1}});
    let changed = app.client.patch(&path(&license), &changes).await.expect(200);
    for field in ["tier", "machines_limit", "entitlements", "metadata"] {
        assert_eq!(changed[field], changes[field]);
    }
    assert_eq!(changed["expires_at"], license["expires_at"]);
    assert_eq!(app.client.get(&path(&license)).await.expect(200), changed);
    assert_eq!(app.client.get("/licenses").await.expect(200), json!([changed]));
    app.finish().await;
}

#[tokio::test]
async fn a_license_is_suspended_reinstated_renewed_and_revoked() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let act = async |what: &str| app.client.post_empty(&format!("{}/{what}", path(&license))).await;
    assert_eq!(act("suspend").await.expect(200)["status"], "suspended");
    assert_eq!(act("suspend").await.expect(200)["status"], "suspended");
    assert_eq!(act("reinstate").await.expect(200)["status"], "active");
    assert_eq!(
        act("renew").await.expect(200)["expires_at"],
        "2028-02-29T12:00:00.000000Z"
    );
    let reason = json!({"reason": "chargeback"});
    let revoke = format!("{}/revoke", path(&license));
    assert_eq!(
        app.client.post(&revoke, &reason).await.expect(200)["status"],
        "revoked"
    );
    for action in ["suspend", "reinstate", "renew"] {
        act(action).await.expect_problem(409, "LICENSE_REVOKED");
    }
    let types: Vec<Value> = app
        .client
        .get(&format!("/audit/{}", license["id"].as_str().unwrap()))
        .await
        .expect(200)
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["event_type"].clone())
        .collect();
    assert_eq!(
        types,
        [
            "license.revoked",
            "license.renewed",
            "license.reinstated",
            "license.suspended",
            "license.created"
        ]
    );
    app.finish().await;
}

#[tokio::test]
async fn a_status_in_a_change_does_what_the_routes_do() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let suspended = app
        .client
        .patch(&path(&license), &json!({"status": "suspended", "tier": "gold"}))
        .await
        .expect(200);
    assert_eq!(
        (&suspended["status"], &suspended["tier"]),
        (&json!("suspended"), &json!("gold"))
    );
    for bad in ["banana", "expired", ""] {
        app.client
            .patch(&path(&license), &json!({"status": bad}))
            .await
            .expect_problem(422, "VALIDATION_ERROR");
    }
    assert_eq!(app.client.validate(&license["key"]).await["code"], "SUSPENDED");
    app.finish().await;
}

#[tokio::test]
async fn expiry_is_seen_everywhere_without_anything_touching_it() {
    let app = TestApp::start().await;
    let license = app.license().await;
    assert_eq!(app.client.validate(&license["key"]).await["valid"], true);
    app.advance(DAY * 365);
    assert_eq!(
        app.client.get(&path(&license)).await.expect(200)["status"],
        "expired"
    );
    assert_eq!(
        app.client.get("/licenses").await.expect(200)[0]["status"],
        "expired"
    );
    assert_eq!(
        app.client
            .get("/licenses?status=expired")
            .await
            .expect(200)
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        app.client
            .get("/licenses?status=active")
            .await
            .header("x-total-count"),
        "0"
    );
    assert_eq!(app.client.validate(&license["key"]).await["code"], "EXPIRED");
    let renew = format!("{}/renew", path(&license));
    let renewed = app
        .client
        .post(&renew, &json!({"days_valid": 10}))
        .await
        .expect(200);
    assert_eq!(
        renewed["expires_at"], "2027-03-11T12:00:00.000000Z",
        "days count from now"
    );
    assert_eq!(app.client.validate(&license["key"]).await["valid"], true);
    app.finish().await;
}

#[tokio::test]
async fn a_deleted_license_is_hidden_and_keeps_its_history() {
    let app = TestApp::start().await;
    let license = app.license().await;
    assert_eq!(app.client.validate(&license["key"]).await["valid"], true);
    assert_eq!(app.client.delete(&path(&license)).await.status, 204);
    app.client
        .delete(&path(&license))
        .await
        .expect_problem(404, "LICENSE_NOT_FOUND");
    app.client
        .get(&path(&license))
        .await
        .expect_problem(404, "LICENSE_NOT_FOUND");
    assert_eq!(app.client.get("/licenses").await.expect(200), json!([]));
    assert_eq!(app.client.validate(&license["key"]).await["code"], "NOT_FOUND");
    let audit = app
        .client
        .get(&format!("/audit/{}", license["id"].as_str().unwrap()))
        .await
        .expect(200);
    assert_eq!(audit[0]["event_type"], "license.deleted");
    app.finish().await;
}

#[tokio::test]
async fn licenses_need_an_existing_product_and_customer() {
    let app = TestApp::start().await;
    let product = app.product("PRD").await;
    let customer = app.customer("jane@example.com").await;
    let nobody = "0197f0a2-0000-7000-8000-000000000000";
    let unknown = json!({"product_code": "NOP", "customer_id": customer["id"]});
    let problem = app
        .client
        .post("/licenses", &unknown)
        .await
        .expect_problem(404, "PRODUCT_NOT_FOUND");
    assert_eq!(problem["detail"], "Product 'NOP' not found");
    let unknown = json!({"product_code": "PRD", "customer_id": nobody});
    app.client
        .post("/licenses", &unknown)
        .await
        .expect_problem(404, "CUSTOMER_NOT_FOUND");
    app.client
        .delete(&format!("/products/{}", product["id"].as_str().unwrap()))
        .await;
    let gone = json!({"product_code": "PRD", "customer_id": customer["id"]});
    app.client
        .post("/licenses", &gone)
        .await
        .expect_problem(404, "PRODUCT_NOT_FOUND");
    app.finish().await;
}

#[tokio::test]
async fn lists_are_filtered() {
    let app = TestApp::start().await;
    app.product("PRD").await;
    app.product("TWO").await;
    let (jane, joe) = (
        app.customer("jane@example.com").await,
        app.customer("joe@example.com").await,
    );
    let first = app.license_of("PRD", &jane).await;
    app.license_of("TWO", &jane).await;
    app.license_of("PRD", &joe).await;
    app.client
        .patch(&path(&first), &json!({"status": "suspended", "tier": "gold"}))
        .await
        .expect(200);
    let jane_id = jane["id"].as_str().unwrap();
    for (query, count) in [
        ("", "3"),
        ("?product_code=PRD", "2"),
        ("?product_code=ZZZ", "0"),
        ("?status=suspended", "1"),
        ("?status=active", "2"),
        ("?tier=gold", "1"),
        (&format!("?customer_id={jane_id}"), "2"),
        (
            &format!("?customer_id={jane_id}&product_code=PRD&status=suspended"),
            "1",
        ),
    ] {
        let answer = app.client.get(&format!("/licenses{query}")).await;
        assert_eq!(answer.header("x-total-count"), count, "{query}");
        assert_eq!(
            answer.expect(200).as_array().unwrap().len().to_string(),
            count,
            "{query}"
        );
    }
    app.finish().await;
}
