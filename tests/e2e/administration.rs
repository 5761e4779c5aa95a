//! API keys for admins; tenants and settings for whoever runs the server.

use serde_json::json;

use crate::browser::Browser;
use crate::support::database::TestDatabase;
use crate::support::node::Node;
use crate::support::{ADMIN_KEY, HMAC_KEY, SECRET, SIGNING_KEY, SUPER_ADMIN_KEY, TestApp};
use crate::webhooks::keep_secret;

const METRICS_TOKEN: &str = "Jx7wqLz3nXk9pRb5mYc2sHd8";

#[tokio::test]
async fn a_secret_stays_when_its_page_goes() {
    let app = TestApp::start().await;
    let browser = Browser::logged_in(&app, "/products").await;
    browser.follow("API keys").await;
    browser.press("New API key").await;
    browser.fill("Name", "Reporting").await;
    browser.field("read").await.click().await.unwrap();
    browser.press("Create API key").await;
    let shown = "//dialog[@open]//code[@data-secret]";
    let secret = browser.find(shown).await.text().await.unwrap();
    browser.driver.back().await.unwrap();
    browser.is_at("Products").await;
    assert_eq!(browser.find(shown).await.text().await.unwrap(), secret);
    assert_eq!(keep_secret(&browser).await, json!(secret));
    app.client
        .with_key(&json!(secret))
        .get("/products")
        .await
        .expect(200);
    browser.finish().await;
    app.finish().await;
}

#[tokio::test]
async fn an_api_key_is_made_used_changed_rotated_and_revoked() {
    let app = TestApp::start().await;
    let browser = Browser::logged_in(&app, "/api-keys").await;
    browser.sees("No API keys yet").await;
    browser.look("api-keys-empty").await;
    browser.press("New API key").await;
    browser.fill("Name", "Reporting").await;
    browser.press("Create API key").await;
    browser.sees("Choose at least one.").await;
    browser.look("api-key-new").await;
    browser.look_narrow("api-key-new").await;
    browser.field("read").await.click().await.unwrap();
    browser.field("meter").await.click().await.unwrap();
    browser.set("Expires", "2030-01-01T12:00").await;
    browser.press("Create API key").await;
    browser.find("//dialog[@open]//code[@data-secret]").await;
    browser.look("api-key-secret").await;
    let first = keep_secret(&browser).await;
    let client = app.client.with_key(&first);
    client.get("/products").await.expect(200);
    let product = json!({"code": "PRD", "name": "x"});
    client
        .post("/products", &product)
        .await
        .expect_problem(403, "FORBIDDEN");
    let listed = app.client.get("/api-keys").await.expect(200);
    assert_eq!(listed[0]["scopes"], json!(["meter", "read"]));
    assert!(listed[0]["expires_at"].as_str().unwrap().starts_with("20"));
    browser.look("api-keys").await;
    browser.look_narrow("api-keys").await;

    browser.press("Edit Reporting").await;
    browser.fill("Name", "Shop").await;
    browser.field("admin").await.click().await.unwrap();
    browser.press("Save").await;
    browser.sees("API key saved").await;
    browser.find("//td//strong[. = 'Shop']").await;
    client.post("/products", &product).await.expect(201);
    let changed = app.client.get("/api-keys").await.expect(200);
    assert_eq!(changed[0]["expires_at"], listed[0]["expires_at"]);

    browser.press("Rotate Shop").await;
    browser
        .choose("The old secret still opens", "Not at all: it has leaked")
        .await;
    browser.look("api-key-rotate").await;
    browser.press("Rotate API key").await;
    let second = keep_secret(&browser).await;
    client.get("/products").await.expect_problem(401, "UNAUTHORIZED");
    let client = app.client.with_key(&second);
    client.get("/products").await.expect(200);

    browser.press("Revoke Shop").await;
    browser.look("api-key-revoke").await;
    browser.press("Revoke API key").await;
    browser.sees("No API keys yet").await;
    client.get("/products").await.expect_problem(401, "UNAUTHORIZED");
    browser.finish().await;
    app.finish().await;
}

#[tokio::test]
async fn whoever_revokes_their_own_key_types_its_name_and_is_logged_out() {
    let app = TestApp::start().await;
    let body = json!({"name": "My laptop", "scopes": ["admin"]});
    let key = app.client.post("/api-keys", &body).await.expect(201);
    let browser = Browser::start(&app).await;
    browser.open("/api-keys").await;
    browser.log_in(key["api_key"].as_str().unwrap()).await;
    browser.sees("this session").await;
    browser.press("Revoke My laptop").await;
    browser
        .find("//dialog[@open]//button[. = 'Revoke API key' and @disabled]")
        .await;
    browser.look("api-key-revoke-own").await;
    browser
        .fill("Type \u{201c}My laptop\u{201d} to go on", "My laptop")
        .await;
    browser.press("Revoke API key").await;
    browser.is_at("Log in").await;
    assert_eq!(app.client.get("/api-keys").await.expect(200), json!([]));
    browser.finish_after_refusals().await;
    app.finish().await;
}

