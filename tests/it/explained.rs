//! Where the entitlements of a license come from, and how much of them was used.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::TestApp;

async fn explain(app: &TestApp, license: &Value, query: &str) -> Value {
    let path = format!(
        "/licenses/{}/entitlements{query}",
        license["id"].as_str().unwrap()
    );
    app.client.get(&path).await.expect(200)
}

/// The entitlement with a name.
fn of<'a>(explained: &'a Value, feature: &str) -> &'a Value {
    let all = explained["entitlements"].as_array().unwrap();
    all.iter()
        .find(|entitlement| entitlement["feature"] == feature)
        .unwrap_or_else(|| panic!("{feature} is not in {explained}"))
}

#[tokio::test]
async fn each_entitlement_says_where_it_comes_from_and_what_was_used() {
    let app = TestApp::start().await;
    let features = json!({
        "calls": {"limit": 100, "period": "day"}, "export": true, "seats": {"limit": 3}, "sso": false,
    });
    let product = json!({"code": "PRD", "name": "P", "features": features});
    app.client.post("/products", &product).await.expect(201);
    let customer = app.customer("jane@example.com").await;
    let overrides = json!({"calls": {"limit": 7.5, "overage": "allow"}, "own": {"limit": 2}, "sso": true, "odd": {"used": 4}});
    let body = json!({"product_code": "PRD", "customer_id": customer["id"], "entitlements": overrides});
    let license = app.client.post("/licenses", &body).await.expect(201);
    app.client.use_of(&license["key"], "calls", 1.25).await;
    app.client.use_of(&license["key"], "own", 2).await;
    app.client.use_of(&license["key"], "export", 11).await;

    let explained = explain(&app, &license, "").await;
    assert_eq!(explained["base"], "product");
    let names: Vec<&Value> = explained["entitlements"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entitlement| &entitlement["feature"])
        .collect();
    assert_eq!(
        json!(names),
        json!(["calls", "export", "odd", "own", "seats", "sso"])
    );
    assert_eq!(
        *of(&explained, "calls"),
        json!({
            "feature": "calls", "base_value": {"limit": 100, "period": "day"},
            "override_value": {"limit": 7.5, "overage": "allow"}, "enabled": true, "limit": 7.5, "used": 1.25,
            "remaining": 6.25, "period": "day", "period_ends_at": "2026-03-02T00:00:00.000000Z", "overage_allowed": true,
        })
    );
    assert_eq!(
        *of(&explained, "own"),
        json!({
            "feature": "own", "base_value": null, "override_value": {"limit": 2}, "enabled": true, "limit": 2, "used": 2,
            "remaining": 0, "period": null, "period_ends_at": null, "overage_allowed": false,
        })
    );
    assert_eq!(
        *of(&explained, "export"),
        json!({
            "feature": "export", "base_value": true, "override_value": null, "enabled": true, "limit": null, "used": 11,
            "remaining": null, "period": null, "period_ends_at": null, "overage_allowed": false,
        })
    );
    let sso = of(&explained, "sso");
    assert_eq!(
        (&sso["base_value"], &sso["override_value"], &sso["enabled"]),
        (&json!(false), &json!(true), &json!(true))
    );
    assert_eq!(
        of(&explained, "odd")["used"],
        0,
        "whatever the record says: nothing was counted"
    );

    // Applications are told the same.
    let told = app.client.validate(&license["key"]).await;
    for entitlement in told["entitlements"].as_array().unwrap() {
        let explained = of(&explained, entitlement["feature"].as_str().unwrap());
        for field in ["enabled", "limit", "used", "remaining"] {
            assert_eq!(entitlement[field], explained[field], "{field} of {entitlement}");
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn a_license_with_features_of_its_own_starts_from_those() {
    let app = TestApp::start().await;
    app.product("PRD").await;
    let customer = app.customer("jane@example.com").await;
    let body = json!({"product_code": "PRD", "customer_id": customer["id"], "features": {"own": {"limit": 5, "period": "week"}}});
    let license = app.client.post("/licenses", &body).await.expect(201);
    let explained = explain(&app, &license, "").await;
    assert_eq!(explained["base"], "license");
    assert_eq!(explained["entitlements"].as_array().unwrap().len(), 1);
    assert_eq!(
        of(&explained, "own")["period_ends_at"],
        "2026-03-02T00:00:00.000000Z",
        "weeks begin on Mondays"
    );
    app.finish().await;
}

#[tokio::test]
async fn entitlements_are_explained_as_they_were() {
    let app = TestApp::start().await;
    let features = json!({"calls": {"limit": 100, "period": "day"}, "all": {"limit": 100}});
    let product = json!({"code": "PRD", "name": "P", "features": features});
    app.client.post("/products", &product).await.expect(201);
    let customer = app.customer("jane@example.com").await;
    let license = app.license_of("PRD", &customer).await;
    let path = format!("/licenses/{}", license["id"].as_str().unwrap());
    let mut moments = vec![];
    for step in 0..4 {
        for metric in ["calls", "all"] {
            app.client.use_of(&license["key"], metric, step + 1).await;
        }
        if step == 2 {
            let change =
                json!({"entitlements": {"calls": {"limit": 9}}, "features": {"calls": {"limit": 5}}});
            app.client.patch(&path, &change).await.expect(200);
        }
        moments.push((app.clock.now().to_string(), explain(&app, &license, "").await));
        app.advance(Duration::from_hours(7));
    }
    assert_eq!(of(&moments[1].1, "calls")["used"], 3, "on the same day");
    let third = of(&moments[2].1, "calls");
    assert_eq!(
        (&third["used"], &third["limit"], &third["period"]),
        (&json!(6), &json!(9), &json!(null))
    );
    app.client.delete(&path).await;
    for (at, then) in &moments {
        assert_eq!(explain(&app, &license, &format!("?at={at}")).await, *then, "{at}");
    }
    let answer = app
        .client
        .get(&format!("{path}/entitlements?at={}", moments[0].0))
        .await;
    assert!(!answer.header("x-vinzy-as-of-position").is_empty());
    app.client
        .get(&format!("{path}/entitlements"))
        .await
        .expect_problem(404, "LICENSE_NOT_FOUND");
    for at in ["soon", "999999", "2999-01-01T00:00:00Z"] {
        let problem = app.client.get(&format!("{path}/entitlements?at={at}")).await;
        let problem = problem.expect_problem(422, "VALIDATION_ERROR");
        assert_eq!(problem["errors"][0]["field"], "at", "{at}");
    }
    app.finish().await;
}
