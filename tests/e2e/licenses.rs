//! Licenses: issued, found, and changed by the dozen.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::browser::Browser;
use crate::support::TestApp;
use crate::webdriver::Key;

/// The row of a license in the list.
fn row(license: &Value) -> String {
    let id = license["id"].as_str().unwrap();
    format!("//tbody/tr[.//code[@title = '{id}']]")
}

async fn rows(browser: &Browser) -> u64 {
    browser
        .run("return document.querySelectorAll('main tbody tr').length")
        .await
        .as_u64()
        .unwrap()
}

/// Waits until the list has so many rows.
async fn has_rows(browser: &Browser, count: u64) {
    let started = std::time::Instant::now();
    while rows(browser).await != count {
        assert!(
            started.elapsed().as_secs() < 20,
            "there are {} rows, not {count}",
            rows(browser).await
        );
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// Types into a combobox and chooses what it finds.
async fn pick(browser: &Browser, label: &str, text: &str) {
    browser.fill(label, text).await;
    browser
        .click(&format!("//li[@role = 'option'][contains(., '{text}')]"))
        .await;
}

async fn issue(app: &TestApp, code: &str, customer: &Value, more: &Value) -> Value {
    let mut body = json!({"product_code": code, "customer_id": customer["id"]});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    app.client.post("/licenses", &body).await.expect(201)
}

async fn status(app: &TestApp, license: &Value) -> Value {
    let path = format!("/licenses/{}", license["id"].as_str().unwrap());
    app.client.get(&path).await.expect(200)["status"].clone()
}

async fn shown_key(browser: &Browser) -> String {
    browser
        .find("//dialog[@open]//code[@data-secret]")
        .await
        .text()
        .await
        .unwrap()
}

/// The label of the field that has the keyboard.
async fn focused(browser: &Browser) -> Value {
    browser
        .run("return document.activeElement.labels?.[0]?.textContent ?? ''")
        .await
}

/// Goes on with the keyboard until a field has it.
async fn tab_to(browser: &Browser, label: &str) {
    for _ in 0..8 {
        if focused(browser).await == label {
            return;
        }
        browser.keys([Key::Tab.value()]).await;
    }
    panic!("{label} cannot be reached by keyboard");
}

#[tokio::test]
async fn a_first_license_is_issued_from_nothing() {
    let app = TestApp::start().await;
    let browser = Browser::logged_in(&app, "/licenses").await;
    browser.sees("No licenses yet").await;
    browser.look("licenses-empty").await;
    browser.follow("Products").await;
    browser.is_at("Products").await;
    browser.press("New product").await;
    browser.fill("Code", "fed").await;
    browser.fill("Name", "Fine Editor").await;
    browser.press("Add a feature").await;
    browser.fill("Feature", "exports").await;
    browser.press("Create product").await;
    browser.sees("FED created").await;
    browser.follow("Customers").await;
    browser.sees("No customers yet").await;
    browser.press("New customer").await;
    browser.fill("Name", "Jane Doe").await;
    browser.fill("E-mail", "jane@example.com").await;
    browser.press("Create customer").await;
    browser.is_at("Jane Doe").await;
    browser.follow("Issue license").await;
    browser.is_at("Issue license").await;
    pick(&browser, "Product", "Fine Editor").await;
    browser
        .sees("Fine Editor, tier standard, on 3 machines at once")
        .await;
    let customer = browser.field("Customer").await.prop("value").await.unwrap();
    assert_eq!(customer.as_deref(), Some("Jane Doe"), "the address named them");
    browser.press("Issue license").await;
    let key = shown_key(&browser).await;
    browser.press("Validate it now").await;
    browser
        .find("//dialog//*[contains(@class, 'notice good')][contains(., 'OK') and contains(., 'exports')]")
        .await;
    browser.look("license-key").await;
    browser.look_narrow("license-key").await;

    let grant = json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]});
    browser
        .driver
        .devtools("Browser.grantPermissions", grant)
        .await
        .unwrap();
    browser.press("Copy").await;
    browser.sees("License key copied").await;
    let copied = browser
        .run_async("return await navigator.clipboard.readText()")
        .await;
    assert_eq!(copied, key);
    let answer = app.client.validate(&json!(key)).await;
    assert_eq!((&answer["valid"], &answer["code"]), (&json!(true), &json!("OK")));
    browser.press("Done").await;
    browser.gone(&key).await;
    let id = answer["license"]["id"].as_str().unwrap();
    assert_eq!(browser.path().await, format!("/licenses/{id}"));
    browser.finish().await;
    app.finish().await;
}

