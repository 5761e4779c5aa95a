//! What may be asked, from where, and how much.

use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use vinzy_engine::config::{AccessConfig, ServerConfig};

use crate::support::client::send;
use crate::support::{SUPER_ADMIN_KEY, TestApp, eventually, server_config};

async fn start(change: impl FnOnce(&mut AccessConfig)) -> TestApp {
    let mut config = server_config();
    change(&mut config.access);
    TestApp::start_with(config).await
}

/// Rates that nothing but the one under test reaches.
fn rates(access: &mut AccessConfig) {
    access.rate_limit_enabled = true;
    access.rate_limit_public_per_minute = 0;
    access.rate_limit_admin_per_minute = 0;
    access.rate_limit_login_per_minute = 0;
    access.rate_limit_key_per_minute = 0;
}

/// The first `count` pass, the next is told when to come again.
async fn passes(count: usize, request: impl Fn() -> RequestBuilder) {
    for _ in 0..count {
        let answer = send(request()).await;
        assert_ne!(answer.status, 429, "{}", answer.body);
    }
    let answer = send(request()).await;
    let seconds: u32 = answer.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    answer.expect_problem(429, "RATE_LIMITED");
}

#[tokio::test]
async fn each_kind_of_route_has_its_rate_per_address() {
    let app = start(|access| {
        rates(access);
        access.rate_limit_public_per_minute = 3;
        access.rate_limit_admin_per_minute = 4;
        access.rate_limit_login_per_minute = 2;
    })
    .await;
    let post = |path: &str| app.client.request(Method::POST, path).json(&json!({}));
    passes(3, || post("/validate")).await;
    passes(4, || post("/licenses")).await;
    passes(2, || post("/session")).await;
    // Whoever watches the server is not kept out.
    for _ in 0..10 {
        app.client.get_anonymously("/health").await.expect(200);
    }
    app.finish().await;
}

#[tokio::test]
async fn clients_behind_a_trusted_proxy_are_apart() {
    let app = start(|access| {
        rates(access);
        access.rate_limit_public_per_minute = 2;
        access.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    })
    .await;
    for client in ["192.0.2.1", "192.0.2.2"] {
        passes(2, || {
            app.client
                .request(Method::POST, "/validate")
                .json(&json!({}))
                .header("X-Forwarded-For", client)
        })
        .await;
    }
    app.finish().await;
}

#[tokio::test]
async fn keys_have_their_rate_whatever_address_they_come_from() {
    let app = start(|access| {
        rates(access);
        access.rate_limit_key_per_minute = 6;
    })
    .await;
    // Three of the admin's requests, which have a bucket of their own.
    let license = app.license().await;
    let key = app.client.api_key(&["read"]).await;
    let reader = app.client.with_key(&key["api_key"]);
    passes(6, || reader.authorized(Method::GET, "/products")).await;
    let body = json!({"key": license["key"]});
    passes(6, || app.client.request(Method::POST, "/validate").json(&body)).await;
    let usage = json!({"key": license["key"], "metric": "m"});
    app.client
        .ask("/usage/record", &usage)
        .await
        .expect_problem(429, "RATE_LIMITED");
    app.finish().await;
}

#[tokio::test]
async fn a_tenant_has_its_rate_and_others_do_not_feel_it() {
    let app = start(rates).await;
    let (tenant, client) = app.tenant("acme").await;
    let license = client.license().await;
    let path = format!("/tenants/{}", tenant["id"].as_str().unwrap());
    let change = json!({"config_overrides": {"rate_limit_per_minute": 5}});
    app.operator().patch(&path, &change).await.expect(200);
    let body = json!({"key": license["key"]});
    passes(5, || app.client.request(Method::POST, "/validate").json(&body)).await;
    // What applications ask does not keep the vendor out.
    passes(5, || client.authorized(Method::GET, "/products")).await;
    app.client.get("/products").await.expect(200);
    let free = json!({"config_overrides": {}});
    app.operator().patch(&path, &free).await.expect(200);
    app.client.ask("/validate", &body).await.expect(200);
    app.finish().await;
}

