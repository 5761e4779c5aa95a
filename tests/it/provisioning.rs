//! Purchases at Stripe and Polar become licenses: genuine, once, and whatever the order.

use std::time::Duration;

use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use vinzy_engine::config::{ProvisioningConfig, ServerConfig};

use crate::support::client::{Answer, Client, send};
use crate::support::{TestApp, server_config, start_time};

pub(crate) const STRIPE_SECRET: &str = "whsec_stripe_0123456789abcdef";
const OLD_STRIPE_SECRET: &str = "whsec_stripe_fedcba9876543210";
const POLAR_SECRET: &str = "polar_whs_Zm9yX3Rlc3RzX29ubHlfMDEyMzQ1Ng";
/// A month after the first moment of every test.
const NEXT_MONTH: i64 = 1_775_044_800;

pub(crate) fn provisioning() -> ProvisioningConfig {
    ProvisioningConfig {
        stripe_webhook_secret: Some(format!("{STRIPE_SECRET},{OLD_STRIPE_SECRET}").into()),
        polar_webhook_secret: Some(POLAR_SECRET.to_owned().into()),
        ..ProvisioningConfig::default()
    }
}

pub(crate) fn with(provisioning: ProvisioningConfig) -> ServerConfig {
    ServerConfig {
        provisioning,
        ..server_config()
    }
}

async fn start() -> TestApp {
    TestApp::start_with(with(provisioning())).await
}

