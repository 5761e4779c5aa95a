//! The command palette, by keyboard alone.

use serde_json::json;

use crate::browser::Browser;
use crate::support::TestApp;
use crate::webdriver::Key;

/// Opens the palette as a keyboard does.
async fn open(browser: &Browser) {
    let body = browser.find("//body").await;
    body.send_keys(Key::Control + "k").await.unwrap();
    browser.find("//dialog[@open]//input[@role = 'combobox']").await;
}

/// Waits until the chosen option has these words.
async fn chosen(browser: &Browser, words: &str) {
    browser
        .find(&format!(
            "//li[@role = 'option' and @aria-selected = 'true'][contains(., \"{words}\")]"
        ))
        .await;
    // What is heard is what is seen.
    let heard = "return document.getElementById(document.activeElement.getAttribute('aria-activedescendant'))?.textContent ?? ''";
    let heard = browser.run(heard).await;
    assert!(heard.as_str().unwrap().contains(words), "{heard}");
}

async fn is_gone(browser: &Browser) {
    crate::support::eventually("the palette is gone", || async {
        !browser.has("//dialog[@open]").await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_found_by_typing() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let id = license["id"].as_str().unwrap();
    let browser = Browser::logged_in(&app, "/products").await;
    browser.is_at("Products").await;
    browser.sees("Search or jump to").await;

    open(&browser).await;
    chosen(&browser, "Issue a license").await;
    browser.look("palette").await;
    browser.look_narrow("palette").await;
    browser
        .keys([char::from(Key::Down), char::from(Key::Down), char::from(Key::Up)])
        .await;
    chosen(&browser, "Verify the ledger").await;
    browser.keys([char::from(Key::Up), char::from(Key::Up)]).await;
    // Round the end.
    browser
        .find("(//li[@role = 'option'])[last()][@aria-selected = 'true']")
        .await;
    browser.keys([char::from(Key::Escape)]).await;
    is_gone(&browser).await;
    assert_eq!(browser.path().await, "/products");

    // A page.
    open(&browser).await;
    browser.keys("ledg".chars()).await;
    chosen(&browser, "Verify the ledger").await;
    browser
        .keys([char::from(Key::Down), char::from(Key::Enter)])
        .await;
    browser.is_at("Ledger").await;
    is_gone(&browser).await;

    // A customer by address, a product by its name.
    open(&browser).await;
    browser.keys("jane@ex".chars()).await;
    chosen(&browser, "Jane Doe").await;
    browser.look("palette-customer").await;
    browser.keys([char::from(Key::Enter)]).await;
    is_gone(&browser).await;
    assert_eq!(
        browser.path().await,
        format!("/customers/{}", license["customer_id"].as_str().unwrap())
    );
    open(&browser).await;
    browser.keys("my prod".chars()).await;
    chosen(&browser, "My Product").await;
    browser.keys([char::from(Key::Enter)]).await;
    browser.is_at("Products").await;

    // A license by how its id begins, and by its key, of which the server is told a hash only.
    open(&browser).await;
    browser.keys(id[..13].chars()).await;
    chosen(&browser, "PRD standard, active").await;
    browser.keys([char::from(Key::Enter)]).await;
    is_gone(&browser).await;
    assert_eq!(browser.path().await, format!("/licenses/{id}"));
    browser.open("/products").await;
    open(&browser).await;
    let key = license["key"].as_str().unwrap();
    browser.keys(key.to_lowercase().chars()).await;
    chosen(&browser, "PRD standard, active").await;
    let asked =
        "return performance.getEntriesByType('resource').map(entry => decodeURIComponent(entry.name))";
    let asked = browser.run(asked).await.to_string().to_uppercase();
    assert!(asked.contains("KEY_DIGEST="), "{asked}");
    for part in key.split('-').skip(1) {
        assert!(!asked.contains(part), "the server was told {part} of the key");
    }
    browser.keys([char::from(Key::Enter)]).await;
    is_gone(&browser).await;
    assert_eq!(browser.path().await, format!("/licenses/{id}"));

    // An event, nothing, and an action.
    open(&browser).await;
    browser.keys("2".chars()).await;
    chosen(&browser, "Event at position 2").await;
    browser.keys([char::from(Key::Enter)]).await;
    browser.is_at("Event 2").await;
    open(&browser).await;
    browser.keys("zzzz".chars()).await;
    browser.sees("Nothing found.").await;
    browser.look("palette-nothing").await;
    browser.keys([char::from(Key::Escape)]).await;
    is_gone(&browser).await;
    open(&browser).await;
    browser.keys("dark".chars()).await;
    browser.keys([char::from(Key::Enter)]).await;
    is_gone(&browser).await;
    assert_eq!(
        browser.run("return document.documentElement.dataset.theme").await,
        "dark"
    );
    browser.finish().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_key_may_not_do_is_not_found() {
    let app = TestApp::start().await;
    app.license().await;
    let key = app
        .client
        .post("/api-keys", &json!({"name": "Auditor", "scopes": ["audit"]}))
        .await
        .expect(201);
    let browser = Browser::start(&app).await;
    browser.open("/ledger").await;
    browser.log_in(key["api_key"].as_str().unwrap()).await;
    browser.is_at("Ledger").await;
    open(&browser).await;
    chosen(&browser, "Verify the ledger").await;
    assert!(
        !browser
            .has("//li[@role = 'option'][contains(., 'Issue a license')]")
            .await
    );
    browser.keys("jane".chars()).await;
    browser.sees("Nothing found.").await;
    browser.keys([char::from(Key::Escape)]).await;
    is_gone(&browser).await;
    browser.finish().await;
    app.finish().await;
}
