//! Agents, and what a customer's licenses amount to.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::send;

async fn ask_agent(app: &TestApp, key: &Value, code: &str) -> Value {
    let body = json!({"key": key, "agent_code": code});
    let answer = app.client.ask("/validate/agent", &body).await.expect(200);
    let older = app.client.request(Method::GET, "/validate/agent");
    let older = send(older.query(&[("key", key.as_str().unwrap()), ("agent_code", code)]))
        .await
        .expect(200);
    assert_eq!(older, answer, "the older way answers the same");
    answer
}

#[tokio::test]
async fn agents_are_listed_with_their_overrides() {
    let app = TestApp::start().await;
    app.product("PRD").await;
    let customer = app.customer("jane@example.com").await;
    let body = json!({"product_code": "PRD", "customer_id": customer["id"], "entitlements": {
        "agents": {"CFO": {"enabled": true, "token_limit": 7}, "COO": {}},
    }});
    let license = app.client.post("/licenses", &body).await.expect(201);
    let agents = app
        .client
        .get(&format!("/licenses/{}/agents", license["id"].as_str().unwrap()))
        .await
        .expect(200);
    assert_eq!(
        agents,
        json!([
            {"agent_code": "CFO", "enabled": true, "token_limit": 7, "model_tier": "standard"},
            {"agent_code": "COO", "enabled": true, "token_limit": null, "model_tier": "standard"},
            {"agent_code": "CTO", "enabled": true, "token_limit": 50_000, "model_tier": "premium"},
        ])
    );
    assert_eq!(app.client.validate(&license["key"]).await["agents"], agents);
    app.client
        .get("/licenses/0197f0a2-0000-7000-8000-000000000000/agents")
        .await
        .expect_problem(404, "LICENSE_NOT_FOUND");
    app.finish().await;
}

#[tokio::test]
async fn an_agent_is_entitled_until_its_tokens_are_used_up() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let key = &license["key"];
    let path = format!("/licenses/{}", license["id"].as_str().unwrap());
    assert_eq!(
        ask_agent(&app, key, "CTO").await,
        json!({
            "valid": true, "code": "OK", "message": "Agent CTO is entitled", "agent_code": "CTO", "enabled": true,
            "token_limit": 50_000, "model_tier": "premium", "tokens_used": 0, "tokens_remaining": 50_000,
        })
    );
    let off = ask_agent(&app, key, "CFO").await;
    assert_eq!(
        (&off["valid"], &off["code"], &off["enabled"]),
        (&json!(false), &json!("AGENT_NOT_ENTITLED"), &json!(false))
    );
    let unknown = ask_agent(&app, key, "🔑").await;
    assert_eq!(
        (&unknown["code"], &unknown["model_tier"]),
        (&json!("AGENT_NOT_ENTITLED"), &Value::Null)
    );

    app.client.use_of(key, "agent.CTO.tokens", 49_999.5).await;
    let nearly = ask_agent(&app, key, "CTO").await;
    assert_eq!(
        (
            &nearly["code"],
            &nearly["tokens_used"],
            &nearly["tokens_remaining"]
        ),
        (&json!("OK"), &json!(49_999.5), &json!(0.5))
    );
    let lower = json!({"entitlements": {"agents": {"CTO": {"token_limit": 10_000}}}});
    app.client.patch(&path, &lower).await.expect(200);
    let passed = ask_agent(&app, key, "CTO").await;
    assert_eq!(
        (&passed["valid"], &passed["code"], &passed["tokens_remaining"]),
        (&json!(false), &json!("LIMIT_EXCEEDED"), &json!(0))
    );
    let allowed = json!({"entitlements": {"agents": {"CTO": {"token_limit": 10_000, "overage": "allow"}}}});
    app.client.patch(&path, &allowed).await.expect(200);
    assert_eq!(ask_agent(&app, key, "CTO").await["code"], "OK");
    let daily = json!({"entitlements": {"agents": {"CTO": {"token_limit": 10_000, "period": "day"}}}});
    app.client.patch(&path, &daily).await.expect(200);
    assert_eq!(ask_agent(&app, key, "CTO").await["code"], "LIMIT_EXCEEDED");
    app.advance(Duration::from_hours(12));
    let new_day = ask_agent(&app, key, "CTO").await;
    assert_eq!(
        (&new_day["code"], &new_day["tokens_used"]),
        (&json!("OK"), &json!(0))
    );

    // A feature of the metric's name limits the same tokens: the tighter one counts.
    let tighter = json!({"entitlements": {"agent.CTO.tokens": {"limit": 10}, "agents": {"CTO": {"token_limit": 60_000}}}});
    app.client.patch(&path, &tighter).await.expect(200);
    let passed = ask_agent(&app, key, "CTO").await;
    assert_eq!(
        (
            &passed["code"],
            &passed["tokens_used"],
            &passed["tokens_remaining"]
        ),
        (&json!("LIMIT_EXCEEDED"), &json!(49_999.5), &json!(0))
    );
    let dotted = json!({"entitlements": {"agents": {"gpt-4.1": {"token_limit": 5}}}});
    app.client
        .patch(&path, &dotted)
        .await
        .expect_problem(422, "VALIDATION_ERROR");
    app.client
        .post_empty(&format!("{path}/suspend"))
        .await
        .expect(200);
    assert_eq!(ask_agent(&app, key, "CTO").await["code"], "SUSPENDED");
    assert_eq!(ask_agent(&app, &json!("bad"), "CTO").await["code"], "INVALID_KEY");
    assert_eq!(app.client.delete(&path).await.status, 204);
    assert_eq!(ask_agent(&app, key, "CTO").await["code"], "NOT_FOUND");
    for (body, field) in [
        (json!({"key": key}), "agent_code"),
        (json!({"agent_code": "CTO"}), "key"),
        (json!({"key": key, "agent_code": "x".repeat(101)}), "agent_code"),
    ] {
        let problem = app
            .client
            .ask("/validate/agent", &body)
            .await
            .expect_problem(422, "VALIDATION_ERROR");
        assert_eq!(problem["errors"][0]["field"], field);
    }
    for query in ["", "key=x", "agent_code=x", "key=x&agent_code="] {
        app.client
            .get_anonymously(&format!("/validate/agent?{query}"))
            .await
            .expect_problem(422, "VALIDATION_ERROR");
    }
    app.finish().await;
}

