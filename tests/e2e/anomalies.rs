//! Anomalies: found in what was recorded, explained, and resolved.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::support::{TestApp, eventually};

async fn use_all(app: &TestApp, license: &Value, metric: &str, values: &[f64]) {
    for value in values {
        app.client.use_of(&license["key"], metric, *value).await;
    }
}

async fn found(app: &TestApp) -> Vec<Value> {
    let anomalies = app.client.get("/anomalies").await.expect(200);
    anomalies.as_array().unwrap().clone()
}

#[tokio::test]
async fn an_anomaly_is_found_explained_and_resolved() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let id = license["id"].as_str().unwrap();
    let browser = Browser::logged_in(&app, "/anomalies").await;
    browser.sees("Nothing stood out").await;
    browser.look("anomalies-empty").await;
    let usual = [95.0, 105.0, 100.0, 98.0, 102.0, 100.0];
    use_all(&app, &license, "calls", &usual).await;
    use_all(&app, &license, "calls", &[9000.0, 101.0, 99.0]).await;
    use_all(&app, &license, "pages", &[9.0, 10.0, 11.0, 7.9]).await;
    eventually("two anomalies are found", || async {
        found(&app).await.len() == 2
    })
    .await;

    browser.open("/anomalies").await;
    browser
        .find("//tr[contains(., 'calls') and contains(., 'Critical') and contains(., '9,000')]")
        .await;
    browser
        .find("//tr[contains(., 'pages') and contains(., 'High') and contains(., '7.9')]")
        .await;
    browser.look("anomalies").await;
    browser.look_narrow("anomalies").await;
    browser.choose("Severity", "Critical").await;
    browser.gone("7.9").await;
    browser.press("Clear filters").await;
    browser.sees("7.9").await;
    browser.fill("Metric, by its whole name", "calls").await;
    browser.gone("7.9").await;
    assert_eq!(browser.path().await, "/anomalies?metric=calls");
    browser
        .click("//tr[contains(., '9,000')]//a[contains(@class, 'row-link')]")
        .await;

    browser.is_at("Anomaly of calls").await;
    browser
        .sees("9,000 of calls recorded at once; this license usually records")
        .await;
    browser.sees("standard deviations above.").await;
    let drawn =
        "return ['.spread .dot', '.spread .dot.out', '.spread rect.band', '.spread line.mean'].map(what =>
        document.querySelectorAll(what).length)";
    assert_eq!(browser.run(drawn).await, json!([9, 1, 1, 1]));
    browser
        .find("//dl/div[dt = 'Values before it']/dd[. = '6']")
        .await;
    browser.find("//dl/div[dt = 'Their mean']/dd[. = '100']").await;
    browser.look("anomaly").await;
    browser.look_narrow("anomaly").await;
    browser.press("Resolve").await;
    browser.look("anomaly-resolve").await;
    browser
        .fill("By whom, and how", "Support, import job ran twice")
        .await;
    browser.press("Resolve anomaly").await;
    browser.sees("Support, import job ran twice").await;
    browser.look("anomaly-resolved").await;
    assert!(!browser.has("//button[normalize-space(.) = 'Resolve']").await);
    let anomalies = found(&app).await;
    let calls = anomalies.iter().find(|one| one["metric"] == "calls").unwrap();
    assert_eq!(calls["resolved_by"], "Support, import job ran twice");

    browser.follow("Usage of this metric").await;
    browser.find("//h2[. = 'calls']").await;
    assert_eq!(
        browser.path().await,
        format!("/licenses/{id}?tab=usage&metric=calls")
    );
    browser.click("//nav[@class = 'tabs']//a[. = 'Anomalies']").await;
    browser
        .find("//tr[contains(., 'calls') and contains(., 'Resolved')]")
        .await;
    browser.look("license-anomalies").await;
    browser.look_narrow("license-anomalies").await;
    browser.follow("Filter them").await;
    browser.choose("State", "Open").await;
    browser.gone("9,000").await;
    browser.sees("7.9").await;
    assert_eq!(
        browser.path().await,
        format!("/anomalies?license={id}&state=open")
    );
    browser.finish().await;
    app.finish().await;
}

#[tokio::test]
async fn a_reader_resolves_nothing_and_steady_use_has_no_spread() {
    let app = TestApp::start().await;
    let license = app.license().await;
    use_all(&app, &license, "steady", &[10.0, 10.0, 10.0, 10.0, 1000.0]).await;
    eventually("an anomaly is found", || async { !found(&app).await.is_empty() }).await;
    let id = found(&app).await[0]["id"].as_str().unwrap().to_owned();
    let reader = app.client.api_key(&["read"]).await;
    let browser = Browser::start(&app).await;
    browser.open(&format!("/anomalies/{id}")).await;
    browser.log_in(reader["api_key"].as_str().unwrap()).await;
    browser
        .sees("1,000 of steady recorded at once; until then this license recorded 10 each time, without exception.")
        .await;
    assert!(!browser.has("//button[normalize-space(.) = 'Resolve']").await);
    browser
        .open("/anomalies/0197f0a2-0000-7000-8000-000000000000")
        .await;
    browser.sees("This does not exist").await;
    browser.look("anomaly-missing").await;
    browser.finish_after_refusals().await;
    app.finish().await;
}
