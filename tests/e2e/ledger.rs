//! The ledger in the browser: verified there, again after it grew, and not believed when somebody changed it; its events
//! explored, and a receipt checked.

use serde_json::json;

use crate::browser::Browser;
use crate::proxy::Proxy;
use crate::support::{ADMIN_KEY, TestApp};

/// Uses a license so often.
async fn grow(app: &TestApp, key: &serde_json::Value, records: usize) {
    let record = json!({"key": key, "metric": "exports", "value": 1});
    let records = json!({"records": vec![record; records]});
    app.client.ask("/usage/batch", &records).await.expect(200);
}

/// As many events as the ledger has.
async fn size(app: &TestApp) -> u64 {
    let page = app.client.get("/ledger/events?limit=1").await.expect(200);
    page["size"].as_u64().unwrap()
}

fn grouped(number: u64) -> String {
    if number < 1000 {
        number.to_string()
    } else {
        format!("{},{:03}", number / 1000, number % 1000)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_is_verified_and_what_is_new_after_it() {
    let app = TestApp::start().await;
    let license = app.license().await;
    grow(&app, &license["key"], 600).await;
    let browser = Browser::logged_in(&app, "/ledger/verify").await;
    browser.is_at("Verify the ledger").await;
    browser.sees("No event was changed").await;
    assert!(!browser.has("//button[contains(., 'what is new')]").await);
    browser.look("ledger-verify").await;
    browser.look_narrow("ledger-verify").await;
    browser.press("Verify everything").await;
    browser.sees("The ledger is proven").await;
    let first = size(&app).await;
    assert!(first > 600);
    browser
        .sees(&format!("All {} events are whole", grouped(first)))
        .await;
    browser.look("ledger-verified").await;
    browser.look_narrow("ledger-verified").await;

    grow(&app, &license["key"], 300).await;
    app.client
        .post("/products", &json!({"code": "NEW", "name": "New"}))
        .await
        .expect(201);
    // A reload: what was proven is kept, and not in the page.
    browser.open("/ledger/verify").await;
    browser.press("Verify what is new").await;
    browser.sees("The ledger is proven").await;
    let second = size(&app).await;
    browser
        .sees(&format!(
            "The first {} events are those of last time, and {} after them are whole",
            grouped(first),
            second - first
        ))
        .await;
    browser
        .sees(&format!("what this browser saw: {} events", grouped(first)))
        .await;
    browser.look("ledger-verified-new").await;
    browser.press("Verify everything").await;
    browser
        .sees(&format!("what this browser saw: {} events", grouped(second)))
        .await;
    browser
        .sees(&format!("All {} events are whole", grouped(second)))
        .await;

    browser.open("/").await;
    browser
        .sees(&format!("up to {} events, just now", grouped(second)))
        .await;
    browser.finish().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_was_edited_in_the_database_is_named_loudly() {
    let app = TestApp::start().await;
    let license = app.license().await;
    grow(&app, &license["key"], 400).await;
    let browser = Browser::logged_in(&app, "/ledger/verify").await;
    browser.press("Verify everything").await;
    browser.sees("The ledger is proven").await;
    let edit = "ALTER TABLE events DISABLE TRIGGER USER;
        UPDATE events SET leaf = convert_to(replace(convert_from(leaf, 'UTF8'), '\"value\":\"1\"', '\"value\":\"9\"'), 'UTF8') WHERE position = 300;
        ALTER TABLE events ENABLE TRIGGER USER";
    app.database.execute(edit).await;
    browser.press("Verify everything").await;
    browser.sees("Event 300 is not what it was").await;
    browser.sees("The event in tile/entries/001").await;
    browser.sees("300 events").await;
    browser.look("ledger-tampered").await;
    browser.look_narrow("ledger-tampered").await;
    // What was proven before stays known: a second look does not forgive.
    browser.open("/ledger/verify").await;
    browser.press("Verify everything").await;
    browser.sees("Event 300 is not what it was").await;
    browser.finish().await;
    app.database.drop().await;
}

/// Two servers with the same keys, as after a backup was restored, at one address.
#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_was_set_back_is_found_out_by_the_kept_checkpoint() {
    let (one, other) = (TestApp::start().await, TestApp::start().await);
    let license = one.license().await;
    grow(&one, &license["key"], 20).await;
    other.product("OTH").await;
    let proxy = Proxy::start(&one.client.base).await;
    let browser = Browser::at(&proxy.base).await;
    browser.open("/ledger/verify").await;
    browser.log_in(ADMIN_KEY).await;
    browser.press("Verify everything").await;
    browser.sees("The ledger is proven").await;

    proxy.lead_to(&other.client.base);
    browser.open("/ledger/verify").await;
    browser.log_in(ADMIN_KEY).await;
    browser.press("Verify what is new").await;
    browser
        .sees("This is not the history that was there before")
        .await;
    browser
        .sees("It is missing: the checkpoint that this browser kept counts")
        .await;
    browser.look("ledger-set-back").await;

    // It goes on, past what was there: in order by itself, but another history.
    for number in 0..40 {
        let code = format!(
            "{}{}",
            char::from(b'A' + number / 20),
            char::from(b'A' + number % 20)
        );
        other
            .client
            .post("/products", &json!({"code": code, "name": "Later"}))
            .await
            .expect(201);
    }
    for way in ["Verify what is new", "Verify everything"] {
        browser.open("/ledger/verify").await;
        browser.press(way).await;
        browser
            .sees("This is not the history that was there before")
            .await;
        browser.sees("History up to here is not the one").await;
    }
    // Whoever knows why may begin anew.
    browser.press("Forget it").await;
    browser.press("Verify everything").await;
    browser.sees("The ledger is proven").await;
    browser.finish_after_refusals().await;
    one.finish().await;
    other.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_wants_to_be_left_alone_is_waited_for() {
    let mut config = crate::support::server_config();
    config.access.rate_limit_enabled = true;
    config.access.rate_limit_admin_per_minute = 120;
    let app = TestApp::start_with(config).await;
    let license = app.license().await;
    grow(&app, &license["key"], 300).await;
    let browser = Browser::logged_in(&app, "/ledger/verify").await;
    browser.sees("No event was changed").await;
    // Whatever is left in the bucket.
    while app.client.get("/products").await.status == 200 {}
    browser.press("Verify everything").await;
    browser.sees("The ledger is proven").await;
    browser.finish_after_refusals().await;
    app.stop().await.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_explored() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let license_id = license["id"].as_str().unwrap();
    grow(&app, &license["key"], 120).await;
    app.client
        .post(
            &format!("/licenses/{license_id}/suspend"),
            &json!({"reason": "Unpaid"}),
        )
        .await
        .expect(200);
    let browser = Browser::logged_in(&app, "/ledger").await;
    browser.is_at("Ledger").await;
    browser.sees("A license was suspended: Unpaid").await;
    browser.sees("Download checkpoint").await;
    browser.look("ledger").await;
    browser.look_narrow("ledger").await;

    // Paging.
    let all = size(&app).await;
    browser
        .sees(&format!("Positions {} to {} of {all} events", all - 1, all - 50))
        .await;
    browser.follow("Older").await;
    browser
        .sees(&format!(
            "Positions {} to {} of {all} events",
            all - 51,
            all - 100
        ))
        .await;
    browser.follow("Newest").await;
    browser
        .sees(&format!("Positions {} to {} of {all} events", all - 1, all - 50))
        .await;

    // Filters, which a reload keeps.
    browser.choose("Events", "product.created").await;
    browser.sees("Product PRD was added: My Product").await;
    browser.gone("A license was suspended: Unpaid").await;
    assert_eq!(browser.path().await, "/ledger?type=product.created");
    browser.open("/ledger?type=product.created").await;
    browser.sees("Product PRD was added: My Product").await;
    browser.press("Clear filters").await;
    browser.choose("Events", "Licenses").await;
    browser.fill("Stream id, such as a license's", license_id).await;
    browser.sees("A license of PRD was issued").await;
    browser.gone("Product PRD was added: My Product").await;
    // The list follows a moment after the last key.
    let filtered = format!("/ledger?type=license.%2A&stream={license_id}");
    crate::support::eventually("the filters stand in the address", || async {
        browser.path().await == filtered
    })
    .await;
    browser.sees("A license of PRD was issued").await;
    browser.open("/ledger?type=anomaly.resolved").await;
    browser.sees("No events").await;

    // A jump, and from there to the one before.
    browser.open("/ledger").await;
    browser.fill("Position", "3").await;
    browser.press("Go").await;
    browser.is_at("Event 3").await;
    browser.sees("A license of PRD was issued, tier standard").await;
    browser.look("ledger-event").await;
    browser.look_narrow("ledger-event").await;
    browser.follow("Event 2").await;
    browser.is_at("Event 2").await;
    browser.sees("A customer was registered").await;
    browser.open("/ledger/999999").await;
    browser.sees("This does not exist").await;
    browser.open("/ledger/x").await;
    browser.sees("Positions are whole numbers").await;
    browser.finish_after_refusals().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_checked_in_the_browser_and_downloaded() {
    let app = TestApp::start().await;
    app.license().await;
    let browser = Browser::logged_in(&app, "/ledger/3").await;
    let downloads = tempfile::tempdir().unwrap();
    download_to(&browser, downloads.path()).await;
    browser.press("Check the receipt here").await;
    browser
        .sees("This very event stands at position 3 in the history of 4 events that was signed.")
        .await;
    browser.sees("The key came with the receipt.").await;
    browser.look("ledger-receipt").await;
    browser.look_narrow("ledger-receipt").await;

    browser.press("Download receipt").await;
    browser.press("Download inclusion proof").await;
    let receipt = downloaded(&downloads.path().join("receipt-3.json")).await;
    assert_eq!(receipt, app.client.get("/ledger/receipt/3").await.expect(200));
    let proof = downloaded(&downloads.path().join("inclusion-proof-3.json")).await;
    assert_eq!(
        proof,
        app.client
            .get("/ledger/proof/inclusion?position=3")
            .await
            .expect(200)
    );

    // Once the ledger was verified here, its key is known.
    browser.open("/ledger/verify").await;
    browser.press("Verify everything").await;
    browser.sees("The ledger is proven").await;
    browser.open("/ledger/3").await;
    browser.press("Check the receipt here").await;
    browser
        .sees("It is the key with which this browser verified the ledger.")
        .await;
    browser.finish().await;
    app.finish().await;
}

/// Has the browser put files into a directory without asking.
async fn download_to(browser: &Browser, directory: &std::path::Path) {
    let wish = json!({"behavior": "allow", "downloadPath": directory});
    browser
        .driver
        .devtools("Browser.setDownloadBehavior", wish)
        .await
        .unwrap();
}

/// A file, once it is whole.
async fn downloaded(path: &std::path::Path) -> serde_json::Value {
    for _ in 0..200 {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if let Ok(content) = serde_json::from_str(&text) {
            return content;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{} was not downloaded", path.display());
}
