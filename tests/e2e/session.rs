//! Logging in, being logged out, and coming back.

use std::time::Duration;

use serde_json::json;

use crate::browser::Browser;
use crate::support::TestApp;

#[tokio::test]
async fn an_unknown_key_is_refused_and_a_known_one_lets_in() {
    let app = TestApp::start().await;
    let browser = Browser::start(&app).await;
    browser.open("/products").await;
    browser.is_at("Log in").await;
    browser.look("log-in").await;
    browser.look_narrow("log-in").await;
    browser.fill("API key", "vz_nobodys").await;
    browser.press("Log in").await;
    browser.sees("The API key is not known.").await;
    browser.sees("Request").await;
    browser.look("log-in-refused").await;
    browser.log_in(crate::support::ADMIN_KEY).await;
    browser.is_at("Products").await;
    assert_eq!(browser.path().await, "/products");
    let kept = browser
        .run("return JSON.stringify([localStorage, document.cookie])")
        .await;
    assert!(
        !kept.as_str().unwrap().contains("vz_"),
        "no script can read the key or the session: {kept}"
    );
    browser.press("Log out").await;
    browser.is_at("Log in").await;
    browser.open("/products").await;
    browser.is_at("Log in").await;
    browser.finish_after_refusals().await;
    app.finish().await;
}

#[tokio::test]
async fn an_ended_session_is_noticed_and_the_page_is_there_again_after_it() {
    let app = TestApp::start().await;
    app.product("PRD").await;
    let browser = Browser::logged_in(&app, "/products?q=prd").await;
    browser.is_at("Products").await;
    app.advance(Duration::from_hours(24 * 40));
    browser.fill("Search by code or name", "pr").await;
    browser.sees("Your session has ended.").await;
    browser.log_in(crate::support::ADMIN_KEY).await;
    browser.is_at("Products").await;
    assert_eq!(browser.path().await, "/products?q=pr");
    browser.finish_after_refusals().await;
    app.finish().await;
}

#[tokio::test]
async fn what_a_key_may_not_do_is_not_offered() {
    let app = TestApp::start().await;
    app.product("PRD").await;
    let key = app
        .client
        .post("/api-keys", &json!({"name": "Reader", "scopes": ["read"]}))
        .await
        .expect(201);
    let browser = Browser::start(&app).await;
    browser.open("/products").await;
    browser.log_in(key["api_key"].as_str().unwrap()).await;
    browser.is_at("Products").await;
    browser.sees("PRD").await;
    assert!(!browser.has("//button[contains(., 'New product')]").await);
    assert!(!browser.has("//button[@aria-label = 'Delete PRD']").await);
    for page in ["Webhooks", "API keys", "Tenants", "Settings", "Ledger"] {
        assert!(
            !browser.has(&format!("//nav//a[contains(., '{page}')]")).await,
            "{page} is offered"
        );
    }
    browser.finish().await;
    app.finish().await;
}