#[tokio::test]
async fn only_listed_addresses_are_let_in() {
    let app = start(|access| {
        access.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        access.ip_allowlist = vec!["10.0.0.0/8".parse().unwrap(), "127.0.0.1/32".parse().unwrap()];
        access.admin_ip_allowlist = vec!["10.1.0.0/16".parse().unwrap(), "127.0.0.1/32".parse().unwrap()];
    })
    .await;
    let from = |path: &str, address: &str| {
        app.client
            .authorized(Method::GET, path)
            .header("X-Forwarded-For", address.to_owned())
    };
    for (path, address, status) in [
        ("/health", "192.0.2.1", 403),
        ("/health", "10.2.0.1", 200),
        ("/products", "10.2.0.1", 403),
        ("/products", "10.1.0.1", 200),
        ("/metrics", "10.2.0.1", 403),
        ("/metrics", "10.1.0.1", 200),
        ("/t/default/checkpoint", "10.2.0.1", 403),
        ("/t/default/checkpoint", "10.1.0.1", 200),
        ("/products", "nonsense", 403),
        ("/nowhere", "192.0.2.1", 403),
        ("/docs", "192.0.2.1", 403),
    ] {
        let answer = send(from(path, address)).await;
        assert_eq!(answer.status, status, "{path} from {address}");
    }
    app.finish().await;
}

/// Also what browsers ask before they ask.
#[tokio::test]
async fn preflights_pass_the_gate_like_everything_else() {
    let app = start(|access| {
        rates(access);
        access.rate_limit_public_per_minute = 2;
        access.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        access.ip_allowlist = vec!["10.0.0.0/8".parse().unwrap(), "127.0.0.1/32".parse().unwrap()];
    })
    .await;
    let preflight = |address: &str| {
        app.client
            .request(Method::OPTIONS, "/validate")
            .header("Access-Control-Request-Method", "POST")
            .header("Origin", "https://evil.example")
            .header("X-Forwarded-For", address.to_owned())
    };
    send(preflight("192.0.2.1"))
        .await
        .expect_problem(403, "FORBIDDEN");
    passes(2, || preflight("10.0.0.1")).await;
    app.finish().await;
}

#[tokio::test]
async fn one_client_cannot_take_all_room_for_large_bodies() {
    let app = start(|_| ()).await;
    let license = app.license().await;
    let address = app.client.base.strip_prefix("http://").unwrap().to_owned();
    let mut held = vec![];
    for _ in 0..10 {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let head = "POST /usage/batch HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1048576\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        // Those beyond the client's share are answered before they have sent it all.
        let _ = stream.write_all(&vec![b' '; 1_048_575]).await;
        held.push(stream);
    }
    // Whichever came last, whatever that is to the server: of ten, eight have room.
    let answers = held.iter_mut().map(|stream| {
        Box::pin(async move {
            let mut answer = vec![0; 4096];
            let read = stream.read(&mut answer).await.unwrap();
            String::from_utf8_lossy(&answer[..read]).into_owned()
        })
    });
    let first = tokio::time::timeout(Duration::from_secs(30), futures::future::select_all(answers));
    let (answer, _, others) = first.await.unwrap();
    drop(others);
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.contains("OVERLOADED"),
        "{answer}"
    );
    // Small ones have room of their own.
    assert_eq!(app.client.validate(&license["key"]).await["valid"], true);
    drop(held);
    app.finish().await;
}

#[tokio::test]
async fn web_pages_that_are_allowed_see_answers_and_others_do_not() {
    let app = start(|access| access.cors_origins = vec!["https://console.example".into()]).await;
    let (tenant, client) = app.tenant("acme").await;
    let path = format!("/tenants/{}", tenant["id"].as_str().unwrap());
    let change = json!({"config_overrides": {"cors_origins": ["https://acme.example"]}});
    app.operator().patch(&path, &change).await.expect(200);
    let allowed = async |request: RequestBuilder, origin: &str| {
        let answer = send(request.header("Origin", origin.to_owned())).await;
        assert!(
            answer
                .headers
                .get_all("vary")
                .iter()
                .any(|value| value == "origin"),
            "{:?}",
            answer.headers
        );
        assert_eq!(answer.header("access-control-allow-credentials"), "");
        answer.header("access-control-allow-origin") == origin
    };
    for (origin, own, public) in [
        ("https://console.example", true, true),
        ("https://acme.example", true, true),
        ("https://evil.example", false, false),
    ] {
        assert_eq!(
            allowed(client.authorized(Method::GET, "/products"), origin).await,
            own
        );
        let validate = app.client.request(Method::POST, "/validate").json(&json!({}));
        assert_eq!(allowed(validate, origin).await, public, "{origin}");
        let preflight = app
            .client
            .request(Method::OPTIONS, "/licenses")
            .header("Access-Control-Request-Method", "POST");
        assert_eq!(allowed(preflight, origin).await, public, "{origin}");
    }
    // A tenant's page has no business with another tenant's key.
    let default = app.client.authorized(Method::GET, "/products");
    assert!(!allowed(default, "https://acme.example").await);
    let preflight = app
        .client
        .request(Method::OPTIONS, "/licenses")
        .header("Access-Control-Request-Method", "POST")
        .header("Origin", "https://console.example");
    let answer = send(preflight).await;
    assert!(
        answer
            .header("access-control-allow-headers")
            .contains("x-vinzy-api-key")
    );
    answer.expect(204);
    app.finish().await;
}