#[tokio::test]
async fn a_license_is_issued_by_keyboard_alone_and_its_key_stays_until_it_is_kept() {
    let app = TestApp::start().await;
    app.product("PRD").await;
    app.customer("jane@example.com").await;
    let browser = Browser::logged_in(&app, "/licenses/new").await;
    browser.is_at("Issue license").await;
    // The first field has the keyboard.
    let started = std::time::Instant::now();
    while focused(&browser).await != "Product" {
        assert!(
            started.elapsed().as_secs() < 20,
            "the first field does not get the keyboard"
        );
        tokio::time::sleep(std::time::Duration::from_millis(40)).await;
    }
    let (tab, enter, escape) = (Key::Tab.value(), Key::Enter.value(), Key::Escape.value());
    browser.keys("my pro".chars()).await;
    browser
        .find("//li[@role = 'option'][@aria-selected = 'true'][contains(., 'PRD')]")
        .await;
    browser.keys([enter, tab]).await;
    browser.sees("My Product, tier standard").await;
    browser.keys("jane".chars()).await;
    browser
        .find("//li[@role = 'option'][@aria-selected = 'true'][contains(., 'jane@example.com')]")
        .await;
    browser.keys([enter]).await;
    // Past the button for a new customer.
    browser.keys([tab, tab]).await;
    browser.keys("pro".chars()).await;
    browser.sees("My Product, tier pro").await;
    browser.keys([enter]).await;
    let key = shown_key(&browser).await;

    browser.keys([escape]).await;
    browser.keys([escape, escape]).await;
    browser.driver.click_at(8, 300).await.unwrap();
    assert_eq!(
        shown_key(&browser).await,
        key,
        "neither Escape nor a stray click takes it away"
    );
    assert!(browser.has("//dialog//button[. = 'Done' and @disabled]").await);

    // The dialog took the keyboard: down to the switch that says that the key is kept.
    tab_to(&browser, "I have kept it").await;
    browser.keys([' ']).await;
    browser
        .find("//dialog//button[. = 'Done' and not(@disabled)]")
        .await;
    browser.keys([tab, enter]).await;
    browser.gone(&key).await;
    let issued = app.client.get("/licenses").await.expect(200);
    assert_eq!(issued[0]["tier"], "pro");
    assert_eq!(issued.as_array().unwrap().len(), 1);
    let id = issued[0]["id"].as_str().unwrap();
    assert_eq!(browser.path().await, format!("/licenses/{id}"));
    browser.finish().await;
    app.finish().await;
}

