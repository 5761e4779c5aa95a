//! Logging in and out of the dashboard.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use vinzy_engine::config::{AccessConfig, ServerConfig};

use crate::support::client::{Answer, send};
use crate::support::database::TestDatabase;
use crate::support::node::Node;
use crate::support::{ADMIN_KEY, SUPER_ADMIN_KEY, TestApp, server_config};

async fn log_in(app: &TestApp, key: &str) -> Answer {
    app.client.ask("/session", &json!({"api_key": key})).await
}

/// Name and value of the cookie that an answer sets.
fn cookie(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_session_may_do_what_its_key_may_until_it_is_ended() {
    let app = TestApp::start().await;
    let answer = log_in(&app, ADMIN_KEY).await;
    let attributes: Vec<&str> = answer.header("set-cookie").split("; ").skip(1).collect();
    assert_eq!(
        attributes,
        ["Path=/", "Max-Age=43200", "HttpOnly", "SameSite=Strict"]
    );
    let cookie = cookie(&answer);
    assert!(!cookie.contains(ADMIN_KEY));
    let who = answer.expect(201);
    assert_eq!(
        (&who["role"], &who["tenant"], &who["expires_at"]),
        (
            &json!("admin"),
            &json!("default"),
            &json!("2026-03-02T00:00:00.000000Z")
        )
    );
    let with = |method: Method, path: &str| app.client.request(method, path).header("Cookie", &cookie);
    assert_eq!(send(with(Method::GET, "/session")).await.expect(200), who);
    let body = json!({"code": "PRD", "name": "x"});
    send(with(Method::POST, "/products").json(&body))
        .await
        .expect(201);

    let out = send(with(Method::DELETE, "/session")).await;
    assert!(
        out.header("set-cookie").contains("Max-Age=0"),
        "{:?}",
        out.headers
    );
    out.expect(204);
    send(with(Method::GET, "/session"))
        .await
        .expect_problem(401, "UNAUTHORIZED");
    // Again there is nothing to end. With an API key beside it, it is the cookie's session that ends.
    send(with(Method::DELETE, "/session")).await.expect(204);
    let cookie = self::cookie(&log_in(&app, ADMIN_KEY).await);
    let both = app
        .client
        .authorized(Method::DELETE, "/session")
        .header("Cookie", &cookie);
    send(both).await.expect(204);
    let get = app
        .client
        .request(Method::GET, "/session")
        .header("Cookie", &cookie);
    send(get).await.expect_problem(401, "UNAUTHORIZED");
    app.finish().await;
}

#[tokio::test]
async fn the_way_of_a_change_is_noted() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let key = app.client.api_key(&["support"]).await;
    let cookie = cookie(&log_in(&app, key["api_key"].as_str().unwrap()).await);
    let path = format!("/licenses/{}/suspend", license["id"].as_str().unwrap());
    send(app.client.request(Method::POST, &path).header("Cookie", cookie))
        .await
        .expect(200);
    let leaf = app
        .database
        .count("SELECT count(*) FROM events WHERE convert_from(leaf, 'UTF8')::json #>> '{meta,actor,via}' = 'dashboard'")
        .await;
    assert_eq!(leaf, 1);
    app.finish().await;
}

