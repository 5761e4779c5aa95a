//! Bad input of every kind to every route: always a problem document, never a 500.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::TestApp;
use crate::support::client::send;

const UUID: &str = "0197f0a2-0000-7000-8000-000000000000";

/// An operation of the API.
struct Operation {
    method: Method,
    /// A path that leads to it.
    path: String,
    takes_body: bool,
    /// Whether it takes none, too.
    body_optional: bool,
    /// Whether it wants the admin's key.
    admin: bool,
}

/// Every operation of the API, from its own description.
fn operations() -> Vec<Operation> {
    let document = serde_json::to_value(vinzy_engine::http::description()).unwrap();
    let mut operations = vec![];
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let Ok(method) = method.to_uppercase().parse::<Method>() else {
                continue;
            };
            let mut concrete = path.clone();
            while let (Some(open), Some(close)) = (concrete.find('{'), concrete.find('}')) {
                concrete.replace_range(open..=close, UUID);
            }
            operations.push(Operation {
                method,
                path: concrete,
                takes_body: operation.get("requestBody").is_some(),
                body_optional: operation["requestBody"]["required"] != true,
                admin: operation.get("security").is_some(),
            });
        }
    }
    assert!(operations.len() >= 55, "{}", operations.len());
    operations
}

/// What stands open to whoever has a license key, or to everyone.
const PUBLIC: [&str; 14] = [
    "/.well-known/jwks.json",
    "/activate",
    "/deactivate",
    "/health",
    "/heartbeat",
    "/metrics",
    "/ready",
    "/session",
    "/usage/batch",
    "/usage/record",
    "/validate",
    "/validate/agent",
    SIGNED[0],
    SIGNED[1],
];

/// What takes bodies that are signed, and looks at no others: `provisioning` has odd ones signed.
const SIGNED: [&str; 2] = ["/webhooks/polar", "/webhooks/stripe"];

#[test]
fn nothing_is_public_by_mistake() {
    let mut public: Vec<String> = operations()
        .into_iter()
        .filter(|operation| !operation.admin)
        .map(|operation| operation.path)
        .collect();
    public.sort_unstable();
    public.dedup();
    assert_eq!(public, PUBLIC);
}