fn mac(secret: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

/// What Stripe would write over a body.
pub(crate) fn stripe_signature(secret: &str, seconds: i64, body: &str) -> String {
    let time = seconds.to_string();
    let mac = mac(secret, &[time.as_bytes(), b".", body.as_bytes()]);
    format!("t={time},v1={}", HEXLOWER.encode(&mac))
}

pub(crate) fn stripe_event(id: &str, kind: &str, object: &Value) -> Value {
    let created = start_time().as_seconds();
    json!({"id": id, "object": "event", "type": kind, "created": created, "data": {"object": object}})
}

async fn post_stripe(client: &Client, query: &str, body: String, signature: Option<String>) -> Answer {
    let mut request = client.request(Method::POST, &format!("/webhooks/stripe{query}"));
    if let Some(signature) = signature {
        request = request.header("Stripe-Signature", signature);
    }
    send(request.header("content-type", "application/json").body(body)).await
}

/// An event of Stripe's, signed now.
async fn stripe(app: &TestApp, id: &str, kind: &str, object: &Value) -> Answer {
    let body = stripe_event(id, kind, object).to_string();
    let signature = stripe_signature(STRIPE_SECRET, app.clock.now().as_seconds(), &body);
    post_stripe(&app.client, "", body, Some(signature)).await
}

/// One that was made at a time of its own.
async fn stripe_at(app: &TestApp, id: &str, kind: &str, object: &Value, created: i64) -> Answer {
    let mut event = stripe_event(id, kind, object);
    event["created"] = created.into();
    let body = event.to_string();
    let signature = stripe_signature(STRIPE_SECRET, app.clock.now().as_seconds(), &body);
    post_stripe(&app.client, "", body, Some(signature)).await
}

async fn polar(app: &TestApp, id: &str, kind: &str, data: &Value) -> Answer {
    let now = app.clock.now();
    let body = json!({"type": kind, "timestamp": now.to_string(), "data": data}).to_string();
    let time = now.as_seconds().to_string();
    let parts = [id.as_bytes(), b".", time.as_bytes(), b".", body.as_bytes()];
    let request = app
        .client
        .request(Method::POST, "/webhooks/polar")
        .header("webhook-id", id)
        .header("webhook-timestamp", &time)
        .header(
            "webhook-signature",
            format!("v1,{}", BASE64.encode(&mac(POLAR_SECRET, &parts))),
        );
    send(request.header("content-type", "application/json").body(body)).await
}

/// A product with two tiers.
pub(crate) async fn sold(client: &Client) -> Value {
    let body = json!({
        "code": "PRD", "name": "My Product", "default_tier": "standard",
        "features": {"export": false},
        "tiers": {
            "standard": {},
            "pro": {
                "features": {"export": true, "calls": {"limit": 100}}, "entitlements": {"calls": {"limit": 500}},
                "machines_limit": 7, "days_valid": 400,
            },
            "forever": {"machines_limit": null, "days_valid": null},
        },
    });
    client.post("/products", &body).await.expect(201)
}

pub(crate) fn session(id: &str, email: &str, tier: &str) -> Value {
    json!({
        "id": id, "object": "checkout.session", "mode": "payment", "payment_status": "paid",
        "payment_intent": id.replace("cs_", "pi_"), "subscription": null,
        "customer_details": {"email": email, "name": "Jane Doe"},
        "metadata": {"vinzy_product": "PRD", "vinzy_tier": tier},
    })
}

fn subscribed(id: &str, email: &str) -> Value {
    let mut session = session(id, email, "pro");
    session["mode"] = "subscription".into();
    session["payment_intent"] = Value::Null;
    session["subscription"] = id.replace("cs_", "sub_").into();
    session
}

fn invoice(id: &str, subscription: &str, until: i64) -> Value {
    json!({
        "id": id, "object": "invoice", "billing_reason": "subscription_cycle",
        "parent": {"type": "subscription_details", "subscription_details": {"subscription": subscription}},
        "lines": {"data": [{"period": {"start": 1, "end": until}}]},
    })
}

async fn license(app: &TestApp, told: &Value) -> Value {
    let id = told["license_id"]
        .as_str()
        .unwrap_or_else(|| panic!("no license in {told}"));
    app.client.get(&format!("/licenses/{id}")).await.expect(200)
}

async fn count(app: &TestApp, path: &str) -> u64 {
    let answer = app.client.get(path).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.header("x-total-count").parse().unwrap()
}

#[tokio::test]
async fn a_paid_checkout_becomes_a_license_of_its_tier() {
    let app = start().await;
    sold(&app.client).await;
    let told = stripe(
        &app,
        "evt_1",
        "checkout.session.completed",
        &session("cs_1", "jane@example.com", "pro"),
    )
    .await;
    assert!(!told.header("x-vinzy-ledger-position").is_empty());
    let told = told.expect(200);
    assert_eq!(told["outcome"], "issued");
    let license = license(&app, &told).await;
    assert_eq!(license["tier"], "pro");
    assert_eq!(license["machines_limit"], 7);
    assert_eq!(
        license["features"],
        json!({"export": true, "calls": {"limit": 100}})
    );
    assert_eq!(license["entitlements"], json!({"calls": {"limit": 500}}));
    assert_eq!(
        license["expires_at"],
        start_time().plus_days(400).unwrap().to_string()
    );
    let customer = format!("/customers/{}", license["customer_id"].as_str().unwrap());
    let customer = app.client.get(&customer).await.expect(200);
    assert_eq!(
        (&customer["name"], &customer["email"]),
        (&json!("Jane Doe"), &json!("jane@example.com"))
    );

    let purchases = app.client.get("/purchases").await.expect(200);
    assert_eq!(
        purchases,
        json!([{
            "id": purchases[0]["id"], "provider": "stripe", "reference": "pi_1", "checkout": "cs_1",
            "license_id": license["id"], "customer_id": license["customer_id"], "product_code": "PRD", "tier": "pro",
            "status": "active", "recurring": false, "paid_until": null, "created_at": license["created_at"],
        }])
    );
    // Who did it stands in the ledger, and nothing of the buyer.
    let audit = format!("/audit/{}", license["id"].as_str().unwrap());
    let audit = app.client.get(&audit).await.expect(200);
    assert_eq!(audit[0]["actor"], "stripe", "{audit}");
    let events = app
        .client
        .get("/events?types=purchase.*")
        .await
        .expect(200)
        .to_string();
    assert!(
        events.contains("purchase.completed") && !events.contains("jane"),
        "{events}"
    );
    app.finish().await;
}

#[tokio::test]
async fn what_is_not_signed_with_a_secret_of_today_does_nothing() {
    let app = start().await;
    sold(&app.client).await;
    let body = stripe_event(
        "evt_1",
        "checkout.session.completed",
        &session("cs_1", "jane@example.com", "pro"),
    )
    .to_string();
    let now = start_time().as_seconds();
    let post = |signature: Option<String>| post_stripe(&app.client, "", body.clone(), signature);
    post(None).await.expect_problem(400, "SIGNATURE_MISSING");
    post(Some("t=1".into()))
        .await
        .expect_problem(400, "SIGNATURE_MISSING");
    let unsigned = stripe_signature(STRIPE_SECRET, now, &body).replace("v1=", "v0=");
    post(Some(unsigned))
        .await
        .expect_problem(400, "SIGNATURE_MISSING");
    let foreign = stripe_signature("whsec_another_0123456789abcdef", now, &body);
    post(Some(foreign)).await.expect_problem(400, "SIGNATURE_INVALID");
    let other = stripe_signature(STRIPE_SECRET, now, &body.replace("jane", "joan"));
    post(Some(other)).await.expect_problem(400, "SIGNATURE_INVALID");
    for away in [-301, 301] {
        let stale = stripe_signature(STRIPE_SECRET, now + away, &body);
        post(Some(stale)).await.expect_problem(400, "SIGNATURE_EXPIRED");
    }
    let request = app
        .client
        .request(Method::POST, "/webhooks/polar")
        .body(body.clone());
    send(request).await.expect_problem(400, "SIGNATURE_MISSING");
    for path in ["/licenses", "/customers", "/purchases", "/mails"] {
        assert_eq!(count(&app, path).await, 0, "{path}");
    }
    // The secret of before holds, too, as long as it is listed.
    let old = stripe_signature(OLD_STRIPE_SECRET, now - 300, &body);
    assert_eq!(post(Some(old)).await.expect(200)["outcome"], "issued");
    app.finish().await;
}

#[tokio::test]
async fn what_cannot_be_issued_is_told_and_leaves_nothing() {
    let app = start().await;
    let buy = |id: &'static str, session: Value| {
        let app = &app;
        async move { stripe(app, id, "checkout.session.completed", &session).await }
    };
    let good = || session("cs_1", "jane@example.com", "pro");
    buy("evt_1", good())
        .await
        .expect_problem(404, "PRODUCT_NOT_FOUND");
    sold(&app.client).await;
    let unknown = session("cs_1", "jane@example.com", "gold");
    buy("evt_2", unknown).await.expect_problem(404, "TIER_NOT_FOUND");
    let mut nobody = good();
    nobody["customer_details"] = Value::Null;
    let problem = buy("evt_3", nobody).await.expect_problem(422, "VALIDATION_ERROR");
    assert_eq!(problem["errors"][0]["field"], "customer_details.email");
    for (body, code) in [
        ("[]", "MALFORMED_EVENT"),
        ("", "MALFORMED_EVENT"),
        ("{\"id\":1}", "MALFORMED_EVENT"),
    ] {
        let signature = stripe_signature(STRIPE_SECRET, start_time().as_seconds(), body);
        let answer = post_stripe(&app.client, "", body.to_owned(), Some(signature)).await;
        answer.expect_problem(400, code);
    }
    for path in ["/licenses", "/customers", "/purchases", "/mails"] {
        assert_eq!(count(&app, path).await, 0, "{path}");
    }
    // Once the vendor has mended it, the provider's next try goes well.
    assert_eq!(buy("evt_1", good()).await.expect(200)["outcome"], "issued");
    // What is none of ours is taken note of by nobody.
    let mut foreign = good();
    foreign["metadata"] = json!({"sku": "7"});
    for (kind, object) in [
        ("checkout.session.completed", foreign),
        ("customer.created", json!({"id": "cus_1"})),
    ] {
        let told = stripe(&app, "evt_9", kind, &object).await.expect(200);
        assert_eq!(told, json!({"outcome": "ignored", "license_id": null}));
    }
    assert_eq!(count(&app, "/licenses").await, 1);
    app.finish().await;
}

