//! Products and customers.

use serde_json::{Value, json};

use crate::support::TestApp;

#[tokio::test]
async fn a_product_lives_from_creation_to_deletion() {
    let app = TestApp::start().await;
    let created = app.product("PRD").await;
    let path = format!("/products/{}", created["id"].as_str().unwrap());
    assert_eq!(app.client.get(&path).await.expect(200), created);

    let changed = app
        .client
        .patch(&path, &json!({"name": "Better", "metadata": {"k": 1.0}}))
        .await
        .expect(200);
    assert_eq!(
        (&changed["name"], &changed["metadata"]),
        (&json!("Better"), &json!({"k": 1}))
    );
    assert_eq!(changed["features"], created["features"]);
    assert_eq!(app.client.get("/products").await.expect(200), json!([changed]));

    assert_eq!(app.client.delete(&path).await.status, 204);
    app.client
        .get(&path)
        .await
        .expect_problem(404, "PRODUCT_NOT_FOUND");
    app.client
        .delete(&path)
        .await
        .expect_problem(404, "PRODUCT_NOT_FOUND");
    app.client
        .patch(&path, &json!({"name": "x"}))
        .await
        .expect_problem(404, "PRODUCT_NOT_FOUND");
    assert_eq!(app.client.get("/products").await.expect(200), json!([]));
    app.product("PRD").await;
    app.finish().await;
}

#[tokio::test]
async fn a_product_code_belongs_to_one_product() {
    let app = TestApp::start().await;
    app.product("PRD").await;
    let again = json!({"code": "PRD", "name": "Other"});
    app.client
        .post("/products", &again)
        .await
        .expect_problem(409, "PRODUCT_CODE_TAKEN");

    let twenty = (0..20).map(|_| {
        let client = app.client.clone();
        async move {
            client
                .post("/products", &json!({"code": "TWO", "name": "Race"}))
                .await
                .status
        }
    });
    let mut statuses = futures::future::join_all(twenty).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [&[201][..], &[409; 19]].concat());
    app.finish().await;
}

#[tokio::test]
async fn an_address_belongs_to_one_customer_whatever_its_case() {
    let app = TestApp::start().await;
    let jane = app.customer("jane@example.com").await;
    let again = json!({"name": "J", "email": "JANE@Example.com"});
    app.client
        .post("/customers", &again)
        .await
        .expect_problem(409, "EMAIL_TAKEN");

    let path = format!("/customers/{}", jane["id"].as_str().unwrap());
    let moved = app
        .client
        .patch(&path, &json!({"email": "Jane@Example.com"}))
        .await
        .expect(200);
    assert_eq!(
        moved["email"], "Jane@Example.com",
        "their own address in another spelling"
    );
    app.client
        .patch(&path, &json!({"email": "jane@example.org"}))
        .await
        .expect(200);
    app.customer("jane@example.com").await;
    let taken = json!({"email": "jane@example.com"});
    app.client
        .patch(&path, &taken)
        .await
        .expect_problem(409, "EMAIL_TAKEN");
    assert_eq!(
        app.client.get(&path).await.expect(200)["email"],
        "jane@example.org"
    );
    app.finish().await;
}

#[tokio::test]
async fn a_customer_lives_from_creation_to_deletion() {
    let app = TestApp::start().await;
    let body = json!({"name": "Zoë 🔑", "email": "zoe@example.com", "company": "Acme", "metadata": {"b": [1, {}], "a": null}});
    let created = app.client.post("/customers", &body).await.expect(201);
    for field in ["name", "email", "company", "metadata"] {
        assert_eq!(created[field], body[field]);
    }
    let path = format!("/customers/{}", created["id"].as_str().unwrap());
    let changed = app.client.patch(&path, &json!({"company": ""})).await.expect(200);
    assert_eq!(
        (&changed["company"], &changed["name"]),
        (&json!(""), &json!("Zoë 🔑"))
    );
    assert_eq!(app.client.get(&path).await.expect(200), changed);
    assert_eq!(app.client.get("/customers").await.expect(200), json!([changed]));
    let by_email = app
        .client
        .get("/customers?email=ZOE%40example.com")
        .await
        .expect(200);
    assert_eq!(by_email, json!([changed]));
    assert_eq!(
        app.client
            .get("/customers?email=no%40example.com")
            .await
            .expect(200),
        json!([])
    );
    assert_eq!(app.client.delete(&path).await.status, 204);
    app.client
        .get(&path)
        .await
        .expect_problem(404, "CUSTOMER_NOT_FOUND");
    app.client
        .patch(&path, &json!({"name": "x"}))
        .await
        .expect_problem(404, "CUSTOMER_NOT_FOUND");
    app.finish().await;
}