#[tokio::test]
async fn what_was_typed_stays_when_a_license_is_refused_and_the_preview_follows() {
    let app = TestApp::start().await;
    app.product("PRD").await;
    app.customer("jane@example.com").await;
    let browser = Browser::logged_in(&app, "/licenses/new?product=PRD").await;
    browser
        .sees("My Product, tier standard, on 3 machines at once")
        .await;
    browser.press("New customer").await;
    browser.fill("Customer\u{2019}s name", "Joan Roe").await;
    browser.fill("E-mail", "jane@example.com").await;
    browser.fill("Tier", "gold").await;
    browser.choose("Ends", "Never").await;
    browser.click("//label[. = 'Any number of machines']").await;
    browser.press("Add a feature").await;
    browser.fill("Feature", "api_calls").await;
    browser.choose("How it is allowed", "Limited").await;
    browser.fill("Limit", "5000").await;
    browser
        .sees("My Product, tier gold, on any number of machines, without an end.")
        .await;
    browser.find("//*[@class = 'entitled']/li[contains(., 'api_calls') and contains(., '5,000 in all') and contains(., 'overridden')]").await;
    browser
        .find("//*[@class = 'entitled']/li[contains(., 'sso') and contains(., 'Off')]")
        .await;
    browser.look("license-new").await;
    browser.look_narrow("license-new").await;

    // The address belongs to somebody else.
    browser.press("Issue license").await;
    browser.find("//form//*[@role = 'alert']").await;
    browser.look("license-new-refused").await;
    for (label, value) in [
        ("Customer\u{2019}s name", "Joan Roe"),
        ("Tier", "gold"),
        ("Feature", "api_calls"),
        ("Limit", "5000"),
    ] {
        assert_eq!(
            browser.field(label).await.prop("value").await.unwrap().as_deref(),
            Some(value)
        );
    }
    browser.fill("E-mail", "joan@example.com").await;
    browser.press("Issue license").await;
    shown_key(&browser).await;
    let license = app.client.get("/licenses").await.expect(200)[0].clone();
    assert_eq!(license["tier"], "gold");
    assert_eq!(
        (&license["expires_at"], &license["machines_limit"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(license["entitlements"], json!({"api_calls": {"limit": 5000}}));
    let path = format!("/customers/{}", license["customer_id"].as_str().unwrap());
    assert_eq!(app.client.get(&path).await.expect(200)["name"], "Joan Roe");
    browser.press("Download").await;
    browser.press("Done").await;
    browser.finish_after_refusals().await;
    app.finish().await;
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one list, looked at in every way")]
async fn licenses_are_filtered_sorted_and_paged_by_the_address() {
    let app = TestApp::start().await;
    app.product("PRD").await;
    app.product("FED").await;
    let jane = app.customer("jane@example.com").await;
    let body = json!({"name": "Joan Roe", "email": "joan@example.org", "company": "Acme"});
    let joan = app.client.post("/customers", &body).await.expect(201);
    for _ in 0..52 {
        issue(&app, "PRD", &jane, &json!({})).await;
    }
    let browser = Browser::logged_in(&app, "/licenses").await;
    let soon = browser
        .run("return new Date(Date.now() + 10 * 864e5).toISOString()")
        .await;
    let later = browser
        .run("return new Date(Date.now() + 60 * 864e5).toISOString()")
        .await;
    let gold = issue(&app, "FED", &joan, &json!({"tier": "gold", "expires_at": soon})).await;
    let late = issue(
        &app,
        "FED",
        &jane,
        &json!({"expires_at": later, "machines_limit": null}),
    )
    .await;
    let path = format!("/licenses/{}/suspend", late["id"].as_str().unwrap());
    app.client.post(&path, &json!({})).await.expect(200);

    browser.open("/licenses").await;
    has_rows(&browser, 50).await;
    browser.sees("1\u{2013}50 of 54 licenses").await;
    browser
        .find(&format!(
            "{}[contains(., 'Jane Doe') and contains(., 'Suspended') and contains(., '0, no limit')]",
            row(&late)
        ))
        .await;
    browser
        .find(&format!(
            "{}[contains(., 'Joan Roe') and contains(., '0 of 3')]",
            row(&gold)
        ))
        .await;
    browser.follow("Next").await;
    has_rows(&browser, 4).await;
    browser.sees("51\u{2013}54 of 54 licenses").await;
    browser.driver.refresh().await.unwrap();
    has_rows(&browser, 4).await;
    browser.press("Back").await;
    has_rows(&browser, 50).await;

    browser.choose("Status", "Suspended").await;
    has_rows(&browser, 1).await;
    browser.find(&row(&late)).await;
    assert_eq!(browser.path().await, "/licenses?status=suspended");
    browser.driver.refresh().await.unwrap();
    has_rows(&browser, 1).await;
    browser.press("Clear filters").await;
    has_rows(&browser, 50).await;

    browser.choose("Product", "FED \u{2013} My Product").await;
    has_rows(&browser, 2).await;
    browser.press("Ends").await;
    browser
        .find(&format!(
            "//tbody/tr[1][.//code[@title = '{}']]",
            late["id"].as_str().unwrap()
        ))
        .await;
    browser.press("Ends").await;
    browser
        .find(&format!(
            "//tbody/tr[1][.//code[@title = '{}']]",
            gold["id"].as_str().unwrap()
        ))
        .await;
    assert_eq!(browser.path().await, "/licenses?product=FED&sort=expires_at");
    browser.look("licenses").await;
    browser.look_narrow("licenses").await;

    let csv =
        "const link = document.querySelector('a[download]'); return await (await fetch(link.href)).text()";
    let csv = browser.run_async(csv).await.as_str().unwrap().to_owned();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 3, "a header, and what the filters show: {csv}");
    assert!(lines[0].contains("expires_at"), "{csv}");
    assert!(
        lines[1].contains(gold["id"].as_str().unwrap()),
        "in the order of the list: {csv}"
    );
    assert!(lines[2].contains(late["id"].as_str().unwrap()), "{csv}");

    browser.choose("Ending", "Within 30 days").await;
    has_rows(&browser, 1).await;
    browser.find(&row(&gold)).await;
    browser.choose("Ending", "Within 90 days").await;
    has_rows(&browser, 2).await;
    browser.fill("Tier", "gold").await;
    browser.keys([Key::Enter.value()]).await;
    has_rows(&browser, 1).await;
    browser.press("Clear filters").await;
    has_rows(&browser, 50).await;
    browser.sees("54 licenses").await;

    pick(&browser, "Customer", "Joan Roe").await;
    has_rows(&browser, 1).await;
    let path = format!("customer={}", joan["id"].as_str().unwrap());
    assert!(browser.path().await.contains(&path));
    browser.driver.refresh().await.unwrap();
    has_rows(&browser, 1).await;
    browser
        .find("//a[contains(@href, '/licenses/new?customer=')]")
        .await;
    browser.press("Clear filters").await;
    has_rows(&browser, 50).await;
    browser.finish().await;
    app.finish().await;
}

#[tokio::test]
async fn a_search_finds_ids_customers_and_keys() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let joan = app
        .client
        .post(
            "/customers",
            &json!({"name": "Joan Roe", "email": "joan@example.org"}),
        )
        .await
        .expect(201);
    let other = app.license_of("PRD", &joan).await;
    let browser = Browser::logged_in(&app, "/licenses").await;
    has_rows(&browser, 2).await;
    let search = "Search by id, customer or license key";
    browser.set(search, license["id"].as_str().unwrap()).await;
    has_rows(&browser, 1).await;
    browser.find(&row(&license)).await;

    browser.fill(search, "joan").await;
    browser.sees("Customers found").await;
    browser.look("licenses-search").await;
    browser
        .click("//nav[@aria-label = 'Customers found']//a[contains(., 'Joan Roe')]")
        .await;
    has_rows(&browser, 1).await;
    browser.find(&row(&other)).await;
    browser.fill(search, "nobody of that name").await;
    browser.sees("Nothing found").await;
    browser.press("Clear filters").await;
    has_rows(&browser, 2).await;

    let key = license["key"].as_str().unwrap();
    browser.set(search, &format!(" {} ", key.to_lowercase())).await;
    browser.sees("Filtered by the license key that you pasted").await;
    has_rows(&browser, 1).await;
    browser.find(&row(&license)).await;
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(key));
    assert_eq!(browser.path().await, format!("/licenses?key={digest}"));
    let field = browser.field(search).await.prop("value").await.unwrap();
    assert_eq!(field.as_deref(), Some(""), "the key does not stay in the field");
    browser.look("licenses-key").await;
    browser.look_narrow("licenses-key").await;
    browser.set(search, &key.replace("PRD-", "FED-")).await;
    browser.sees("No license has this key").await;
    browser.finish().await;
    app.finish().await;
}

#[tokio::test]
async fn many_licenses_are_suspended_and_what_failed_is_told_and_tried_again() {
    let app = TestApp::start().await;
    app.product("PRD").await;
    let jane = app.customer("jane@example.com").await;
    let (one, two) = (
        issue(&app, "PRD", &jane, &json!({})).await,
        issue(&app, "PRD", &jane, &json!({})).await,
    );
    let revoked = issue(&app, "PRD", &jane, &json!({})).await;
    let path = format!("/licenses/{}/revoke", revoked["id"].as_str().unwrap());
    app.client.post(&path, &json!({})).await.expect(200);
    let browser = Browser::logged_in(&app, "/licenses").await;
    has_rows(&browser, 3).await;
    browser
        .click("//input[@aria-label = 'Choose all rows of this page']")
        .await;
    browser.sees("3 licenses chosen").await;
    browser.look("licenses-chosen").await;
    browser.look_narrow("licenses-chosen").await;
    browser.press("Suspend").await;
    browser.fill("Reason", "Invoice overdue").await;
    browser.press("Suspend 3 licenses").await;
    browser.sees("2 of 3 licenses suspended, 1 failed").await;
    browser
        .find(&format!(
            "//dialog//li[contains(., '{}') and contains(., 'evoked') and contains(., 'Request')]",
            revoked["id"].as_str().unwrap()
        ))
        .await;
    browser.look("licenses-suspend").await;
    browser.look_narrow("licenses-suspend").await;
    for license in [&one, &two] {
        assert_eq!(status(&app, license).await, "suspended");
    }
    assert_eq!(status(&app, &revoked).await, "revoked");
    let path = format!("/audit/{}", one["id"].as_str().unwrap());
    assert!(
        app.client
            .get(&path)
            .await
            .expect(200)
            .to_string()
            .contains("Invoice overdue")
    );
    browser.press("Try 1 license again").await;
    browser.sees("2 of 3 licenses suspended, 1 failed").await;
    browser.press("Close").await;
    browser.sees("1 license chosen").await;
    browser
        .find(&format!("{}[contains(., 'Suspended')]", row(&one)))
        .await;
    browser.finish_after_refusals().await;
    app.finish().await;
}

#[tokio::test]
async fn a_renewal_whose_answer_was_lost_happens_once_however_often_it_is_tried() {
    let app = TestApp::start().await;
    app.product("PRD").await;
    let jane = app.customer("jane@example.com").await;
    let end = json!({"expires_at": "2027-01-01T00:00:00Z"});
    let (one, two) = (
        issue(&app, "PRD", &jane, &end).await,
        issue(&app, "PRD", &jane, &end).await,
    );
    let browser = Browser::logged_in(&app, "/licenses").await;
    has_rows(&browser, 2).await;
    // The first renewal reaches the server, but its answer does not come back.
    browser
        .run(
            "const real = window.fetch; let lost = 0;
             window.fetch = async (request, ...more) => {
                 const answer = await real.call(window, request, ...more);
                 if (String(request.url || request).endsWith('/renew') && lost++ === 0) throw new TypeError('lost');
                 return answer;
             };",
        )
        .await;
    browser
        .click("//input[@aria-label = 'Choose all rows of this page']")
        .await;
    browser.press("Renew").await;
    browser.fill("Days", "30").await;
    browser.press("Renew 2 licenses").await;
    browser.sees("1 of 2 licenses renewed, 1 failed").await;
    browser.sees("The server cannot be reached").await;
    browser.press("Try 1 license again").await;
    browser.sees("2 licenses renewed").await;
    for license in [&one, &two] {
        let path = format!("/licenses/{}", license["id"].as_str().unwrap());
        let now = app.client.get(&path).await.expect(200);
        assert_eq!(
            now["expires_at"], "2027-01-31T00:00:00.000000Z",
            "it was renewed once"
        );
    }
    browser.gone("chosen").await;
    browser.finish().await;
    app.finish().await;
}
