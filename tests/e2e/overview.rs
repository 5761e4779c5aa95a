//! The overview: its numbers are those of what was done, and each leads to what it counts.

use std::time::Duration;

use serde_json::json;

use crate::browser::Browser;
use crate::support::TestApp;

const DAY: Duration = Duration::from_hours(24);

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_tenant_is_led_to_its_first_license() {
    let app = TestApp::start().await;
    let browser = Browser::logged_in(&app, "/").await;
    browser.is_at("Overview").await;
    browser.sees("Three steps to your first license").await;
    browser.look("overview-empty").await;
    browser.look_narrow("overview-empty").await;
    assert!(!browser.has("//span[contains(., '(done)')]").await);
    app.product("PRD").await;
    browser.open("/").await;
    browser
        .find("//li[contains(@class, 'done')][contains(., 'Add a product')]")
        .await;
    let customer = app.customer("jane@example.com").await;
    browser.open("/").await;
    browser
        .find("//li[contains(@class, 'done')][contains(., 'Register a customer')]")
        .await;
    browser.look("overview-steps").await;
    browser.follow("Issue a license").await;
    assert_eq!(browser.path().await, "/licenses/new");
    app.license_of("PRD", &customer).await;
    browser.open("/").await;
    browser.sees("1 license").await;
    assert!(!browser.has("//h2[contains(., 'Three steps')]").await);
    browser.finish().await;
    app.finish().await;
}

/// Licenses of every status, traffic on two days, an anomaly, and a webhook.
async fn traffic(app: &TestApp) {
    app.product("PRD").await;
    let customer = app.customer("jane@example.com").await;
    let mut licenses = vec![];
    for _ in 0..6 {
        licenses.push(app.license_of("PRD", &customer).await);
    }
    let path = |at: usize, what: &str| format!("/licenses/{}{what}", licenses[at]["id"].as_str().unwrap());
    let because = json!({"reason": "Test"});
    app.client.post(&path(0, "/suspend"), &because).await.expect(200);
    app.client.post(&path(1, "/revoke"), &because).await.expect(200);
    let soon = json!({"expires_at": "2026-03-15T00:00:00Z"});
    app.client.patch(&path(2, ""), &soon).await.expect(200);
    for machine in ["a", "b", "c"] {
        app.client.activate(&licenses[3]["key"], machine).await;
    }
    for value in [100, 101, 99, 100, 102, 98, 100, 101, 99, 100, 100, 9000] {
        app.client.use_of(&licenses[3]["key"], "tokens", value).await;
    }
    app.advance(DAY);
    for machine in ["d", "e"] {
        app.client.activate(&licenses[4]["key"], machine).await;
    }
    app.client
        .use_of(&licenses[4]["key"], "exports", json!(2.5))
        .await;
    app.client
        .post("/webhooks", &json!({"url": "https://example.com/hook"}))
        .await
        .expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_those_of_what_was_done() {
    let app = TestApp::start().await;
    traffic(&app).await;
    crate::support::eventually("an anomaly is found", || async {
        let anomalies = app.client.get("/anomalies").await.expect(200);
        anomalies
            .as_array()
            .is_some_and(|anomalies| !anomalies.is_empty())
    })
    .await;
    let told = app.client.get("/overview?days=7").await.expect(200);
    let browser = Browser::logged_in(&app, "/?days=7").await;
    browser.sees("6 licenses").await;
    for (status, count) in [("active", 4), ("suspended", 1), ("revoked", 1), ("expired", 0)] {
        assert_eq!(told["licenses"][status], count, "{told}");
        browser
            .find(&format!("//li[@class = '{status}']//strong[. = '{count}']"))
            .await;
    }
    let figure = |label: &str, value: &str| {
        format!(
            "//a[contains(@class, 'figure')][contains(., '{label}')]//strong[normalize-space(.) = '{value}']"
        )
    };
    browser.find(&figure("Expiring soon", "1")).await;
    let anomalies = &told["anomalies"];
    assert!(anomalies["critical"].as_u64().unwrap() >= 1, "{anomalies}");
    for severity in ["critical", "high", "medium"] {
        let label = format!("{}{} anomalies", severity[..1].to_uppercase(), &severity[1..]);
        browser
            .find(&figure(&label, &anomalies[severity].to_string()))
            .await;
    }
    browser.find(&figure("Webhooks", "Fine")).await;
    // Sums, and what those hear who do not see the plots.
    let total = |title: &str, value: &str| {
        format!("//*[h2[. = '{title}'] or h3[. = '{title}']]/p[@class = 'total'][. = '{value}']")
    };
    browser.find(&total("Activations", "5")).await;
    browser.find(&total("Licenses issued", "6")).await;
    browser.find(&total("tokens", "10,100")).await;
    browser.find(&total("exports", "2.5")).await;
    let read = "return [...document.querySelectorAll('table.for-ears')]
        .find(table => table.caption.textContent === 'Activations')
        .querySelectorAll('tbody tr').values().map(row => row.textContent).toArray()";
    let rows = browser.run(read).await;
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 7);
    assert_eq!(rows[5], "1 Mar30", "{rows:?}");
    assert_eq!(rows[6], "2 Mar20", "{rows:?}");
    browser.look("overview").await;
    browser.look_narrow("overview").await;

    // The range stands in the address.
    browser.follow("90 days").await;
    browser.sees("The last 90 days").await;
    assert_eq!(browser.path().await, "/?days=90");
    browser.follow("30 days").await;
    browser.sees("The last 30 days").await;
    assert_eq!(browser.path().await, "/");

    browser.click(&figure("Expiring soon", "1")).await;
    assert_eq!(browser.path().await, "/licenses?expiring=30");
    browser.open("/").await;
    browser.click("//li[@class = 'suspended']/a").await;
    assert_eq!(browser.path().await, "/licenses?status=suspended");
    browser.open("/").await;
    browser.click("//a[contains(., 'Critical anomalies')]").await;
    assert_eq!(browser.path().await, "/anomalies?severity=critical");
    browser.finish().await;
    app.finish().await;
}