#[tokio::test]
async fn odd_messages_are_refused_although_they_are_signed() {
    let app = start().await;
    sold(&app.client).await;
    let good = stripe_event(
        "evt_1",
        "checkout.session.completed",
        &session("cs_1", "jane@example.com", "pro"),
    )
    .to_string();
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1).into_bytes()
    };
    let deep = format!("{}1{}", "{\"a\":".repeat(5_000), "}".repeat(5_000));
    for (name, body, status) in [
        ("not UTF-8", b"{\"id\":\"\xff\xfe\"}".to_vec(), 400),
        ("trailing", format!("{good} {{}}").into_bytes(), 400),
        ("deep", deep.into_bytes(), 400),
        ("lone surrogate", with("Jane Doe", "\\ud800"), 400),
        ("number beyond range", with("1772366400", "1e999"), 400),
        (
            "time that there is not",
            with("1772366400", "99999999999999999"),
            400,
        ),
        (
            "array for an object",
            with("\"metadata\":{", "\"metadata\":[], \"more\":{"),
            200,
        ),
        (
            "NUL in an address",
            with("jane@example.com", "jane\\u0000@example.com"),
            422,
        ),
        (
            "two addresses",
            with("jane@example.com", "jane@example.com,joan@example.com"),
            422,
        ),
        ("NUL in a tier", with("\"pro\"", "\"pro\\u0000\""), 422),
        ("tier that is a number", with("\"pro\"", "7"), 422),
        ("reference with a line", with("pi_1", "pi_1\\n"), 422),
        ("long reference", with("cs_1", &"c".repeat(256)), 422),
        ("too large", vec![b' '; 300_000], 413),
    ] {
        let signature = {
            let time = start_time().as_seconds().to_string();
            let mac = mac(STRIPE_SECRET, &[time.as_bytes(), b".", &body]);
            format!("t={time},v1={}", HEXLOWER.encode(&mac))
        };
        let request = app.client.request(Method::POST, "/webhooks/stripe");
        let answer = send(request.header("Stripe-Signature", signature).body(body)).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.body);
        if status == 200 {
            assert_eq!(answer.body["outcome"], "ignored", "{name}");
        } else {
            answer.into_problem();
        }
    }
    // A name is whatever the buyer has typed, without what nobody could see.
    let odd = String::from_utf8(with("Jane Doe", "\\u0000J\\u202e\\r\\nBcc: x")).unwrap();
    let signature = stripe_signature(STRIPE_SECRET, start_time().as_seconds(), &odd);
    let told = post_stripe(&app.client, "", odd, Some(signature))
        .await
        .expect(200);
    assert_eq!(told["outcome"], "issued");
    assert_eq!(
        app.client.get("/customers").await.expect(200)[0]["name"],
        "JBcc: x"
    );
    assert_eq!(count(&app, "/licenses").await, 1);
    app.finish().await;
}

