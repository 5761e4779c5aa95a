//! How the dashboard reaches a browser: by whichever address, under a strict policy, compressed, once.

use reqwest::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, HeaderMap, LOCATION, VARY,
};
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::proxy::Proxy;
use crate::support::{ADMIN_KEY, TestApp, server_config};

/// The files that the page names, as the server has them.
async fn assets(app: &TestApp) -> Vec<String> {
    let page = app.client.get_anonymously("/dashboard/").await.expect(200);
    let page = page.as_str().unwrap();
    let names = page.split('"').filter_map(|part| part.strip_prefix("assets/"));
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort();
    names.dedup();
    assert!(names.len() >= 5, "{page}");
    names
}

async fn fetch(app: &TestApp, path: &str, encodings: &str) -> (u16, HeaderMap, Vec<u8>) {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let request = client
        .get(format!("{}{path}", app.client.base))
        .header(ACCEPT_ENCODING, encodings);
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    (status, headers, answer.bytes().await.unwrap().to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_compressed_and_kept_for_good_and_the_page_is_not() {
    let app = TestApp::start().await;
    for name in assets(&app).await {
        let path = format!("/dashboard/assets/{name}");
        let (status, headers, plain) = fetch(&app, &path, "identity").await;
        assert_eq!(status, 200, "{name}");
        assert!(!headers.contains_key(CONTENT_ENCODING), "{name}");
        assert_eq!(
            headers[CACHE_CONTROL], "public, max-age=31536000, immutable",
            "{name}"
        );
        for (accepted, used) in [
            ("gzip, deflate, br, zstd", "br"),
            ("gzip", "gzip"),
            ("br;q=0, gzip", "gzip"),
        ] {
            let (_, headers, small) = fetch(&app, &path, accepted).await;
            assert_eq!(headers[CONTENT_ENCODING], used, "{name}");
            assert_eq!(headers[VARY], "accept-encoding", "{name}");
            assert!(
                small.len() < plain.len() || plain.len() < 1000,
                "{name} is not smaller"
            );
        }
    }
    for path in ["/dashboard/", "/dashboard/licenses/x", "/dashboard/ledger?type=a"] {
        let (status, headers, page) = fetch(&app, path, "br").await;
        assert_eq!(
            (status, &headers[CACHE_CONTROL]),
            (200, &"no-cache".parse().unwrap()),
            "{path}"
        );
        assert!(String::from_utf8(page).unwrap().contains("<base href="));
    }
    let (status, headers, _) = fetch(&app, "/dashboard?x=1", "br").await;
    assert_eq!(
        (status, &headers[LOCATION]),
        (308, &"dashboard/?x=1".parse().unwrap())
    );
    let (status, ..) = fetch(&app, "/dashboard/assets/nothing.js", "br").await;
    assert_eq!(status, 404);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_is_strict_and_everything_comes_from_here() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let (_, headers, page) = fetch(&app, "/dashboard/", "identity").await;
    let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
    let rules: Vec<&str> = policy.split(';').map(str::trim).collect();
    for rule in [
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "style-src 'self'",
        "connect-src 'self'",
        "worker-src 'self'",
        "frame-ancestors 'none'",
    ] {
        assert!(rules.contains(&rule), "{policy} lacks {rule}");
    }
    assert!(!policy.contains("unsafe-inline") && !policy.contains('*') && !policy.contains("http"));
    let page = String::from_utf8(page).unwrap();
    assert!(!page.contains("style=") && !page.contains("<style") && !page.contains("onclick"));

    let browser = Browser::logged_in(&app, "/").await;
    browser.is_at("Overview").await;
    let id = license["id"].as_str().unwrap();
    let license = format!("/licenses/{id}");
    for path in [
        "/licenses",
        &license,
        "/customers",
        "/products",
        "/anomalies",
        "/ledger",
        "/ledger/3",
        "/webhooks",
        "/api-keys",
    ] {
        browser.open(path).await;
        browser.find("//main//h1").await;
        only_from_here(&browser, &app.client.base).await;
    }
    browser.open("/ledger/verify").await;
    browser.press("Verify everything").await;
    browser.sees("The ledger is proven").await;
    only_from_here(&browser, &app.client.base).await;
    // What breaks the policy stands on the console.
    browser.finish().await;
    app.finish().await;
}

/// The browser has asked nobody else.
async fn only_from_here(browser: &Browser, base: &str) {
    let asked = "return performance.getEntriesByType('resource').map(entry => entry.name)";
    for address in browser.run(asked).await.as_array().unwrap() {
        let address = address.as_str().unwrap();
        assert!(address.starts_with(base), "{address} was asked");
    }
}

/// The page works at whatever address: deep links, reloads, links, the API, the verifier.
async fn works_at(base: &str) {
    let browser = Browser::at(base).await;
    browser.driver.goto(format!("{base}/dashboard")).await.unwrap();
    browser.log_in(ADMIN_KEY).await;
    browser.is_at("Overview").await;
    assert_eq!(browser.path().await, "/");
    browser.open("/ledger/3").await;
    browser.is_at("Event 3").await;
    browser.driver.refresh().await.unwrap();
    browser.is_at("Event 3").await;
    assert_eq!(browser.path().await, "/ledger/3");
    browser.follow("Event 2").await;
    browser.is_at("Event 2").await;
    assert_eq!(browser.path().await, "/ledger/2");
    browser.follow("Products").await;
    browser.is_at("Products").await;
    browser
        .find("//nav//a[@aria-current = 'page'][contains(., 'Products')]")
        .await;
    browser.fill("Search by code or name", "prd").await;
    // The list follows a moment after the last key.
    crate::support::eventually("what is searched for stands in the address", || async {
        browser.path().await == "/products?q=prd"
    })
    .await;
    browser.sees("My Product").await;
    browser.driver.back().await.unwrap();
    browser.open("/ledger/verify").await;
    browser.press("Verify everything").await;
    browser.sees("The ledger is proven").await;
    only_from_here(&browser, base).await;
    browser.finish_after_refusals().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_works_below_a_prefix_of_the_server() {
    let mut config = server_config();
    config.api_prefix = "/licensing/v1".into();
    let app = TestApp::start_with(config).await;
    app.license().await;
    works_at(&app.client.base).await;
    app.stop().await.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_works_behind_a_proxy_that_strips_a_part_of_the_path() {
    let app = TestApp::start().await;
    app.license().await;
    let proxy = Proxy::stripping("/tools/licensing", &app.client.base).await;
    works_at(&proxy.base).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_load_is_small_and_the_second_asks_for_next_to_nothing() {
    let app = TestApp::start().await;
    let browser = Browser::start(&app).await;
    browser.open("/").await;
    browser.is_at("Log in").await;
    let loaded = "const entries = performance.getEntriesByType('resource').filter(entry => entry.name.includes('/assets/'));
        const sum = of => entries.reduce((all, entry) => all + entry[of], 0);
        return {count: entries.length, transferred: sum('transferSize'), compressed: sum('encodedBodySize'), whole: sum('decodedBodySize')}";
    let first = browser.run(loaded).await;
    let number = |of: &Value, name: &str| of[name].as_u64().unwrap();
    assert!(
        number(&first, "compressed") * 2 < number(&first, "whole"),
        "{first}"
    );
    if is_optimised() {
        assert!(number(&first, "compressed") <= 600 * 1024, "{first}");
    }
    browser.driver.refresh().await.unwrap();
    browser.is_at("Log in").await;
    let second = browser.run(loaded).await;
    assert_eq!(second["transferred"], json!(0), "all of it is kept: {second}");
    // Whoever does not verify does not fetch the verifier.
    let asked = browser
        .run("return performance.getEntriesByType('resource').map(entry => entry.name)")
        .await;
    assert!(!asked.to_string().contains("/verif"), "{asked}");
    browser.finish_after_refusals().await;
    app.finish().await;
}

/// Whether what is served is what users get.
fn is_optimised() -> bool {
    let stamp = concat!(env!("CARGO_MANIFEST_DIR"), "/frontend/dist/built-from.txt");
    std::fs::read_to_string(stamp).is_ok_and(|stamp| stamp.contains(" small"))
}