#[tokio::test]
async fn answers_carry_what_browsers_should_heed() {
    let app = start(|_| ()).await;
    for path in ["/health", "/products", "/nowhere"] {
        let answer = app.client.get(path).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
            (
                "content-security-policy",
                "default-src 'none'; frame-ancestors 'none'",
            ),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.header(name), value, "{path} {name}");
        }
        assert_eq!(answer.header("strict-transport-security"), "", "not encrypted");
    }
    app.finish().await;
}

#[tokio::test]
async fn beyond_its_room_the_server_says_when_to_come_again() {
    let app = start(|access| access.max_concurrent_requests = 1).await;
    let license = app.license().await;
    let other = app.app.pool.clone();
    // Somebody holds the ledger's row: the first request waits, and has the only place.
    let mut lock = other.begin().await.unwrap();
    sqlx::query("SELECT FROM ledgers WHERE ledger_id = 'default' FOR UPDATE")
        .execute(&mut *lock)
        .await
        .unwrap();
    let client = app.client.clone();
    let usage = json!({"key": license["key"], "metric": "m"});
    let waiting = tokio::spawn(async move {
        loop {
            let answer = client.ask("/usage/record", &usage).await;
            if answer.status != 503 {
                return answer.expect(200);
            }
        }
    });
    eventually("there is no room", || async {
        let answer = app.client.get("/products").await;
        if answer.status == 503 {
            assert_eq!(answer.header("retry-after"), "1");
            answer.expect_problem(503, "OVERLOADED");
            return true;
        }
        false
    })
    .await;
    // Whoever watches is answered.
    app.client.get_anonymously("/health").await.expect(200);
    lock.rollback().await.unwrap();
    assert_eq!(waiting.await.unwrap()["code"], "RECORDED");
    app.client.get("/products").await.expect(200);
    app.finish().await;
}

/// A body that comes slowly takes no room from others, and comes to an end.
#[tokio::test]
async fn slow_bodies_keep_nobody_out() {
    let app = start(|access| access.max_concurrent_requests = 1).await;
    let address = app.client.base.strip_prefix("http://").unwrap().to_owned();
    let mut slow = vec![];
    for _ in 0..50 {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let head = "POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{";
        stream.write_all(head.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    for _ in 0..20 {
        app.client.get("/products").await.expect(200);
    }
    // One that ends after all is answered.
    let mut last = slow.pop().unwrap();
    last.write_all(&[b' '; 998]).await.unwrap();
    last.write_all(b"}").await.unwrap();
    let mut answer = vec![0; 4096];
    let read = tokio::time::timeout(Duration::from_secs(10), last.read(&mut answer))
        .await
        .unwrap()
        .unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]);
    assert!(answer.starts_with("HTTP/1.1 422"), "{answer}");
    drop(slow);
    app.finish().await;
}

#[tokio::test]
async fn a_body_is_refused_by_its_announced_size() {
    let app = start(|_| ()).await;
    let address = app.client.base.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "POST /usage/batch HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 413") && answer.contains("1048576"),
        "{answer}"
    );
    app.finish().await;
}

#[tokio::test]
async fn settings_of_the_server_are_taken_from_the_environment() {
    let database = crate::support::database::TestDatabase::create().await;
    let settings = [
        ("VINZY_RATE_LIMIT_ENABLED", "true"),
        ("VINZY_RATE_LIMIT_ADMIN_PER_MINUTE", "1"),
        ("VINZY_ADMIN_IP_ALLOWLIST", "127.0.0.1, ::1"),
    ];
    let node = crate::support::node::Node::on_database_with(&database.url(), &settings);
    let operator = node.client.with_key(&json!(SUPER_ADMIN_KEY));
    operator.get("/tenants").await.expect(200);
    operator.get("/tenants").await.expect_problem(429, "RATE_LIMITED");
    drop(node);
    database.drop().await;
}

#[test]
fn limits_hold_unless_somebody_says_otherwise() {
    let defaults = AccessConfig::default();
    assert!(defaults.rate_limit_enabled);
    let ServerConfig { access, .. } = server_config();
    assert!(!access.rate_limit_enabled, "other tests ask a lot");
}