#[tokio::test]
async fn a_tenant_is_made_lets_its_admin_in_is_changed_and_closed() {
    let app = TestApp::start().await;
    let browser = Browser::start(&app).await;
    browser.open("/").await;
    browser.log_in(SUPER_ADMIN_KEY).await;
    browser.is_at("Tenants").await;
    browser.sees("No tenants yet").await;
    browser
        .find("//nav//a[@aria-current = 'page' and normalize-space(.) = 'Tenants']")
        .await;
    let menu = browser
        .run("return [...document.querySelectorAll('nav[aria-label=\"Pages\"] a')].map(link => link.textContent.trim())")
        .await;
    assert_eq!(menu, json!(["Tenants", "Settings"]));
    browser.look("tenants-empty").await;
    browser.press("New tenant").await;
    browser.fill("Name", "Acme").await;
    browser.fill("Short name", "Not this!").await;
    browser.fill("Seconds that leases hold", "3600").await;
    browser
        .fill("Web pages that may call the API", "https://app.example.com/path")
        .await;
    browser.press("Create tenant").await;
    browser
        .find("//dialog//*[@class = 'error' and contains(., 'origins')]")
        .await;
    browser.look("tenant-new-wrong").await;
    browser.look_narrow("tenant-new-wrong").await;
    browser.fill("Short name", "acme").await;
    browser
        .fill("Web pages that may call the API", "https://app.example.com")
        .await;
    browser.press("Create tenant").await;
    let first = keep_secret(&browser).await;
    browser.is_at("Acme").await;
    browser.sees("3,600 seconds").await;
    browser.look("tenant").await;
    browser.look_narrow("tenant").await;

    let theirs = Browser::start(&app).await;
    theirs.open("/products").await;
    theirs.log_in(first.as_str().unwrap()).await;
    theirs.is_at("Products").await;
    theirs.press("New product").await;
    theirs.fill("Code", "ACM").await;
    theirs.fill("Name", "Acme Editor").await;
    theirs.press("Create product").await;
    theirs.sees("ACM created").await;
    theirs.finish().await;
    let client = app.client.with_key(&first);
    assert_eq!(client.get("/products").await.expect(200)[0]["code"], "ACM");
    assert_eq!(app.client.get("/products").await.expect(200), json!([]));

    browser.press("Edit").await;
    browser.fill("Name", "Acme & Sons").await;
    browser.fill("Requests a minute", "600").await;
    browser.choose("Ledger", "Anyone may read it").await;
    browser.press("Save").await;
    browser.is_at("Acme & Sons").await;
    let tenants = app.operator().get("/tenants").await.expect(200);
    assert_eq!(
        tenants[0]["config_overrides"],
        json!({
            "lease_ttl": 3600, "rate_limit_per_minute": 600, "ledger_public": true,
            "cors_origins": ["https://app.example.com"],
        })
    );
    browser.press("New API key").await;
    browser.fill("Name", "Rescue").await;
    browser.field("admin").await.click().await.unwrap();
    browser.press("Create API key").await;
    let second = keep_secret(&browser).await;
    assert_eq!(
        app.client
            .with_key(&second)
            .get("/api-keys")
            .await
            .expect(200)
            .as_array()
            .unwrap()
            .len(),
        2
    );

    browser.follow("Tenants").await;
    browser.is_at("Tenants").await;
    browser.sees("Acme & Sons").await;
    browser.look("tenants").await;
    browser.look_narrow("tenants").await;
    browser.follow("Acme & Sons").await;
    browser.press("Close tenant").await;
    browser.look("tenant-close").await;
    browser.fill("Type \u{201c}acme\u{201d} to go on", "acme").await;
    browser.press("Close tenant").await;
    browser.sees("No tenants yet").await;
    client.get("/products").await.expect_problem(401, "UNAUTHORIZED");
    browser.finish_after_refusals().await;
    app.finish().await;
}

#[tokio::test]
async fn settings_are_shown_and_found_and_no_secret_is_among_them() {
    let database = TestDatabase::create().await;
    let url = database.url();
    let node = Node::on_database_with(&url, &[("VINZY_METRICS_TOKEN", METRICS_TOKEN)]);
    let browser = Browser::at(&node.client.base).await;
    browser.open("/settings").await;
    browser.log_in(SUPER_ADMIN_KEY).await;
    browser.is_at("Settings").await;
    browser.sees("VINZY_LEASE_TTL").await;
    browser
        .find("//tr[contains(., 'VINZY_SUPER_ADMIN_KEY')]//*[. = 'set']")
        .await;
    browser
        .find("//tr[contains(., 'VINZY_HMAC_KEYS')]//*[. = 'not set']")
        .await;
    browser
        .find("//tr[contains(., 'VINZY_LOG')]//*[. = 'environment']")
        .await;
    browser.look("settings").await;
    browser.look_narrow("settings").await;
    let html = browser.run("return document.documentElement.outerHTML").await;
    let (_, address) = url.split_once("://").unwrap();
    for secret in [
        SECRET,
        HMAC_KEY,
        SIGNING_KEY,
        ADMIN_KEY,
        SUPER_ADMIN_KEY,
        METRICS_TOKEN,
        address,
    ] {
        assert!(!html.as_str().unwrap().contains(secret), "{secret} is shown");
    }
    browser.fill("Search settings", "lease").await;
    browser.gone("VINZY_SUPER_ADMIN_KEY").await;
    browser.sees("VINZY_LEASE_TTL").await;
    assert_eq!(browser.path().await, "/settings?q=lease");
    browser.fill("Search settings", "nothing is called so").await;
    browser.sees("No setting found").await;
    browser.finish().await;
    assert!(node.terminate().success());
    database.drop().await;
}
