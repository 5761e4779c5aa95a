//! Usage: exact amounts, limits, periods, repetition, totals and series.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client::{Answer, send};
use crate::support::{TestApp, server_config};

fn path(license: &Value) -> String {
    format!("/licenses/{}", license["id"].as_str().unwrap())
}

/// A license with overrides.
async fn license_with(app: &TestApp, entitlements: Value) -> Value {
    app.product("PRD").await;
    let customer = app.customer("jane@example.com").await;
    let body = json!({"product_code": "PRD", "customer_id": customer["id"], "entitlements": entitlements});
    app.client.post("/licenses", &body).await.expect(201)
}

async fn totals(app: &TestApp, license: &Value) -> Vec<Value> {
    let listed = app
        .client
        .get(&format!("/usage/{}", license["id"].as_str().unwrap()))
        .await
        .expect(200);
    listed.as_array().unwrap().clone()
}

async fn total(app: &TestApp, license: &Value, metric: &str) -> Value {
    let totals = totals(app, license).await;
    let found = totals.into_iter().find(|total| total["metric"] == metric);
    found.unwrap_or_else(|| panic!("{metric} was never used"))
}

/// Limit, used and remaining of a feature as `/validate` tells them.
async fn validated(app: &TestApp, license: &Value, feature: &str) -> Value {
    let answer = app.client.validate(&license["key"]).await;
    let entitlements = answer["entitlements"].as_array().unwrap();
    let one = entitlements.iter().find(|one| one["feature"] == feature).unwrap();
    let leased = answer["lease"]["payload"]["entitlements"].as_array().unwrap();
    assert!(leased.contains(one), "the lease says the same");
    json!([one["limit"], one["used"], one["remaining"]])
}

#[tokio::test]
async fn use_is_counted_up_to_its_limit_and_not_past_it() {
    let app = TestApp::start().await;
    let license = license_with(&app, json!({"api_calls": {"limit": 10}})).await;
    let key = &license["key"];
    let body = json!({"key": key, "metric": "api_calls", "value": 4, "metadata": {"r": 1}});
    assert_eq!(
        app.client.ask("/usage/record", &body).await.expect(200),
        json!({
            "success": true, "metric": "api_calls", "value_added": 4, "total_value": 4, "limit": 10, "remaining": 6,
            "period": null, "code": "RECORDED", "message": "Usage recorded",
        })
    );
    assert_eq!(validated(&app, &license, "api_calls").await, json!([10, 4, 6]));
    assert_eq!(
        app.client.use_of(key, "api_calls", 6.5).await,
        json!({
            "success": false, "metric": "api_calls", "value_added": 0, "total_value": 4, "limit": 10, "remaining": 6,
            "period": null, "code": "LIMIT_EXCEEDED", "message": "It would pass the limit of 10",
        })
    );
    assert_eq!(app.client.use_of(key, "api_calls", 6).await["remaining"], 0);
    let smallest = app
        .client
        .use_of(key, "api_calls", "0.0000000000000000000000000000000000000001")
        .await;
    assert_eq!(smallest["code"], "LIMIT_EXCEEDED");
    assert_eq!(validated(&app, &license, "api_calls").await, json!([10, 10, 0]));
    let free = app.client.use_of(key, "other", 1).await;
    assert_eq!(
        (&free["limit"], &free["remaining"], &free["total_value"]),
        (&Value::Null, &Value::Null, &json!(1))
    );
    let listed = totals(&app, &license).await;
    assert_eq!(
        listed[0],
        json!({
            "metric": "api_calls", "total_value": 10, "record_count": 2, "limit": 10, "remaining": 0, "used": 10,
            "period": null, "period_ends_at": null, "first_recorded_at": "2026-03-01T12:00:00.000000Z",
            "last_recorded_at": "2026-03-01T12:00:00.000000Z",
        })
    );
    assert_eq!(
        (listed.len(), &listed[1]["metric"], &listed[1]["limit"]),
        (2, &json!("other"), &Value::Null)
    );
    let trail = app
        .client
        .get(&format!(
            "/audit/{}?event_type=usage.recorded",
            license["id"].as_str().unwrap()
        ))
        .await
        .expect(200);
    assert_eq!(trail.as_array().unwrap().len(), 3, "refusals leave no trace");
    assert_eq!(trail[2]["detail"]["metadata"], json!({"r": 1}));
    app.finish().await;
}

