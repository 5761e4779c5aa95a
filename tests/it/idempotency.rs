//! Requests that come again.

use serde_json::{Value, json};

use crate::support::TestApp;

#[tokio::test]
async fn a_repeated_request_gives_the_first_answer_and_changes_nothing() {
    let app = TestApp::start().await;
    let product = json!({"code": "PRD", "name": "x"});
    let first = app
        .client
        .post_with_key("/products", "p", &product)
        .await
        .expect(201);
    app.client
        .patch(
            &format!("/products/{}", first["id"].as_str().unwrap()),
            &json!({"name": "y"}),
        )
        .await
        .expect(200);
    assert_eq!(
        app.client
            .post_with_key("/products", "p", &product)
            .await
            .expect(201),
        first
    );

    let customer = json!({"name": "Jane", "email": "jane@example.com", "company": "Acme"});
    let jane = app
        .client
        .post_with_key("/customers", "c", &customer)
        .await
        .expect(201);
    app.client
        .patch(
            &format!("/customers/{}", jane["id"].as_str().unwrap()),
            &json!({"name": "J"}),
        )
        .await
        .expect(200);
    assert_eq!(
        app.client
            .post_with_key("/customers", "c", &customer)
            .await
            .expect(201),
        jane
    );

    let license = json!({"product_code": "PRD", "customer_id": jane["id"]});
    let issued = app
        .client
        .post_with_key("/licenses", "l", &license)
        .await
        .expect(201);
    let path = format!("/licenses/{}", issued["id"].as_str().unwrap());
    app.client
        .patch(&path, &json!({"tier": "gold"}))
        .await
        .expect(200);
    assert_eq!(
        app.client
            .post_with_key("/licenses", "l", &license)
            .await
            .expect(201),
        issued,
        "with its key"
    );
    assert_eq!(app.client.validate(&issued["key"]).await["valid"], true);

    let renew = format!("{path}/renew");
    let renewed = app
        .client
        .post_with_key(&renew, "r", &json!({"days_valid": 10}))
        .await
        .expect(200);
    assert_eq!(
        app.client
            .post_with_key(&renew, "r", &json!({"days_valid": 10}))
            .await
            .expect(200),
        renewed
    );
    assert_eq!(
        app.client.get(&path).await.expect(200)["expires_at"],
        renewed["expires_at"]
    );
    assert_eq!(app.client.get("/licenses").await.header("x-total-count"), "1");
    app.finish().await;
}

#[tokio::test]
async fn a_key_belongs_to_one_request() {
    let app = TestApp::start().await;
    app.client
        .post_with_key("/products", "k", &json!({"code": "PRD", "name": "x"}))
        .await
        .expect(201);
    let other = json!({"code": "TWO", "name": "x"});
    app.client
        .post_with_key("/products", "k", &other)
        .await
        .expect_problem(409, "IDEMPOTENCY_KEY_REUSED");
    let elsewhere = json!({"code": "PRD", "name": "x", "email": "x@example.com"});
    app.client
        .post_with_key("/customers", "k", &elsewhere)
        .await
        .expect_problem(409, "IDEMPOTENCY_KEY_REUSED");
    let reordered = json!({"name": "x", "code": "PRD"});
    app.client
        .post_with_key("/products", "k", &reordered)
        .await
        .expect(201);
    app.client
        .post_with_key("/products", &"k".repeat(256), &other)
        .await
        .expect_problem(422, "VALIDATION_ERROR");
    app.finish().await;
}

#[tokio::test]
async fn a_refused_request_does_not_use_up_its_key() {
    let app = TestApp::start().await;
    let license = json!({"product_code": "PRD", "customer_id": app.customer("jane@example.com").await["id"]});
    app.client
        .post_with_key("/licenses", "k", &license)
        .await
        .expect_problem(404, "PRODUCT_NOT_FOUND");
    app.product("PRD").await;
    app.client
        .post_with_key("/licenses", "k", &license)
        .await
        .expect(201);
    app.finish().await;
}

#[tokio::test]
async fn racing_repetitions_lead_to_one_license() {
    let app = TestApp::start().await;
    app.product("PRD").await;
    let license = json!({"product_code": "PRD", "customer_id": app.customer("jane@example.com").await["id"]});
    let racing = (0..30).map(|_| app.client.post_with_key("/licenses", "k", &license));
    let answers: Vec<Value> = futures::future::join_all(racing)
        .await
        .into_iter()
        .map(|answer| answer.expect(201))
        .collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(app.client.get("/licenses").await.header("x-total-count"), "1");
    app.finish().await;
}

#[tokio::test]
async fn no_license_key_is_kept_anywhere() {
    let app = TestApp::start().await;
    app.product("PRD").await;
    let license = json!({"product_code": "PRD", "customer_id": app.customer("jane@example.com").await["id"]});
    let issued = app
        .client
        .post_with_key("/licenses", "k", &license)
        .await
        .expect(201);
    app.client.validate(&issued["key"]).await;
    let key = issued["key"].as_str().unwrap();
    for table in [
        "events",
        "licenses",
        "license_keys",
        "idempotency_keys",
        "snapshots",
        "unique_claims",
    ] {
        let leaf = if table == "events" {
            "|| convert_from(t.leaf, 'UTF8')"
        } else {
            ""
        };
        let sql = format!(
            "SELECT count(*) FROM {table} t WHERE (t::text {leaf}) LIKE '%{}%'",
            &key[4..20]
        );
        assert_eq!(app.database.count(&sql).await, 0, "{table}");
    }
    app.finish().await;
}