#[tokio::test]
async fn other_web_pages_can_make_a_browser_do_nothing() {
    let app = TestApp::start().await;
    let cookie = cookie(&log_in(&app, ADMIN_KEY).await);
    let body = json!({"code": "PRD", "name": "x"});
    let post = |headers: &[(&str, &str)]| {
        let mut request = app.client.request(Method::POST, "/products").json(&body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.header("Cookie", &cookie)
    };
    let own = app.client.base.clone();
    for foreign in [
        &[("Sec-Fetch-Site", "cross-site")][..],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Origin", "https://evil.example")],
        &[("Origin", "null")],
    ] {
        send(post(foreign)).await.expect_problem(403, "FORBIDDEN");
    }
    send(post(&[("Sec-Fetch-Site", "same-origin"), ("Origin", &own)]))
        .await
        .expect(201);
    // Nor log it in as somebody else.
    let log_in = app
        .client
        .request(Method::POST, "/session")
        .json(&json!({"api_key": ADMIN_KEY}))
        .header("Sec-Fetch-Site", "cross-site");
    send(log_in).await.expect_problem(403, "FORBIDDEN");
    app.finish().await;
}

#[tokio::test]
async fn a_session_ends_with_its_time_or_with_its_key() {
    let app = TestApp::start().await;
    let key = app.client.api_key(&["read"]).await;
    let secret = key["api_key"].as_str().unwrap();
    let first = log_in(&app, secret).await;
    let first_cookie = cookie(&first);
    let who = first.expect(201);
    assert_eq!(
        (&who["role"], &who["api_key_id"], &who["scopes"]),
        (&json!("tenant"), &key["id"], &json!(["read"]))
    );
    let get = |cookie: &str| {
        app.client
            .request(Method::GET, "/products")
            .header("Cookie", cookie.to_owned())
    };
    send(get(&first_cookie)).await.expect(200);
    app.advance(Duration::from_hours(12));
    send(get(&first_cookie)).await.expect_problem(401, "UNAUTHORIZED");

    let second = cookie(&log_in(&app, secret).await);
    assert_eq!(
        app.database.count("SELECT count(*) FROM sessions").await,
        1,
        "the one that has ended is cleared away"
    );
    let path = format!("/api-keys/{}", key["id"].as_str().unwrap());
    app.client.delete(&path).await.expect(204);
    send(get(&second)).await.expect_problem(401, "UNAUTHORIZED");
    log_in(&app, secret).await.expect_problem(401, "UNAUTHORIZED");
    app.finish().await;
}

#[tokio::test]
async fn logging_in_again_ends_the_session_of_before() {
    let app = TestApp::start().await;
    let before = cookie(&log_in(&app, ADMIN_KEY).await);
    let again = app
        .client
        .request(Method::POST, "/session")
        .json(&json!({"api_key": SUPER_ADMIN_KEY}))
        .header("Cookie", &before);
    let again = send(again).await;
    let now = cookie(&again);
    let who = again.expect(201);
    assert_eq!(
        (&who["role"], &who["tenant"]),
        (&json!("super_admin"), &Value::Null)
    );
    let get = |cookie: &str| {
        app.client
            .request(Method::GET, "/tenants")
            .header("Cookie", cookie.to_owned())
    };
    send(get(&before)).await.expect_problem(401, "UNAUTHORIZED");
    send(get(&now)).await.expect(200);
    app.finish().await;
}

#[tokio::test]
async fn behind_a_trusted_proxy_with_tls_the_cookie_is_for_encrypted_connections_only() {
    let config = server_config();
    let config = ServerConfig {
        access: AccessConfig {
            trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
            ..config.access
        },
        ..config
    };
    let app = TestApp::start_with(config).await;
    let request = app
        .client
        .request(Method::POST, "/session")
        .json(&json!({"api_key": ADMIN_KEY}))
        .header("X-Forwarded-Proto", "https");
    let answer = send(request).await;
    let set = answer.header("set-cookie").to_owned();
    assert!(
        set.starts_with("__Host-vinzy_session=") && set.ends_with("; Secure") && set.contains("Path=/;"),
        "{set}"
    );
    assert!(answer.header("strict-transport-security").starts_with("max-age="));
    let cookie = cookie(&answer);
    let get = |cookie: &str, proto: &str| {
        app.client
            .request(Method::GET, "/session")
            .header("Cookie", cookie.to_owned())
            .header("X-Forwarded-Proto", proto.to_owned())
    };
    send(get(&cookie, "https")).await.expect(200);
    // The other cookie can be set by whoever shares the domain, so here it counts for nothing.
    let plain = cookie.replace("__Host-", "");
    send(get(&plain, "https"))
        .await
        .expect_problem(401, "UNAUTHORIZED");
    send(get(&format!("vinzy_session=x; {cookie}"), "https"))
        .await
        .expect(200);
    send(get(&cookie, "http"))
        .await
        .expect_problem(401, "UNAUTHORIZED");
    app.finish().await;
}

#[tokio::test]
async fn a_session_ends_no_later_than_its_key() {
    let app = TestApp::start().await;
    let soon = json!({"name": "soon", "scopes": ["read"], "expires_at": "2026-03-01T12:01:00Z"});
    let key = app.client.post("/api-keys", &soon).await.expect(201);
    let answer = log_in(&app, key["api_key"].as_str().unwrap()).await;
    assert!(answer.header("set-cookie").contains("Max-Age=60;"));
    assert_eq!(answer.expect(201)["expires_at"], "2026-03-01T12:01:00.000000Z");
    app.finish().await;
}

#[tokio::test]
async fn logging_out_holds_on_every_node() {
    let database = TestDatabase::create().await;
    let (one, two) = (
        Node::on_database(&database.url()),
        Node::on_database(&database.url()),
    );
    let answer = one.client.ask("/session", &json!({"api_key": ADMIN_KEY})).await;
    let cookie = cookie(&answer);
    let on = |node: &Node, method: Method| node.client.request(method, "/session").header("Cookie", &cookie);
    send(on(&two, Method::GET)).await.expect(200);
    send(on(&one, Method::DELETE)).await.expect(204);
    send(on(&two, Method::GET))
        .await
        .expect_problem(401, "UNAUTHORIZED");
    drop((one, two));
    database.drop().await;
}
