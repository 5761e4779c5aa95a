//! Webhooks: set up, tested, paused, rotated, deleted; deliveries looked at, sent again and replayed.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::support::TestApp;
use crate::support::receiver::{Receiver, Reply};

/// The secret that is shown; it is said to be kept, and is gone from the page then.
pub(crate) async fn keep_secret(browser: &Browser) -> Value {
    let shown = browser.find("//dialog[@open]//code[@data-secret]").await;
    let secret = shown.text().await.unwrap();
    browser.field("I have kept it").await.click().await.unwrap();
    browser.press("Done").await;
    browser.gone(&secret).await;
    let html = browser.run("return document.documentElement.outerHTML").await;
    assert!(
        !html.as_str().unwrap().contains(&secret),
        "the secret stays on the page"
    );
    secret.into()
}

#[tokio::test]
async fn a_webhook_is_set_up_tested_paused_rotated_and_deleted() {
    let app = TestApp::start().await;
    let receiver = Receiver::start().await;
    let browser = Browser::logged_in(&app, "/webhooks").await;
    browser.sees("No webhooks yet").await;
    browser.look("webhooks-empty").await;
    browser.press("New webhook").await;
    browser.fill("URL", "http://127.0.0.1:22/").await;
    browser.press("Create webhook").await;
    browser
        .find("//dialog//*[@class = 'error' and contains(., 'port 22')]")
        .await;
    browser.look("webhook-new-wrong").await;
    browser.fill("URL", &receiver.url).await;
    browser.fill("Description", "Shop").await;
    browser.field("Only these").await.click().await.unwrap();
    browser.press("Create webhook").await;
    browser.sees("Choose at least one, or all events.").await;
    browser.field("license.*").await.click().await.unwrap();
    browser.field("customer.created").await.click().await.unwrap();
    browser.look("webhook-new-events").await;
    browser.look_narrow("webhook-new-events").await;
    browser.press("Create webhook").await;
    browser.find("//dialog[@open]//code[@data-secret]").await;
    browser.look("webhook-secret").await;
    browser.look_narrow("webhook-secret").await;
    let secret = keep_secret(&browser).await;
    browser.is_at(&receiver.url).await;
    let listed = app.client.get("/webhooks").await.expect(200);
    assert_eq!(listed[0]["event_types"], json!(["customer.created", "license.*"]));

    browser.press("Send test").await;
    browser.sees("The test arrived: HTTP 200").await;
    browser.find("//table//*[normalize-space(.) = 'delivered']").await;
    let seen = receiver.wait_for(1).await;
    assert_eq!(seen[0].event_type(), "webhook.test");
    assert!(seen[0].is_signed_with(&secret));
    browser.look("webhook").await;
    browser.look_narrow("webhook").await;

    browser.press("Pause").await;
    browser.sees("Paused: nothing is sent.").await;
    browser.press("Send test").await;
    browser.sees("The test waits").await;
    browser.look("webhook-paused").await;
    assert_eq!(receiver.seen().len(), 1);
    browser.press("Resume").await;
    browser.sees("The test arrived: HTTP 200").await;
    receiver.wait_for(2).await;

    browser.press("Edit").await;
    browser.fill("Description", "The new shop").await;
    browser.field("All events").await.click().await.unwrap();
    browser.press("Save").await;
    browser.sees("The new shop").await;
    let listed = app.client.get("/webhooks").await.expect(200);
    assert_eq!(listed[0]["event_types"], json!([]));

    browser.press("Rotate secret").await;
    browser.look("webhook-rotate").await;
    browser.press("Rotate secret").await;
    let next = keep_secret(&browser).await;
    assert_ne!(next, secret);
    browser.sees("Old secret signs, too, until").await;
    browser.press("Send test").await;
    let seen = receiver.wait_for(3).await;
    assert!(seen[2].is_signed_with(&next) && seen[2].is_signed_with(&secret));

    browser.follow("Webhooks").await;
    browser.is_at("Webhooks").await;
    browser.sees("The new shop").await;
    browser.look("webhooks").await;
    browser.look_narrow("webhooks").await;
    browser.follow(&format!("{}The new shop", receiver.url)).await;
    browser.press("Delete").await;
    browser.press("Delete webhook").await;
    browser.sees("No webhooks yet").await;
    assert_eq!(app.client.get("/webhooks").await.expect(200), json!([]));
    browser.finish_after_refusals().await;
    app.finish().await;
}

#[tokio::test]
async fn failed_deliveries_are_found_looked_at_sent_again_and_replayed() {
    let app = TestApp::start().await;
    let receiver = Receiver::answering(|_| Reply::of(500)).await;
    let body = json!({"url": receiver.url, "max_retries": 0});
    let webhook = app.client.post("/webhooks", &body).await.expect(201);
    let path = format!("/webhooks/{}", webhook["id"].as_str().unwrap());
    app.license().await;
    receiver.wait_for(3).await;
    let browser = Browser::logged_in(&app, &path).await;
    browser.is_at(&receiver.url).await;
    browser.sees("3 deliveries").await;
    browser.choose("Status", "failed").await;
    browser.choose("Event", "license.created").await;
    browser.sees("1 delivery").await;
    let filtered = browser.path().await;
    assert!(
        filtered.contains("status=failed") && filtered.contains("event_type=license.created"),
        "{filtered}"
    );
    browser.look("deliveries-failed").await;
    browser.look_narrow("deliveries-failed").await;
    browser.choose("Status", "delivered").await;
    browser.sees("No delivery found").await;
    browser.choose("Status", "failed").await;

    browser.follow("license.created").await;
    browser.is_at("license.created").await;
    browser.sees("Try 1").await;
    browser.find("//ol//pre[. = 'noted']").await;
    let position = browser.find("//dd//a[starts-with(., 'Position')]").await;
    let href = position.attr("href").await.unwrap().unwrap();
    let body = receiver
        .seen()
        .into_iter()
        .map(|seen| seen.json())
        .find(|body| body["event_type"] == "license.created");
    assert!(
        href.ends_with(&format!(
            "/dashboard/ledger/{}",
            body.unwrap()["ledger"]["position"]
        )),
        "{href}"
    );
    browser.look("delivery").await;
    browser.look_narrow("delivery").await;
    receiver.answer(|_| Reply::of(200));
    browser.press("Send again").await;
    browser.find("//dd//*[normalize-space(.) = 'delivered']").await;
    browser.sees("Try 2").await;
    assert_eq!(receiver.wait_for(4).await[3].event_type(), "license.created");
    browser.look("delivery-sent-again").await;

    browser.follow("Webhook").await;
    browser.is_at(&receiver.url).await;
    browser.press("Send customer.created again").await;
    browser
        .find("//tr[contains(., 'customer.created')]//*[normalize-space(.) = 'delivered']")
        .await;
    assert_eq!(receiver.wait_for(5).await[4].event_type(), "customer.created");

    browser.press("Replay").await;
    browser.look("webhook-replay").await;
    browser.choose("Begin at", "a position in the ledger").await;
    browser.fill("First position", "0").await;
    browser.press("Replay").await;
    browser.sees("3 deliveries are on the way.").await;
    browser.press("Done").await;
    receiver.wait_for(8).await;
    browser
        .find("//tr[contains(., 'product.created')]//*[normalize-space(.) = 'delivered']")
        .await;
    browser.finish().await;
    app.finish().await;
}