#[tokio::test]
async fn odd_bodies_are_refused_by_every_route_that_takes_one() {
    let app = TestApp::start().await;
    let nested = |depth| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    let (deep, little) = (nested(5000), nested(65));
    let bodies: Vec<(&str, Vec<u8>, &[u16])> = vec![
        ("malformed", b"{\"a\":".into(), &[400]),
        ("trailing", b"{} {}".into(), &[400]),
        ("not UTF-8", b"{\"name\":\"\xff\xfe\"}".into(), &[400]),
        ("lone surrogate", br#"{"name":"\ud800"}"#.into(), &[400]),
        (
            "number beyond range",
            br#"{"metadata":{"n":1e999}}"#.into(),
            &[400],
        ),
        ("deep", deep.into(), &[422]),
        ("a little too deep", little.into(), &[422]),
        ("NUL in text", br#"{"name":"a\u0000b"}"#.into(), &[422]),
        ("NUL in key", br#"{"metadata":{"\u0000":1}}"#.into(), &[422]),
        (
            "inexact integer",
            br#"{"metadata":{"n":12345678901234567890123}}"#.into(),
            &[422],
        ),
        ("duplicate key", br#"{"name":"a","name":"b"}"#.into(), &[422]),
        (
            "key that readers take for their own",
            br#"{"metadata":{"$serde_json::private::RawValue":"[1]"}}"#.into(),
            &[422],
        ),
        ("array", b"[]".into(), &[422]),
        ("text", b"\"x\"".into(), &[422]),
        ("null", b"null".into(), &[422]),
        (
            "too large",
            [b"{\"name\":\"".as_slice(), &vec![b'a'; 70_000], b"\"}"].concat(),
            &[413],
        ),
    ];
    let operator = app.operator();
    let reads = |one: &Operation| one.takes_body && !SIGNED.contains(&one.path.as_str());
    for operation in operations().into_iter().filter(reads) {
        let Operation {
            method,
            path,
            body_optional,
            ..
        } = operation;
        let batch = path == "/usage/batch";
        let client = if path.starts_with("/tenants") {
            &operator
        } else {
            &app.client
        };
        for (name, body, expected) in &bodies {
            if body_optional && *name == "null" {
                continue;
            }
            // A batch may be sixteen times as large, and a bare array.
            let body = if batch && *name == "too large" {
                &[b"{\"name\":\"".as_slice(), &vec![b'a'; 1_100_000], b"\"}"].concat()
            } else {
                body
            };
            let request = client
                .authorized(method.clone(), &path)
                .header("Content-Type", "application/json")
                .body(body.clone());
            let answer = send(request).await;
            assert!(
                expected.contains(&answer.status),
                "{name} to {method} {path}: {} {}",
                answer.status,
                answer.body
            );
            answer.into_problem();
        }
        let plain = client
            .authorized(method.clone(), &path)
            .header("Content-Type", "text/plain")
            .body("{}");
        send(plain).await.expect_problem(415, "UNSUPPORTED_MEDIA_TYPE");
    }
    app.finish().await;
}

/// As deep as a body may be: it must stay readable wherever it goes.
#[tokio::test]
async fn what_is_deep_and_taken_can_be_read_everywhere() {
    let app = TestApp::start().await;
    let nested = |depth: usize| -> Value {
        serde_json::from_str(&format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth))).unwrap()
    };
    let product =
        json!({"code": "PRD", "name": "x", "features": {"f": {"extra": nested(61)}}, "metadata": nested(63)});
    let product = app.client.post("/products", &product).await.expect(201);
    let customer = json!({"name": "J", "email": "j@example.com", "metadata": nested(63)});
    let customer = app.client.post("/customers", &customer).await.expect(201);
    let new = json!({"product_code": "PRD", "customer_id": customer["id"], "metadata": nested(63),
                     "entitlements": {"g": {"limit": 1000, "extra": nested(61)}}});
    let license = app.client.post("/licenses", &new).await.expect(201);
    let key = &license["key"];
    let machine = json!({"key": key, "fingerprint": "fp", "metadata": nested(63)});
    app.client.ask("/activate", &machine).await.expect(200);
    for value in [1, 1, 1, 70] {
        let usage = json!({"key": key, "metric": "g", "value": value, "metadata": nested(63)});
        assert_eq!(
            app.client.ask("/usage/record", &usage).await.expect(200)["code"],
            "RECORDED"
        );
    }
    let batch = json!({"key": key, "records": [{"metric": "g", "metadata": nested(61)}]});
    assert_eq!(
        app.client.ask("/usage/batch", &batch).await.expect(200)["recorded"],
        1
    );
    let id = license["id"].as_str().unwrap();
    for path in [
        format!("/products/{}", product["id"].as_str().unwrap()),
        format!("/customers/{}", customer["id"].as_str().unwrap()),
        format!("/entitlements/composed/{}", customer["id"].as_str().unwrap()),
        format!("/licenses/{id}"),
        format!("/licenses/{id}/machines"),
        format!("/licenses/{id}/agents"),
        format!("/usage/{id}"),
        format!("/audit/{id}"),
        format!("/audit/{id}/verify"),
        "/ledger/verify".to_owned(),
    ] {
        app.client.get(&path).await.expect(200);
    }
    assert_eq!(app.client.get("/anomalies").await.header("x-total-count"), "1");
    assert_eq!(app.client.validate(key).await["valid"], true);
    app.finish().await;
}

#[tokio::test]
async fn fields_of_every_wrong_kind_are_told_all_at_once() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let license_path = format!("/licenses/{}", license["id"].as_str().unwrap());
    let long = "x".repeat(3000);
    let cases: Vec<(Method, &str, Value, Vec<&str>)> = vec![
        (Method::POST, "/products", json!({}), vec!["code", "name"]),
        (
            Method::POST,
            "/products",
            json!({"code": "prd", "name": "", "description": 5, "features": {"a": "x"}, "metadata": []}),
            vec!["code", "description", "features.a", "metadata", "name"],
        ),
        (
            Method::POST,
            "/products",
            json!({"code": null, "name": long, "default_tier": ""}),
            vec!["code", "default_tier", "name"],
        ),
        (
            Method::POST,
            "/customers",
            json!({"name": 1, "email": "not-an-email", "company": long}),
            vec!["company", "email", "name"],
        ),
        (
            Method::POST,
            "/licenses",
            json!({"product_code": "ABCD", "customer_id": "x", "machines_limit": 0, "days_valid": -1, "tier": {}}),
            vec![
                "customer_id",
                "days_valid",
                "machines_limit",
                "product_code",
                "tier",
            ],
        ),
        (
            Method::POST,
            "/licenses",
            json!({"product_code": "PRD", "customer_id": UUID, "machines_limit": 1.5, "days_valid": 40_000, "expires_at": "soon"}),
            vec!["days_valid", "expires_at", "machines_limit"],
        ),
        (
            Method::POST,
            "/licenses",
            json!({"product_code": "PRD", "customer_id": UUID, "days_valid": 1, "expires_at": "2030-01-01T00:00:00Z"}),
            vec!["expires_at"],
        ),
        (
            Method::PATCH,
            &license_path,
            json!({"status": "banana", "machines_limit": 4_294_967_296_u64, "entitlements": {"a": {"limit": "1"}}}),
            vec!["entitlements.a.limit", "machines_limit", "status"],
        ),
        (
            Method::POST,
            "/validate",
            json!({"key": 5, "fingerprint": ""}),
            vec!["fingerprint", "key"],
        ),
        (Method::POST, "/validate", json!({}), vec!["key"]),
    ];
    for (method, path, body, fields) in cases {
        let answer = send(app.client.authorized(method, path).json(&body)).await;
        let problem = answer.expect_problem(422, "VALIDATION_ERROR");
        let mut told: Vec<&str> = problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["field"].as_str().unwrap())
            .collect();
        told.sort_unstable();
        assert_eq!(told, fields, "{path} {body}: {problem}");
    }
    let past = json!({"product_code": "PRD", "customer_id": license["customer_id"], "expires_at": "2020-01-01T00:00:00Z"});
    app.client
        .post("/licenses", &past)
        .await
        .expect_problem(422, "VALIDATION_ERROR");
    let vast = json!({"tier": "gold", "metadata": {"a": "\u{1}".repeat(10_900)}});
    app.client
        .patch(&license_path, &vast)
        .await
        .expect_problem(422, "VALIDATION_ERROR");
    app.finish().await;
}