#[tokio::test]
async fn a_product_without_tiers_takes_any_and_a_license_that_is_told_more_goes_before_its_tier() {
    let app = start().await;
    let plain = app.product("ABC").await;
    assert_eq!(plain["tiers"], json!({}));
    let mut session = session("cs_1", "jane@example.com", "any");
    session["metadata"]["vinzy_product"] = "ABC".into();
    let told = stripe(&app, "evt_1", "checkout.session.completed", &session)
        .await
        .expect(200);
    let issued = license(&app, &told).await;
    assert_eq!(
        (&issued["tier"], &issued["machines_limit"]),
        (&json!("any"), &json!(3))
    );
    assert_eq!(
        issued["expires_at"],
        start_time().plus_days(365).unwrap().to_string()
    );

    let product = sold(&app.client).await;
    assert_eq!(
        product["tiers"]["forever"],
        json!({"machines_limit": null, "days_valid": null})
    );
    let issue = async |more: Value| {
        let mut body = json!({"product_code": "PRD", "customer_id": issued["customer_id"]});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        app.client.post("/licenses", &body).await.expect(201)
    };
    let forever = issue(json!({"tier": "forever"})).await;
    assert_eq!(
        (&forever["machines_limit"], &forever["expires_at"]),
        (&Value::Null, &Value::Null)
    );
    let pro = issue(json!({"tier": "pro", "machines_limit": 1, "features": {}, "days_valid": 5})).await;
    assert_eq!(
        (&pro["machines_limit"], &pro["features"]),
        (&json!(1), &json!({}))
    );
    assert_eq!(pro["entitlements"], json!({"calls": {"limit": 500}}));
    assert_eq!(pro["expires_at"], start_time().plus_days(5).unwrap().to_string());
    // By hand any tier may be given, also one without a template.
    let other = issue(json!({"tier": "gold"})).await;
    assert_eq!(
        (&other["tier"], &other["machines_limit"]),
        (&json!("gold"), &json!(3))
    );

    let path = format!("/products/{}", product["id"].as_str().unwrap());
    let changed = app
        .client
        .patch(&path, &json!({"tiers": {"team": {"days_valid": 30}}}))
        .await
        .expect(200);
    assert_eq!(changed["tiers"], json!({"team": {"days_valid": 30}}));
    assert_eq!(app.client.get(&path).await.expect(200)["tiers"], changed["tiers"]);
    let listed = app.client.get("/products?code=PRD").await.expect(200);
    assert_eq!(listed[0]["tiers"], changed["tiers"]);
    for (tiers, field) in [
        (json!([]), "tiers"),
        (json!({"x": 1}), "tiers.x"),
        (json!({"": {}}), "tiers."),
        (json!({"x": {"machines_limit": 0}}), "tiers.x.machines_limit"),
        (json!({"x": {"days_valid": 36_501}}), "tiers.x.days_valid"),
        (json!({"x": {"features": {"a": 7}}}), "tiers.x.features.a"),
        (json!({"x": {"entitlements": "none"}}), "tiers.x.entitlements"),
    ] {
        let answer = app.client.patch(&path, &json!({ "tiers": tiers })).await;
        let problem = answer.expect_problem(422, "VALIDATION_ERROR");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    app.finish().await;
}

#[tokio::test]
async fn replays_and_crowds_get_one_license() {
    let app = start().await;
    sold(&app.client).await;
    let bought = session("cs_1", "jane@example.com", "pro");
    // The same event, and the same checkout under other ids, at once.
    let mut asking = vec![];
    for number in 0..20 {
        let id = format!("evt_{}", number / 2);
        let kind = if number % 3 == 0 {
            "checkout.session.async_payment_succeeded"
        } else {
            "checkout.session.completed"
        };
        let body = stripe_event(&id, kind, &bought).to_string();
        let signature = stripe_signature(STRIPE_SECRET, start_time().as_seconds(), &body);
        let client = app.client.clone();
        asking.push(tokio::spawn(async move {
            post_stripe(&client, "", body, Some(signature)).await.expect(200)
        }));
    }
    let mut told = vec![];
    for answer in asking {
        told.push(answer.await.unwrap());
    }
    let ids: std::collections::BTreeSet<&str> = told
        .iter()
        .map(|told| told["license_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 1, "{told:?}");
    let issued = told.iter().filter(|told| told["outcome"] == "issued").count();
    let known = told.iter().filter(|told| told["outcome"] == "known").count();
    assert_eq!((issued, known), (1, 19));
    for path in ["/licenses", "/customers", "/purchases", "/mails"] {
        assert_eq!(count(&app, path).await, 1, "{path}");
    }
    // Much later, when the keys of a provider's memory have long run out.
    app.advance(Duration::from_hours(24 * 40));
    let again = stripe(&app, "evt_99", "checkout.session.completed", &bought)
        .await
        .expect(200);
    assert_eq!(
        again,
        json!({"outcome": "known", "license_id": told[0]["license_id"]})
    );
    app.finish().await;
}

#[tokio::test]
async fn whoever_buys_again_stays_the_same_customer() {
    let app = start().await;
    sold(&app.client).await;
    let first = session("cs_1", "Jane@Example.com", "pro");
    let first = stripe(&app, "evt_1", "checkout.session.completed", &first)
        .await
        .expect(200);
    let mut second = session("cs_2", "jane@example.COM", "standard");
    second["customer_details"]["name"] = "Somebody else".into();
    let second = stripe(&app, "evt_2", "checkout.session.completed", &second)
        .await
        .expect(200);
    let (first, second) = (license(&app, &first).await, license(&app, &second).await);
    assert_ne!(first["id"], second["id"]);
    assert_eq!(first["customer_id"], second["customer_id"]);
    let customers = app.client.get("/customers").await.expect(200);
    assert_eq!(customers.as_array().unwrap().len(), 1);
    assert_eq!(customers[0]["name"], "Jane Doe", "their data stay as they are");
    // Twenty at once, of somebody new: one customer, twenty licenses.
    let mut asking = vec![];
    for number in 0..20 {
        let bought = session(&format!("cs_crowd_{number}"), "crowd@example.com", "pro");
        let body = stripe_event(
            &format!("evt_crowd_{number}"),
            "checkout.session.completed",
            &bought,
        )
        .to_string();
        let signature = stripe_signature(STRIPE_SECRET, start_time().as_seconds(), &body);
        let client = app.client.clone();
        asking.push(tokio::spawn(async move {
            post_stripe(&client, "", body, Some(signature)).await.expect(200)
        }));
    }
    for answer in asking {
        assert_eq!(answer.await.unwrap()["outcome"], "issued");
    }
    assert_eq!(count(&app, "/customers").await, 2);
    assert_eq!(count(&app, "/licenses").await, 22);
    app.finish().await;
}

/// The next month is paid, and then it is over.
async fn a_last_month(app: &TestApp, told: &Value, now: i64) {
    let status = async || license(app, told).await["status"].clone();
    let third = invoice("in_3", "sub_1", NEXT_MONTH + 60 * 86_400);
    stripe_at(app, "evt_11", "invoice.paid", &third, now + 40)
        .await
        .expect(200);
    assert_eq!(status().await, "active");
    let deleted = json!({"id": "sub_1", "status": "canceled"});
    stripe_at(app, "evt_12", "customer.subscription.deleted", &deleted, now + 50)
        .await
        .expect(200);
    assert_eq!(status().await, "suspended");
    let audit = format!("/audit/{}", told["license_id"].as_str().unwrap());
    let audit = app.client.get(&audit).await.expect(200).to_string();
    assert!(audit.contains("stripe: the subscription has ended"), "{audit}");
    let listed = app.client.get("/purchases").await.expect(200);
    assert_eq!(listed[0]["status"], "ended");
    assert_eq!(listed[0]["paid_until"], "2026-05-31T12:00:00.000000Z");
}

#[tokio::test]
async fn a_subscription_renews_is_held_back_and_ends() {
    let app = start().await;
    sold(&app.client).await;
    let now = start_time().as_seconds();
    let checkout = subscribed("cs_1", "jane@example.com");
    let told = stripe(&app, "evt_1", "checkout.session.completed", &checkout)
        .await
        .expect(200);
    let expiry = async || license(&app, &told).await["expires_at"].clone();
    let status = async || license(&app, &told).await["status"].clone();
    // Until it is told up to when is paid, it lasts as long as its tier.
    assert_eq!(expiry().await, start_time().plus_days(400).unwrap().to_string());
    let paid = stripe_at(
        &app,
        "evt_2",
        "invoice.paid",
        &invoice("in_1", "sub_1", NEXT_MONTH),
        now,
    )
    .await;
    let paid = paid.expect(200);
    assert_eq!(
        (&paid["outcome"], &paid["license_id"]),
        (&json!("noted"), &told["license_id"])
    );
    assert_eq!(expiry().await, "2026-04-04T12:00:00.000000Z");
    let again = stripe_at(
        &app,
        "evt_3",
        "invoice.paid",
        &invoice("in_1", "sub_1", NEXT_MONTH),
        now,
    )
    .await;
    assert_eq!(again.expect(200)["outcome"], "known");
    // Cancelled at the end of the period: nothing changes before.
    let updated = |status: &str| json!({"id": "sub_1", "status": status, "cancel_at_period_end": true});
    let kind = "customer.subscription.updated";
    stripe_at(&app, "evt_4", kind, &updated("active"), now + 10)
        .await
        .expect(200);
    assert_eq!(status().await, "active");
    // Not collected; and an earlier word that comes later changes nothing.
    stripe_at(&app, "evt_5", kind, &updated("unpaid"), now + 20)
        .await
        .expect(200);
    assert_eq!(status().await, "suspended");
    let late = stripe_at(&app, "evt_6", kind, &updated("active"), now + 15).await;
    assert_eq!(late.expect(200)["outcome"], "known");
    assert_eq!(status().await, "suspended");
    let purchases = app
        .client
        .get("/purchases?status=unpaid&reference=cs_1")
        .await
        .expect(200);
    assert_eq!(purchases.as_array().unwrap().len(), 1);
    // Paid after all.
    let renewed = invoice("in_2", "sub_1", NEXT_MONTH + 30 * 86_400);
    stripe_at(&app, "evt_7", "invoice.paid", &renewed, now + 30)
        .await
        .expect(200);
    assert_eq!(
        (status().await, expiry().await),
        (json!("active"), json!("2026-05-04T12:00:00.000000Z"))
    );
    // Given back: the first month's money changes nothing, the last one's does.
    let linked = json!({"invoice": "in_2", "payment": {"type": "payment_intent", "payment_intent": "pi_2"}});
    let refund = |charge: &str, intent: &str, all: bool| json!({"id": charge, "payment_intent": intent, "refunded": all, "amount": 10, "amount_refunded": 10});
    stripe(&app, "evt_8", "charge.refunded", &refund("ch_2", "pi_2", false))
        .await
        .expect(200);
    assert_eq!(status().await, "active");
    stripe(&app, "evt_9", "charge.refunded", &refund("ch_2", "pi_2", true))
        .await
        .expect(200);
    assert_eq!(
        status().await,
        "active",
        "nobody has told yet whose payment that is"
    );
    stripe(&app, "evt_10", "invoice_payment.paid", &linked)
        .await
        .expect(200);
    assert_eq!(status().await, "suspended");
    a_last_month(&app, &told, now).await;
    app.finish().await;
}

#[tokio::test]
async fn what_comes_before_its_checkout_counts_all_the_same() {
    let app = start().await;
    sold(&app.client).await;
    let early = stripe(
        &app,
        "evt_1",
        "invoice.paid",
        &invoice("in_1", "sub_1", NEXT_MONTH),
    )
    .await
    .expect(200);
    assert_eq!(early, json!({"outcome": "noted", "license_id": null}));
    assert_eq!(count(&app, "/purchases").await, 0);
    let checkout = subscribed("cs_1", "jane@example.com");
    let told = stripe(&app, "evt_2", "checkout.session.completed", &checkout)
        .await
        .expect(200);
    let issued = license(&app, &told).await;
    assert_eq!(issued["expires_at"], "2026-04-04T12:00:00.000000Z");
    // An invoice that is known by its payment only, which is given back.
    let linked = json!({"invoice": "in_7", "payment": {"type": "payment_intent", "payment_intent": "pi_7"}});
    stripe(&app, "evt_71", "invoice_payment.paid", &linked)
        .await
        .expect(200);
    let charge = json!({"id": "ch_7", "payment_intent": "pi_7", "refunded": true});
    stripe(&app, "evt_72", "charge.refunded", &charge)
        .await
        .expect(200);
    let checkout = subscribed("cs_7", "jane@example.com");
    let seventh = stripe(&app, "evt_73", "checkout.session.completed", &checkout)
        .await
        .expect(200);
    assert_eq!(license(&app, &seventh).await["status"], "active");
    stripe(
        &app,
        "evt_74",
        "invoice.paid",
        &invoice("in_7", "sub_7", NEXT_MONTH),
    )
    .await
    .expect(200);
    assert_eq!(license(&app, &seventh).await["status"], "suspended");
    // A refund that overtakes its checkout: the license is there, and held back.
    let charge = json!({"id": "ch_5", "payment_intent": "pi_5", "refunded": true});
    stripe(&app, "evt_3", "charge.refunded", &charge)
        .await
        .expect(200);
    let bought = session("cs_5", "jane@example.com", "pro");
    let told = stripe(&app, "evt_4", "checkout.session.completed", &bought)
        .await
        .expect(200);
    assert_eq!(told["outcome"], "issued");
    assert_eq!(license(&app, &told).await["status"], "suspended");
    assert_eq!(count(&app, "/purchases?status=refunded").await, 2);
    app.finish().await;
}

#[tokio::test]
async fn what_the_vendor_decided_is_not_undone_by_a_payment() {
    let app = start().await;
    sold(&app.client).await;
    let checkout = subscribed("cs_1", "jane@example.com");
    let told = stripe(&app, "evt_1", "checkout.session.completed", &checkout)
        .await
        .expect(200);
    let path = format!("/licenses/{}", told["license_id"].as_str().unwrap());
    app.client
        .post_empty(&format!("{path}/suspend"))
        .await
        .expect(200);
    stripe(
        &app,
        "evt_2",
        "invoice.paid",
        &invoice("in_1", "sub_1", NEXT_MONTH),
    )
    .await
    .expect(200);
    assert_eq!(license(&app, &told).await["status"], "suspended");
    app.client.post_empty(&format!("{path}/revoke")).await.expect(200);
    let later = invoice("in_2", "sub_1", NEXT_MONTH + 86_400);
    stripe(&app, "evt_3", "invoice.paid", &later).await.expect(200);
    app.client.delete(&path).await.expect(204);
    let ended = json!({"id": "sub_1", "status": "canceled"});
    stripe(&app, "evt_4", "customer.subscription.deleted", &ended)
        .await
        .expect(200);
    // And the checkout once more issues no other license.
    let again = stripe(&app, "evt_1", "checkout.session.completed", &checkout)
        .await
        .expect(200);
    assert_eq!(again["outcome"], "known");
    assert_eq!(count(&app, "/licenses").await, 0);
    app.finish().await;
}

fn order(id: &str, billing_reason: &str, until: &str) -> Value {
    json!({
        "id": id, "status": "paid", "billing_reason": billing_reason, "checkout_id": "checkout-1",
        "subscription_id": "subscription-1", "subscription": {"current_period_end": until},
        "customer": {"email": "jane@example.com", "name": "Jane Doe"}, "metadata": {},
        "product": {"name": "X", "metadata": {"vinzy_product": "PRD", "vinzy_tier": "pro"}},
    })
}

#[tokio::test]
async fn polars_orders_issue_renew_and_refund() {
    let app = start().await;
    sold(&app.client).await;
    let first = order("order-1", "subscription_create", "2026-04-01T12:00:00Z");
    let told = polar(&app, "msg_1", "order.paid", &first).await.expect(200);
    assert_eq!(told["outcome"], "issued");
    let again = polar(&app, "msg_2", "order.paid", &first).await.expect(200);
    assert_eq!(
        again,
        json!({"outcome": "known", "license_id": told["license_id"]})
    );
    let seen = async || {
        let license = license(&app, &told).await;
        (license["status"].clone(), license["expires_at"].clone())
    };
    assert_eq!(
        seen().await,
        (json!("active"), json!("2026-04-04T12:00:00.000000Z"))
    );
    let subscription = |status: &str, ended_at: Value| {
        json!({
            "id": "subscription-1", "status": status, "ended_at": ended_at, "cancel_at_period_end": true,
            "customer": {"email": "jane@example.com"}, "product": {"metadata": {"vinzy_product": "PRD"}},
        })
    };
    app.advance(Duration::from_mins(1));
    let cancelled = subscription("active", Value::Null);
    polar(&app, "msg_3", "subscription.canceled", &cancelled)
        .await
        .expect(200);
    assert_eq!(seen().await.0, "active");
    app.advance(Duration::from_mins(1));
    let renewal = order("order-2", "subscription_cycle", "2026-05-01T12:00:00Z");
    polar(&app, "msg_4", "order.paid", &renewal).await.expect(200);
    assert_eq!(
        seen().await,
        (json!("active"), json!("2026-05-04T12:00:00.000000Z"))
    );
    let mut refunded = order("order-2", "subscription_cycle", "2026-05-01T12:00:00Z");
    refunded["status"] = "partially_refunded".into();
    let partly = polar(&app, "msg_5", "order.refunded", &refunded)
        .await
        .expect(200);
    assert_eq!(partly["outcome"], "ignored");
    refunded["status"] = "refunded".into();
    polar(&app, "msg_6", "order.refunded", &refunded)
        .await
        .expect(200);
    assert_eq!(seen().await.0, "suspended");
    let third = order("order-3", "subscription_cycle", "2026-06-01T12:00:00Z");
    polar(&app, "msg_7", "order.paid", &third).await.expect(200);
    assert_eq!(
        seen().await,
        (json!("active"), json!("2026-06-04T12:00:00.000000Z"))
    );
    let revoked = subscription("canceled", "2026-06-01T12:00:00Z".into());
    polar(&app, "msg_8", "subscription.revoked", &revoked)
        .await
        .expect(200);
    assert_eq!(seen().await.0, "suspended");
    // A product of the vendor's that is not licensed here.
    let mut foreign = order("order-9", "purchase", "2026-04-01T12:00:00Z");
    foreign["product"]["metadata"] = json!({});
    let foreign = polar(&app, "msg_9", "order.paid", &foreign).await.expect(200);
    assert_eq!(foreign["outcome"], "ignored");
    app.finish().await;
}

#[tokio::test]
async fn each_tenant_has_secrets_of_its_own_and_without_there_is_nothing() {
    let by_tenant = format!(r#"{{"acme": "{STRIPE_SECRET}", "gone": "{STRIPE_SECRET}"}}"#);
    let config = ProvisioningConfig {
        stripe_webhook_secret: Some(by_tenant.into()),
        ..ProvisioningConfig::default()
    };
    let app = TestApp::start_with(with(config)).await;
    let (_, acme) = app.tenant("acme").await;
    sold(&acme).await;
    let body = stripe_event(
        "evt_1",
        "checkout.session.completed",
        &session("cs_1", "jane@example.com", "pro"),
    )
    .to_string();
    let signature = stripe_signature(STRIPE_SECRET, start_time().as_seconds(), &body);
    for query in [
        "",
        "?tenant=default",
        "?tenant=gone",
        "?tenant=nobody",
        "?tenant=system",
    ] {
        let answer = post_stripe(&app.client, query, body.clone(), Some(signature.clone())).await;
        answer.expect_problem(404, "PROVISIONING_NOT_CONFIGURED");
    }
    send(app.client.request(Method::POST, "/webhooks/polar").body("{}"))
        .await
        .expect_problem(404, "PROVISIONING_NOT_CONFIGURED");
    let told = post_stripe(&app.client, "?tenant=acme", body, Some(signature))
        .await
        .expect(200);
    assert_eq!(told["outcome"], "issued");
    assert_eq!(
        acme.get("/purchases").await.expect(200)[0]["license_id"],
        told["license_id"]
    );
    for path in ["/licenses", "/customers", "/purchases", "/mails"] {
        assert_eq!(count(&app, path).await, 0, "{path}");
    }
    app.finish().await;
}

#[tokio::test]
async fn endpoints_of_integrators_are_where_they_were() {
    let app = start().await;
    let webhook = app
        .client
        .post("/webhooks", &json!({"url": "https://hooks.example/"}))
        .await
        .expect(201);
    let path = format!("/webhooks/{}", webhook["id"].as_str().unwrap());
    app.client.get(&path).await.expect(200);
    app.client
        .patch(&path, &json!({"status": "paused"}))
        .await
        .expect(200);
    for method in [Method::GET, Method::PATCH, Method::DELETE] {
        let answer = send(app.client.authorized(method, "/webhooks/stripe").json(&json!({}))).await;
        assert!([404, 405].contains(&answer.status), "{}", answer.status);
    }
    app.client.delete(&path).await.expect(204);
    app.finish().await;
}