#[tokio::test]
async fn overage_is_counted_and_nothing_is_left() {
    let app = TestApp::start().await;
    let license = license_with(&app, json!({"calls": {"limit": 10, "overage": "allow"}})).await;
    for (value, total, remaining) in [(9, 9, 1), (5, 14, 0), (1, 15, 0)] {
        let answer = app.client.use_of(&license["key"], "calls", value).await;
        assert_eq!(
            (&answer["total_value"], &answer["remaining"]),
            (&json!(total), &json!(remaining))
        );
    }
    assert_eq!(validated(&app, &license, "calls").await, json!([10, 15, 0]));
    assert_eq!(total(&app, &license, "calls").await["remaining"], 0);
    let denied = json!({"entitlements": {"calls": {"limit": 10, "overage": null}}});
    app.client.patch(&path(&license), &denied).await.expect(200);
    assert_eq!(
        app.client.use_of(&license["key"], "calls", 1).await["code"],
        "LIMIT_EXCEEDED"
    );
    app.finish().await;
}

#[tokio::test]
async fn amounts_are_exact_decimals() {
    let app = TestApp::start().await;
    let license = license_with(&app, json!({"tenths": {"limit": 100}})).await;
    let key = &license["key"];
    let tenths = vec![json!({"metric": "tenths", "value": 0.1}); 1000];
    let batch = app
        .client
        .ask("/usage/batch", &json!({"key": key, "records": tenths}))
        .await
        .expect(200);
    assert_eq!((&batch["recorded"], &batch["refused"]), (&json!(1000), &json!(0)));
    assert_eq!(batch["results"][2]["total_value"].to_string(), "0.3");
    assert_eq!(
        total(&app, &license, "tenths").await["total_value"].to_string(),
        "100"
    );
    assert_eq!(
        app.client.use_of(key, "tenths", 0.1).await["code"],
        "LIMIT_EXCEEDED"
    );

    // Digits that no double holds go in and out as text of the answer.
    let raw = async |metric: &str, value: &str| {
        let body = format!("{{\"key\":{key},\"metric\":\"{metric}\",\"value\":{value}}}");
        let request = app
            .client
            .request(Method::POST, "/usage/record")
            .header("Content-Type", "application/json");
        let text = request.body(body).send().await.unwrap().text().await.unwrap();
        let total = text.split("\"total_value\":").nth(1).unwrap_or(&text);
        total.split(',').next().unwrap().to_owned()
    };
    assert_eq!(raw("huge", "1e308").await, "1e308");
    let sum = raw("huge", "1e-20").await;
    assert_eq!(sum.len(), "1.".len() + 308 + 20 + "e308".len(), "{sum}");
    assert!(sum.starts_with("1.000") && sum.ends_with("001e308"), "{sum}");
    assert_eq!(
        raw("huge", "\"0.00000000000000000001\"")
            .await
            .replace("002e308", "001e308"),
        sum
    );
    assert_eq!(raw("tiny", "1e-20").await, "1e-20");
    assert_eq!(raw("tiny", "\"1e-20\"").await, "2e-20");
    assert_eq!(
        raw("text", "\"12345678901234567890.123456789\"").await,
        "12345678901234567890.123456789"
    );
    assert_eq!(raw("text", "0.1").await, "12345678901234567890.223456789");
    assert_eq!(raw("whole", "9007199254740992").await, "9007199254740992");
    assert_eq!(
        raw("whole", "1").await,
        "9007199254740993",
        "past the exact integers of doubles"
    );

    // Numbers keep digits that doubles do not; nothing at all is 1.
    assert_eq!(raw("digits", "99999999999999.991").await, "99999999999999.991");
    assert_eq!(
        raw("digits", "0.0000000000000000000001").await,
        "99999999999999.9910000000000000000001"
    );
    assert_eq!(raw("nothing", "null").await, "1");

    app.finish().await;
}