#[tokio::test]
async fn a_customers_active_licenses_compose() {
    let app = TestApp::start().await;
    let features = json!({"seats": {"limit": 5, "compose": "sum"}, "size": {"limit": 3, "compose": "max"}, "export": true, "sso": false,
        "agents": {"CTO": {"token_limit": 100}}});
    for code in ["ONE", "TWO", "OFF"] {
        let body = json!({"code": code, "name": code, "features": features});
        app.client.post("/products", &body).await.expect(201);
    }
    let customer = app.customer("jane@example.com").await;
    let stranger = app.customer("other@example.com").await;
    let path = format!("/entitlements/composed/{}", customer["id"].as_str().unwrap());
    let none = app.client.get(&path).await.expect(200);
    assert_eq!(
        none,
        json!({"customer_id": customer["id"], "total_products": 0, "features": [], "agents": {}})
    );
    let issue = async |code: &str, customer: &Value, entitlements: Value, days: u32| {
        let body = json!({"product_code": code, "customer_id": customer["id"], "entitlements": entitlements, "days_valid": days});
        app.client.post("/licenses", &body).await.expect(201)
    };
    let one = issue("ONE", &customer, json!({"seats": {"limit": 7}}), 30).await;
    let two = issue(
        "TWO",
        &customer,
        json!({"sso": true, "agents": {"CTO": {"token_limit": 50}}}),
        1,
    )
    .await;
    let off = issue("OFF", &customer, json!({}), 30).await;
    app.client
        .post_empty(&format!("/licenses/{}/suspend", off["id"].as_str().unwrap()))
        .await
        .expect(200);
    issue("ONE", &stranger, json!({"seats": {"limit": 1_000_000}}), 30).await;

    let source = |code: &str, license: &Value, value: Value| json!({"product_code": code, "license_id": license["id"], "value": value});
    let feature = |name: &str, strategy: &str, effective: Value, values: [Value; 2]| {
        let [first, second] = values;
        json!({"feature": name, "effective_value": effective, "strategy": strategy,
               "sources": [source("ONE", &one, first), source("TWO", &two, second)]})
    };
    assert_eq!(
        app.client.get(&path).await.expect(200),
        json!({
            "customer_id": customer["id"], "total_products": 2,
            "features": [
                feature("export", "union", json!(true), [json!(true), json!(true)]),
                feature("seats", "sum", json!(12), [json!(7), json!(5)]),
                feature("size", "max", json!(3), [json!(3), json!(3)]),
                feature("sso", "union", json!(true), [json!(false), json!(true)]),
            ],
            "agents": {"CTO": {"enabled": true, "token_limit": 150}},
        })
    );
    // What lapses falls out without anything touching it; what is reinstated comes in.
    app.advance(Duration::from_hours(24));
    app.client
        .post_empty(&format!("/licenses/{}/reinstate", off["id"].as_str().unwrap()))
        .await
        .expect(200);
    let later = app.client.get(&path).await.expect(200);
    let products: Vec<&Value> = later["features"][1]["sources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|source| &source["product_code"])
        .collect();
    assert_eq!(products, ["ONE", "OFF"]);
    for id in ["0197f0a2-0000-7000-8000-000000000000", "x"] {
        app.client
            .get(&format!("/entitlements/composed/{id}"))
            .await
            .expect_problem(404, "CUSTOMER_NOT_FOUND");
    }
    app.finish().await;
}