#[tokio::test]
async fn personal_data_stand_nowhere_in_the_clear() {
    let app = TestApp::start().await;
    let body = json!({"name": "Wilhelmina", "email": "wilhelmina@example.com", "company": "Nostromo", "metadata": {"phone": "555-0199"}});
    let customer = app.client.post("/customers", &body).await.expect(201);
    let path = format!("/customers/{}", customer["id"].as_str().unwrap());
    app.client
        .patch(&path, &json!({"name": "Wilhelmine"}))
        .await
        .expect(200);
    app.client.get("/customers").await.expect(200);
    let tables = [
        "events",
        "sealed_values",
        "data_keys",
        "unique_claims",
        "snapshots",
        "customers",
        "idempotency_keys",
    ];
    for table in tables {
        for word in ["wilhelmin", "nostromo", "555-0199"] {
            let leaf = if table == "events" {
                "|| convert_from(t.leaf, 'UTF8')"
            } else {
                ""
            };
            let sql = format!("SELECT count(*) FROM {table} t WHERE (t::text {leaf}) ILIKE '%{word}%'");
            assert_eq!(app.database.count(&sql).await, 0, "{word} in {table}");
            let bytes = data_encoding::HEXLOWER.encode(word.as_bytes());
            let sql = format!("SELECT count(*) FROM {table} t WHERE t::text ILIKE '%{bytes}%'");
            assert_eq!(app.database.count(&sql).await, 0, "{word} in {table}, as bytes");
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn what_is_in_use_cannot_be_deleted() {
    let app = TestApp::start().await;
    let product = app.product("PRD").await;
    let customer = app.customer("jane@example.com").await;
    let first = app.license_of("PRD", &customer).await;
    let second = app.license_of("PRD", &customer).await;
    let product_path = format!("/products/{}", product["id"].as_str().unwrap());
    let customer_path = format!("/customers/{}", customer["id"].as_str().unwrap());
    for path in [&product_path, &customer_path] {
        let problem = app.client.delete(path).await.expect_problem(409, "IN_USE");
        assert_eq!(problem["used_by"], json!({"licenses": 2}));
    }
    for license in [first, second] {
        let path = format!("/licenses/{}", license["id"].as_str().unwrap());
        assert_eq!(app.client.delete(&path).await.status, 204);
    }
    for path in [&product_path, &customer_path] {
        assert_eq!(app.client.delete(path).await.status, 204);
    }
    app.finish().await;
}

#[tokio::test]
async fn a_code_leads_to_the_product_that_has_it_now() {
    let app = TestApp::start().await;
    let customer = app.customer("jane@example.com").await;
    for _ in 0..3 {
        let product = app.product("PRD").await;
        let license = app.license_of("PRD", &customer).await;
        assert_eq!(
            app.client
                .delete(&format!("/licenses/{}", license["id"].as_str().unwrap()))
                .await
                .status,
            204
        );
        assert_eq!(
            app.client
                .delete(&format!("/products/{}", product["id"].as_str().unwrap()))
                .await
                .status,
            204
        );
    }
    app.finish().await;
}

#[tokio::test]
async fn lists_can_be_paged_by_number_and_by_cursor() {
    let app = TestApp::start().await;
    let mut emails = vec![];
    for number in 0..7 {
        emails.push(format!("c{number}@example.com"));
        app.customer(&emails[number]).await;
    }
    let emails_of = |body: Value| -> Vec<String> {
        body.as_array()
            .unwrap()
            .iter()
            .map(|row| row["email"].as_str().unwrap().to_owned())
            .collect()
    };
    let second = app.client.get("/customers?page=2&page_size=3").await;
    assert_eq!(second.header("x-total-count"), "7");
    assert_eq!(emails_of(second.expect(200)), emails[3..6]);

    let mut seen = vec![];
    let mut path = "/customers?page_size=3".to_owned();
    loop {
        let page = app.client.get(&path).await;
        let link = page.header("link").to_owned();
        seen.extend(emails_of(page.expect(200)));
        let next = link.split(", ").find(|link| link.ends_with("rel=\"next\""));
        let Some(next) = next else { break };
        path = next[1..next.find('>').unwrap()].to_owned();
    }
    assert_eq!(seen, emails);
    assert_eq!(
        emails_of(app.client.get("/customers?page=4&page_size=3").await.expect(200)),
        Vec::<String>::new()
    );
    app.finish().await;
}

#[tokio::test]
async fn a_change_shows_in_every_later_read() {
    let app = TestApp::start().await;
    let customer = app.customer("jane@example.com").await;
    let path = format!("/customers/{}", customer["id"].as_str().unwrap());
    for round in 0..50 {
        let name = format!("Jane {round}");
        app.client.patch(&path, &json!({"name": name})).await.expect(200);
        assert_eq!(
            app.client.get("/customers").await.expect(200)[0]["name"],
            name.as_str()
        );
        assert_eq!(app.client.get(&path).await.expect(200)["name"], name.as_str());
    }
    app.finish().await;
}