#[tokio::test]
async fn what_is_no_amount_is_refused_with_reasons() {
    let app = TestApp::start().await;
    let license = license_with(&app, json!({})).await;
    let key = &license["key"];
    for refused in [
        "0",
        "-1",
        "-0.0",
        "1e-41",
        "1e-400",
        "\"0\"",
        "\"NaN\"",
        "\"Infinity\"",
        "\"1e309\"",
        "\"\"",
        "\"1,5\"",
        "\" 1\"",
        "\"0x10\"",
        "true",
        "[]",
        "{}",
    ] {
        let body = format!("{{\"key\":{key},\"metric\":\"refused\",\"value\":{refused}}}");
        let request = app
            .client
            .request(Method::POST, "/usage/record")
            .header("Content-Type", "application/json");
        let problem = send(request.body(body))
            .await
            .expect_problem(422, "VALIDATION_ERROR");
        assert_eq!(problem["errors"][0]["field"], "value", "{refused}: {problem}");
    }
    for malformed in ["NaN", "Infinity", "1e309", "-1e999", "01", "0x10", "1_000"] {
        let body = format!("{{\"key\":{key},\"metric\":\"refused\",\"value\":{malformed}}}");
        let request = app
            .client
            .request(Method::POST, "/usage/record")
            .header("Content-Type", "application/json");
        send(request.body(body))
            .await
            .expect_problem(400, "MALFORMED_JSON");
    }
    let full = json!({"key": key, "metric": "full", "value": f64::MAX});
    app.client.ask("/usage/record", &full).await.expect(200);
    app.client
        .ask("/usage/record", &full)
        .await
        .expect_problem(422, "VALIDATION_ERROR");
    assert_eq!(total(&app, &license, "full").await["record_count"], 1);
    app.finish().await;
}