#[tokio::test]
async fn odd_paths_and_queries_are_problems_too() {
    let app = TestApp::start().await;
    for path in [
        "/products/x",
        "/products/%00",
        "/products/%ff",
        "/customers/1",
        "/licenses/'; DROP TABLE events;--",
        "/audit/%F0%9F%94%91",
        &format!("/products/{UUID}"),
        &format!("/licenses/{UUID}"),
        "/nowhere",
        "/products/a/b",
        "//",
    ] {
        let answer = app.client.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        answer.into_problem();
    }
    for query in [
        "page=0",
        "page=x",
        "page_size=0",
        "page_size=101",
        "after=x",
        "after=-1",
        "after=99999999999999999999",
        "page=99999999999",
        "after=5&page=null",
        "page_size=5&limit=x",
        "status=banana",
        "customer_id=x",
        "product_code=%00",
    ] {
        app.client
            .get(&format!("/licenses?{query}"))
            .await
            .expect_problem(422, "VALIDATION_ERROR");
    }
    for query in [
        "page=",
        "foo=bar",
        "%ff=%ff",
        "page=4294967295&page_size=100",
        "after=9223372036854775807",
        "tier=%ff%fe",
    ] {
        app.client.get(&format!("/licenses?{query}")).await.expect(200);
    }
    let wrong = send(app.client.authorized(Method::PUT, "/products")).await;
    assert!(
        wrong.header("allow").contains("GET") && wrong.header("allow").contains("POST"),
        "{:?}",
        wrong.headers
    );
    wrong.expect_problem(405, "METHOD_NOT_ALLOWED");
    app.finish().await;
}

#[tokio::test]
async fn a_body_without_announced_length_is_bounded_too() {
    let app = TestApp::start().await;
    let address = app.client.base.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = "POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..9 {
        let chunk = format!("2000\r\n{}\r\n", "a".repeat(0x2000));
        if stream.write_all(chunk.as_bytes()).await.is_err() {
            break;
        }
    }
    let mut answer = vec![0; 4096];
    let read = stream.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]);
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("application/problem+json"), "{answer}");
    app.finish().await;
}

#[tokio::test]
async fn request_ids_are_taken_over_when_sane() {
    let app = TestApp::start().await;
    let ask = |id: &str| {
        app.client
            .authorized(Method::GET, "/products")
            .header("X-Request-Id", id.to_owned())
    };
    assert_eq!(
        send(ask("my-request.1")).await.header("x-request-id"),
        "my-request.1"
    );
    for bad in ["", "with space", &"x".repeat(129)] {
        let answer = send(ask(bad)).await;
        assert!(
            answer.header("x-request-id").parse::<uuid::Uuid>().is_ok(),
            "{bad:?}"
        );
    }
    app.finish().await;
}

#[tokio::test]
async fn all_routes_can_stand_below_a_prefix() {
    let config = vinzy_engine::config::ServerConfig {
        api_prefix: "/licensing".into(),
        ..crate::support::server_config()
    };
    let app = TestApp::start_with(config).await;
    let product = app.product("PRD").await;
    let answer = app.client.get("/products?page_size=1").await;
    assert!(
        answer
            .header("link")
            .starts_with("</licensing/products?page_size=1>"),
        "{}",
        answer.header("link")
    );
    assert_eq!(answer.expect(200), json!([product]));
    assert_eq!(app.client.get_anonymously("/openapi.json").await.status, 200);
    app.finish().await;
}