#[tokio::test]
async fn odd_metrics_are_kept_as_they_are_or_refused() {
    let app = TestApp::start().await;
    let license = license_with(&app, json!({})).await;
    let long = "🔑".repeat(255);
    let mut metrics = vec![
        long.as_str(),
        "a/b",
        "a b",
        "'; --",
        "ÄÖÜ",
        "a&b=c#d%00?",
        "agent.",
        "agent..",
        "agent.CTO",
        "agent.CTO.a.b",
        "null",
        "..",
        "\u{202e}x",
    ];
    for metric in &metrics {
        assert_eq!(
            app.client.use_of(&license["key"], metric, 2).await["code"],
            "RECORDED",
            "{metric}"
        );
        let series = app.client.authorized(
            Method::GET,
            &format!("/usage/{}/series", license["id"].as_str().unwrap()),
        );
        let series = send(series.query(&[("metric", metric)])).await.expect(200);
        assert_eq!(
            (&series["metric"], &series["points"][47]["total_value"]),
            (&json!(metric), &json!(2))
        );
    }
    // Page by page, by a cursor that is a metric.
    let mut next = format!("/usage/{}?page_size=2", license["id"].as_str().unwrap());
    let mut seen = vec![];
    loop {
        let answer = app.client.get(&next).await;
        assert_eq!(answer.header("x-total-count"), metrics.len().to_string());
        let further = answer.next_page();
        seen.extend(
            answer
                .expect(200)
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["metric"].as_str().unwrap().to_owned()),
        );
        let Some(further) = further else { break };
        next = further;
    }
    metrics.sort_unstable();
    assert_eq!(seen, metrics);
    for (metric, field) in [
        (json!(""), "metric"),
        (json!("x".repeat(256)), "metric"),
        (json!("a\nb"), "metric"),
        (json!("a\u{0}"), "body"),
        (json!(5), "metric"),
        (Value::Null, "metric"),
    ] {
        let body = json!({"key": license["key"], "metric": metric});
        let problem = app
            .client
            .ask("/usage/record", &body)
            .await
            .expect_problem(422, "VALIDATION_ERROR");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    for (body, field) in [
        (json!({"metadata": []}), "metadata"),
        (json!({"idempotency_key": ""}), "idempotency_key"),
        (json!({"idempotency_key": "k".repeat(256)}), "idempotency_key"),
        (json!({"key": "x".repeat(1001)}), "key"),
        (json!({"metadata": {"a": "\u{1}".repeat(10_900)}}), "body"),
    ] {
        let mut full = json!({"key": license["key"], "metric": "m"});
        full.as_object_mut()
            .unwrap()
            .extend(body.as_object().unwrap().clone());
        let problem = app
            .client
            .ask("/usage/record", &full)
            .await
            .expect_problem(422, "VALIDATION_ERROR");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    for key in ["bad", "PRD-AC2VM-76FJO-MQUNW-VWZJK-EKJEE-FR72J-USDCR", ""] {
        let answer = app.client.use_of(&json!(key), "m", 1).await;
        assert_eq!(
            (&answer["success"], &answer["code"], &answer["total_value"]),
            (&json!(false), &json!("NOT_FOUND"), &json!(0))
        );
    }
    app.finish().await;
}

async fn keyed(app: &TestApp, license: &Value, key: &str, value: impl Into<Value>) -> Answer {
    let body =
        json!({"key": license["key"], "metric": "calls", "value": value.into(), "idempotency_key": key});
    app.client.ask("/usage/record", &body).await
}

#[tokio::test]
async fn the_same_key_again_gives_the_first_result_for_ever() {
    let app = TestApp::start().await;
    let license = license_with(&app, json!({"calls": {"limit": 10}})).await;
    let first = keyed(&app, &license, "k1", 4).await.expect(200);
    assert_eq!(keyed(&app, &license, "k2", 5).await.expect(200)["remaining"], 1);
    assert_eq!(keyed(&app, &license, "k1", 4).await.expect(200), first);
    assert_eq!(
        keyed(&app, &license, "k1", "4.0").await.expect(200),
        first,
        "the same amount, written otherwise"
    );
    for (value, metadata, metric) in [
        (5, json!({}), "calls"),
        (4, json!({"a": 1}), "calls"),
        (4, json!({}), "other"),
    ] {
        let body = json!({"key": license["key"], "metric": metric, "value": value, "metadata": metadata, "idempotency_key": "k1"});
        app.client
            .ask("/usage/record", &body)
            .await
            .expect_problem(409, "IDEMPOTENCY_KEY_REUSED");
    }
    assert_eq!(
        keyed(&app, &license, "k3", 4).await.expect(200)["code"],
        "LIMIT_EXCEEDED"
    );
    let raised = json!({"entitlements": {"calls": {"limit": 100}}});
    app.client.patch(&path(&license), &raised).await.expect(200);
    assert_eq!(
        keyed(&app, &license, "k3", 4).await.expect(200)["code"],
        "RECORDED",
        "a refusal is not remembered"
    );
    assert_eq!(
        keyed(&app, &license, "k1", 4).await.expect(200),
        first,
        "with the limit of then"
    );

    // As header, and for a record of a batch: one key, one record.
    let body = json!({"key": license["key"], "metric": "calls", "value": 4});
    let header = app
        .client
        .request(Method::POST, "/usage/record")
        .header("Idempotency-Key", "k1");
    assert_eq!(send(header.json(&body)).await.expect(200), first);
    let records = json!([{"key": license["key"], "metric": "calls", "value": 4, "idempotency_key": "k1"}]);
    let batch = app.client.ask("/usage/batch", &records).await.expect(200);
    assert_eq!(batch["results"], json!([first]));

    // Another license's keys are its own.
    let other = app
        .license_of("PRD", &app.customer("other@example.com").await)
        .await;
    assert_eq!(keyed(&app, &other, "k1", 7).await.expect(200)["total_value"], 7);

    // After years, and on a server that was started anew.
    app.advance(Duration::from_hours(24 * 300));
    let TestApp {
        app: running,
        client,
        database,
        ..
    } = app;
    drop(client);
    running.stop().await;
    let app = TestApp::start_on(database, server_config()).await;
    app.advance(Duration::from_hours(24 * 400));
    assert_eq!(
        app.client.use_of(&license["key"], "calls", 1).await["code"],
        "EXPIRED"
    );
    let renewed = json!({"expires_at": null});
    app.client.patch(&path(&license), &renewed).await.expect(200);
    assert_eq!(keyed(&app, &license, "k1", 4).await.expect(200), first);
    assert_eq!(total(&app, &license, "calls").await["total_value"], 13);
    app.finish().await;
}

#[tokio::test]
async fn racing_repetitions_are_counted_once() {
    let app = TestApp::start().await;
    let license = license_with(&app, json!({"calls": {"limit": 3}})).await;
    let racing = (0..50).map(|number| keyed(&app, &license, ["a", "b"][number % 2], 1));
    let answers: Vec<Value> = futures::future::join_all(racing)
        .await
        .into_iter()
        .map(|answer| answer.expect(200))
        .collect();
    assert!(
        answers.iter().all(|answer| answer["code"] == "RECORDED"),
        "{answers:?}"
    );
    let of_a: Vec<&Value> = answers.iter().step_by(2).collect();
    assert!(of_a.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(total(&app, &license, "calls").await["total_value"], 2);
    app.finish().await;
}

#[tokio::test]
async fn a_limit_is_for_its_period() {
    let app = TestApp::start().await;
    // Sunday, 2026-03-01, noon.
    let limits = |period: &str| json!({"limit": 10, "period": period});
    let license = license_with(&app, json!({
        "by_day": limits("day"), "by_week": limits("week"), "by_month": limits("month"), "by_year": limits("year"), "ever": {"limit": 10},
    })).await;
    app.client
        .patch(&path(&license), &json!({"expires_at": null}))
        .await
        .expect(200);
    let all = ["by_day", "by_week", "by_month", "by_year", "ever"];
    let use_all = async |value: u32| {
        let mut granted = vec![];
        for metric in all {
            if app.client.use_of(&license["key"], metric, value).await["code"] == "RECORDED" {
                granted.push(metric);
            }
        }
        granted
    };
    assert_eq!(use_all(10).await, all);
    assert!(use_all(1).await.is_empty());
    let answer = app.client.use_of(&license["key"], "by_week", 1).await;
    assert_eq!(
        (&answer["period"], &answer["remaining"], &answer["total_value"]),
        (&json!("week"), &json!(0), &json!(10))
    );

    // One microsecond before the day ends: still nothing. With the next one: day and week are new.
    app.advance(Duration::from_hours(12) - Duration::from_micros(1));
    assert!(use_all(1).await.is_empty());
    assert_eq!(validated(&app, &license, "by_day").await, json!([10, 10, 0]));
    app.advance(Duration::from_micros(1));
    assert_eq!(
        validated(&app, &license, "by_day").await,
        json!([10, 0, 10]),
        "without anything having happened"
    );
    assert_eq!(validated(&app, &license, "by_month").await, json!([10, 10, 0]));
    assert_eq!(use_all(4).await, ["by_day", "by_week"]);
    assert_eq!(validated(&app, &license, "by_week").await, json!([10, 4, 6]));
    let listed = total(&app, &license, "by_week").await;
    assert_eq!(
        [
            &listed["total_value"],
            &listed["used"],
            &listed["remaining"],
            &listed["period_ends_at"]
        ],
        [
            &json!(14),
            &json!(4),
            &json!(6),
            &json!("2026-03-09T00:00:00.000000Z")
        ]
    );
    app.advance(Duration::from_hours(24));
    assert_eq!(use_all(10).await, ["by_day"], "the week has 6 left");
    app.advance(Duration::from_hours(24 * 30));
    assert_eq!(use_all(10).await, ["by_day", "by_week", "by_month"]);
    app.advance(Duration::from_hours(24 * 365));
    assert_eq!(use_all(10).await, ["by_day", "by_week", "by_month", "by_year"]);
    assert_eq!(total(&app, &license, "by_year").await["used"], 10);
    assert_eq!(total(&app, &license, "by_year").await["total_value"], 20);

    // The same use under another period: every period is counted, whatever the limit is for.
    let changed = json!({"entitlements": {"by_day": {"limit": 45, "period": "year"}}});
    app.client.patch(&path(&license), &changed).await.expect(200);
    assert_eq!(validated(&app, &license, "by_day").await, json!([45, 10, 35]));
    let lifted = json!({"entitlements": {"by_day": {"limit": 45, "period": null}}});
    app.client.patch(&path(&license), &lifted).await.expect(200);
    assert_eq!(validated(&app, &license, "by_day").await, json!([45, 44, 1]));
    assert_eq!(
        app.client.use_of(&license["key"], "by_day", 2).await["code"],
        "LIMIT_EXCEEDED"
    );
    assert_eq!(
        app.client.use_of(&license["key"], "by_day", 1).await["remaining"],
        0
    );
    app.finish().await;
}

#[tokio::test]
async fn a_renewal_that_changes_a_limit_counts_from_its_moment() {
    let app = TestApp::start().await;
    let license = license_with(&app, json!({"calls": {"limit": 10}})).await;
    let key = &license["key"];
    app.client.use_of(key, "calls", 10).await;
    app.advance(Duration::from_hours(24 * 365) - Duration::from_micros(1));
    assert_eq!(
        app.client.use_of(key, "calls", 1).await["code"],
        "LIMIT_EXCEEDED",
        "the last moment of the old term"
    );
    app.advance(Duration::from_micros(1));
    assert_eq!(app.client.use_of(key, "calls", 1).await["code"], "EXPIRED");
    app.client
        .post(&format!("{}/renew", path(&license)), &json!({"days_valid": 30}))
        .await
        .expect(200);
    assert_eq!(
        app.client.use_of(key, "calls", 1).await["code"],
        "LIMIT_EXCEEDED",
        "renewed, at the old limit"
    );
    let raised = json!({"entitlements": {"calls": {"limit": 15}}});
    app.client.patch(&path(&license), &raised).await.expect(200);
    assert_eq!(app.client.use_of(key, "calls", 1).await["remaining"], 4);
    let lowered = json!({"entitlements": {"calls": {"limit": 5}}});
    app.client.patch(&path(&license), &lowered).await.expect(200);
    let answer = app.client.use_of(key, "calls", 1).await;
    assert_eq!(
        (&answer["code"], &answer["total_value"], &answer["remaining"]),
        (&json!("LIMIT_EXCEEDED"), &json!(11), &json!(0))
    );
    let unlimited = json!({"entitlements": {"calls": {"limit": null}}});
    app.client.patch(&path(&license), &unlimited).await.expect(200);
    assert_eq!(app.client.use_of(key, "calls", 1).await["total_value"], 12);
    app.finish().await;
}

#[tokio::test]
async fn a_products_limit_holds_for_licenses_that_do_not_override_it() {
    let app = TestApp::start().await;
    let license = license_with(&app, json!({})).await;
    let key = &license["key"];
    assert_eq!(app.client.use_of(key, "api_calls", 1000).await["remaining"], 0);
    assert_eq!(
        app.client.use_of(key, "api_calls", 1).await["code"],
        "LIMIT_EXCEEDED"
    );
    let product = app.client.get("/products").await.expect(200)[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let features = json!({"features": {"api_calls": {"limit": 1500, "period": "month"}}});
    app.client
        .patch(&format!("/products/{product}"), &features)
        .await
        .expect(200);
    assert_eq!(app.client.use_of(key, "api_calls", 400).await["remaining"], 100);
    let own = json!({"features": {"other": {"limit": 1}}});
    app.client.patch(&path(&license), &own).await.expect(200);
    let free = app.client.use_of(key, "api_calls", 1_000_000).await;
    assert_eq!(
        free["limit"],
        Value::Null,
        "features of its own take the product's place"
    );
    app.finish().await;
}

#[tokio::test]
async fn agents_keep_their_token_limits() {
    let app = TestApp::start().await;
    let license = license_with(
        &app,
        json!({"agents": {"CTO": {"period": "day"}, "CFO": {"token_limit": 5, "overage": "allow"}}}),
    )
    .await;
    let key = &license["key"];
    let answer = app.client.use_of(key, "agent.CTO.tokens", 123.5).await;
    assert_eq!(
        (&answer["limit"], &answer["remaining"], &answer["period"]),
        (&json!(50_000), &json!(49_876.5), &json!("day"))
    );
    assert_eq!(
        app.client.use_of(key, "agent.CTO.tokens", 49_877).await["code"],
        "LIMIT_EXCEEDED"
    );
    assert_eq!(
        app.client.use_of(key, "agent.CTO.tokens", 49_876.5).await["remaining"],
        0
    );
    assert_eq!(
        app.client.use_of(key, "agent.CTO.delegations", 3).await["limit"],
        Value::Null
    );
    assert_eq!(
        app.client.use_of(key, "agent.CFO.tokens", 9).await["remaining"],
        0
    );
    assert_eq!(
        app.client.use_of(key, "agents.CTO.tokens", 1_000_000).await["limit"],
        Value::Null
    );
    app.advance(Duration::from_hours(12));
    assert_eq!(
        app.client.use_of(key, "agent.CTO.tokens", 1).await["remaining"],
        49_999
    );
    let by_agent = app
        .client
        .get(&format!("/usage/agents/{}", license["id"].as_str().unwrap()))
        .await
        .expect(200);
    assert_eq!(
        by_agent,
        json!({"CTO": {"tokens": 50_001, "delegations": 3}, "CFO": {"tokens": 9}})
    );
    app.finish().await;
}

#[tokio::test]
async fn every_record_of_a_batch_has_its_own_result() {
    let app = TestApp::start().await;
    let license = license_with(&app, json!({"calls": {"limit": 10}})).await;
    let other = app
        .license_of("PRD", &app.customer("other@example.com").await)
        .await;
    let body = json!({"key": license["key"], "records": [
        {"metric": "calls", "value": 6},
        {"metric": "calls", "value": 6},
        {"metric": "calls", "value": 4, "idempotency_key": "k"},
        {"metric": "calls", "value": 4, "idempotency_key": "k"},
        {"metric": "calls", "value": 5, "idempotency_key": "k"},
        {"metric": "other"},
        {"metric": "calls", "key": other["key"]},
        {"metric": "calls", "key": "bad"},
        {"metric": "", "value": -1},
        {"value": 1},
        "x",
        {"metric": "big", "metadata": {"a": "\u{1}".repeat(10_900)}},
    ]});
    let answer = app.client.ask("/usage/batch", &body).await.expect(200);
    let codes: Vec<&str> = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["code"].as_str().unwrap())
        .collect();
    assert_eq!(
        codes,
        [
            "RECORDED",
            "LIMIT_EXCEEDED",
            "RECORDED",
            "RECORDED",
            "IDEMPOTENCY_KEY_REUSED",
            "RECORDED",
            "RECORDED",
            "NOT_FOUND",
            "VALIDATION_ERROR",
            "VALIDATION_ERROR",
            "VALIDATION_ERROR",
            "VALIDATION_ERROR",
        ]
    );
    assert_eq!((&answer["recorded"], &answer["refused"]), (&json!(5), &json!(7)));
    assert_eq!(answer["results"][2], answer["results"][3]);
    assert_eq!(total(&app, &license, "calls").await["total_value"], 10);
    assert_eq!(total(&app, &other, "calls").await["total_value"], 1);

    let many = |count: usize| json!(vec![json!({"metric": "many", "key": license["key"]}); count]);
    for wrong in [
        json!([]),
        json!({"records": []}),
        many(1001),
        json!({"records": {}}),
        json!({}),
    ] {
        app.client
            .ask("/usage/batch", &wrong)
            .await
            .expect_problem(422, "VALIDATION_ERROR");
    }
    let send_many = || {
        let request = app
            .client
            .request(Method::POST, "/usage/batch")
            .header("Idempotency-Key", "batch");
        send(request.json(&many(1000)))
    };
    let answer = send_many().await.expect(200);
    let counted: Vec<u64> = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["total_value"].as_u64().unwrap())
        .collect();
    assert_eq!(counted, (1..=1000).collect::<Vec<u64>>(), "in their order");
    assert_eq!(
        send_many().await.expect(200),
        answer,
        "a repeated batch is the first one"
    );
    assert_eq!(total(&app, &license, "many").await["record_count"], 1000);
    app.finish().await;
}

#[tokio::test]
async fn a_series_shows_every_bucket() {
    let app = TestApp::start().await;
    let license = license_with(&app, json!({})).await;
    let series_path = format!("/usage/{}/series", license["id"].as_str().unwrap());
    for hours in [0, 1, 2, 30] {
        app.client.use_of(&license["key"], "calls", 1.5).await;
        app.client.use_of(&license["key"], "calls", 1).await;
        app.advance(Duration::from_hours(hours) + Duration::from_mins(10));
    }
    // 12:00, 12:10, 13:20, 15:30; now it is 21:40 of the next day.
    let span = "from=2026-03-01T12:30:00Z&to=2026-03-01T16:00:00Z";
    let series = app
        .client
        .get(&format!("{series_path}?metric=calls&{span}"))
        .await
        .expect(200);
    let point = |hour: u32, total: Value, count: u32| json!({"starts_at": format!("2026-03-01T{hour}:00:00.000000Z"), "total_value": total, "record_count": count});
    assert_eq!(
        series,
        json!({
            "metric": "calls", "bucket": "hour", "from": "2026-03-01T12:00:00.000000Z", "to": "2026-03-01T16:00:00.000000Z",
            "points": [point(12, json!(5), 4), point(13, json!(2.5), 2), point(14, json!(0), 0), point(15, json!(2.5), 2)],
        })
    );
    let days = app
        .client
        .get(&format!("{series_path}?metric=calls&bucket=day"))
        .await
        .expect(200);
    let points = days["points"].as_array().unwrap();
    assert_eq!(
        (
            points.len(),
            &points[points.len() - 2]["total_value"],
            &points[points.len() - 1]["total_value"]
        ),
        (90, &json!(10), &json!(0))
    );
    let never = app
        .client
        .get(&format!("{series_path}?metric=never"))
        .await
        .expect(200);
    assert_eq!(never["points"].as_array().unwrap().len(), 48);
    for (query, field) in [
        ("", "metric"),
        ("metric=x&bucket=minute", "bucket"),
        ("metric=x&from=yesterday", "from"),
        ("metric=x&to=2026-03-01", "to"),
        (
            "metric=x&from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z",
            "from",
        ),
        ("metric=x&from=2025-01-01T00:00:00Z", "from"),
        (
            "metric=x&from=0001-01-01T00:00:00Z&to=9999-12-31T23:59:59Z",
            "from",
        ),
    ] {
        let problem = app
            .client
            .get(&format!("{series_path}?{query}"))
            .await
            .expect_problem(422, "VALIDATION_ERROR");
        assert_eq!(problem["errors"][0]["field"], field, "{query}");
    }
    let edge = app
        .client
        .get(&format!(
            "{series_path}?metric=x&bucket=day&from=9999-12-01T00:00:00Z&to=9999-12-31T23:59:59Z"
        ))
        .await;
    assert_eq!(edge.status, 200, "{}", edge.body);
    app.finish().await;
}

#[tokio::test]
async fn usage_of_unknown_licenses_is_not_found() {
    let app = TestApp::start().await;
    for id in ["0197f0a2-0000-7000-8000-000000000000", "x"] {
        for path in [
            format!("/usage/{id}"),
            format!("/usage/{id}/series?metric=x"),
            format!("/usage/agents/{id}"),
        ] {
            app.client
                .get(&path)
                .await
                .expect_problem(404, "LICENSE_NOT_FOUND");
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn a_long_meter_goes_on_from_its_snapshot_as_without() {
    let app = TestApp::start().await;
    let license = license_with(&app, json!({"calls": {"limit": 1000, "period": "month"}})).await;
    let records = json!(vec![
        json!({"metric": "calls", "value": 1.25, "key": license["key"]});
        250
    ]);
    app.client.ask("/usage/batch", &records).await.expect(200);
    assert!(
        app.database
            .count("SELECT count(*) FROM snapshots WHERE aggregate_type = 'meter'")
            .await
            == 1
    );
    let TestApp {
        app: running,
        client,
        database,
        ..
    } = app;
    drop(client);
    running.stop().await;
    for delete in [false, true] {
        let copy = crate::support::database::TestDatabase::copy_of(&database).await;
        if delete {
            copy.execute("DELETE FROM snapshots").await;
        }
        let app = TestApp::start_on(copy, server_config()).await;
        let next = app.client.use_of(&license["key"], "calls", 0.5).await;
        assert_eq!(
            (&next["total_value"], &next["remaining"]),
            (&json!(313), &json!(687)),
            "snapshots deleted: {delete}"
        );
        assert_eq!(validated(&app, &license, "calls").await, json!([1000, 313, 687]));
        app.finish().await;
    }
    database.drop().await;
}
