//! Metrics, logs and traces: there, and without secrets.

use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use vinzy_engine::config::AccessConfig;

use crate::support::client::{Client, send};
use crate::support::database::TestDatabase;
use crate::support::node::{Node, signal, vinzy};
use crate::support::{ADMIN_KEY, SUPER_ADMIN_KEY, TestApp, server_config};

#[tokio::test]
async fn metrics_show_requests_batches_and_lags() {
    let app = TestApp::start().await;
    let license = app.license().await;
    app.client.validate(&license["key"]).await;
    app.client.get("/nowhere").await;
    app.client.get("/licenses").await.expect(200);
    let answer = app.client.get_anonymously("/metrics").await;
    assert!(
        answer
            .header("content-type")
            .starts_with("application/openmetrics-text")
    );
    let text = answer.body.as_str().unwrap().to_owned();
    for line in [
        "vinzy_http_requests_total{method=\"POST\",route=\"/validate\",status=\"200\"} 1\n",
        "vinzy_http_requests_total{method=\"GET\",route=\"\",status=\"404\"} 1\n",
        "vinzy_http_request_duration_seconds_count{method=\"POST\",route=\"/licenses\"} 1\n",
        "vinzy_ledger_queue_depth 0\n",
        "vinzy_projection_lag_events{projection=\"licenses\"} 0\n",
        "vinzy_projection_parked{projection=\"licenses\"} 0\n",
        "vinzy_process_resident_memory_bytes ",
        "vinzy_database_connections ",
        "# EOF",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    let committed = text
        .lines()
        .find_map(|line| line.strip_prefix("vinzy_ledger_batch_operations_sum "))
        .unwrap();
    assert!(committed.parse::<f64>().unwrap() >= 3.0, "{committed}");
    for secret in ["default", "test.example", license["id"].as_str().unwrap()] {
        assert!(!text.contains(secret), "{secret}");
    }
    app.finish().await;
}

#[tokio::test]
async fn metrics_can_want_a_token() {
    let config = server_config();
    let config = vinzy_engine::config::ServerConfig {
        access: AccessConfig {
            metrics_token: Some("scrape-me-3fkq8rT2".to_owned().into()),
            ..config.access
        },
        ..config
    };
    let app = TestApp::start_with(config).await;
    let ask = |token: &str| app.client.request(Method::GET, "/metrics").bearer_auth(token);
    for wrong in ["", "scrape-me", ADMIN_KEY] {
        send(ask(wrong)).await.expect_problem(401, "UNAUTHORIZED");
    }
    send(ask("scrape-me-3fkq8rT2")).await.expect(200);
    app.finish().await;
}

/// Everything that a server says while it is asked all kinds of things, at its most talkative.
async fn said_by(database: &TestDatabase, ask: impl AsyncFnOnce(&Client)) -> String {
    let mut child = vinzy()
        .arg("serve")
        .env("VINZY_DB_URL", database.url())
        .env("VINZY_DATA_DIR", database.data_dir())
        .env("VINZY_LOG", "trace")
        .env("VINZY_LOG_FORMAT", "json")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let reading = std::thread::spawn(move || {
        let mut said = String::new();
        stderr.read_to_string(&mut said).unwrap();
        said
    });
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
    let base = line
        .split_whitespace()
        .find(|word| word.starts_with("http://"))
        .unwrap();
    ask(&Client::new(base.to_owned())).await;
    signal(child.id(), "TERM");
    child.wait().unwrap();
    reading.join().unwrap()
}

#[tokio::test]
async fn logs_tell_requests_by_their_ids_and_hold_no_secret() {
    let database = TestDatabase::create().await;
    let mut secrets: Vec<String> = vec![ADMIN_KEY.into(), SUPER_ADMIN_KEY.into()];
    let said = said_by(&database, async |client: &Client| {
        let license = client.license().await;
        let key = client.api_key(&["read"]).await;
        let session = client.ask("/session", &json!({"api_key": ADMIN_KEY})).await;
        let cookie = session.header("set-cookie").split(';').next().unwrap().to_owned();
        let get = client.request(Method::GET, "/session").header("Cookie", &cookie);
        send(get).await.expect(200);
        client.validate(&license["key"]).await;
        let query = format!("/validate?key={}", license["key"].as_str().unwrap());
        client.get_anonymously(&query).await.expect(200);
        client
            .with_key(&key["api_key"])
            .get("/products")
            .await
            .expect(200);
        let found = client
            .authorized(Method::GET, "/licenses")
            .header("X-Request-Id", "look-for-me");
        send(found).await.expect(200);
        secrets.push(license["key"].as_str().unwrap().to_owned());
        secrets.push(key["api_key"].as_str().unwrap().to_owned());
        secrets.push(cookie.split_once('=').unwrap().1.to_owned());
        secrets.push("jane@example.com".to_owned());
        secrets.push("Jane Doe".to_owned());
    })
    .await;
    let lines: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")))
        .collect();
    assert!(
        lines.iter().any(|line| line["message"] == "answered"
            && line["span"]["id"] == "look-for-me"
            && line["span"]["route"] == "/licenses"
            && line["span"]["status"] == 200),
        "no line for the request in {} lines",
        lines.len()
    );
    for secret in secrets {
        assert!(!said.contains(&secret), "{secret} was said");
    }
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_go_to_the_collector_and_continue_the_clients() {
    let database = TestDatabase::create().await;
    let collector = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", collector.local_addr().unwrap());
    let (sender, mut received) = tokio::sync::mpsc::unbounded_channel::<Vec<u8>>();
    let take = async move |uri: axum::http::Uri, body: axum::body::Bytes| {
        let _ = sender.send([uri.path().as_bytes(), &body].concat());
    };
    tokio::spawn(async move {
        axum::serve(collector, axum::Router::new().fallback(take))
            .await
            .unwrap();
    });
    let settings = [("VINZY_OTLP_ENDPOINT", endpoint.as_str()), ("VINZY_LOG", "info")];
    let node = Node::on_database_with(&database.url(), &settings);
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let request = node
        .client
        .authorized(Method::GET, "/products")
        .header("traceparent", format!("00-{trace}-b7ad6b7169203331-01"));
    send(request).await.expect(200);
    // What is left of the traces is sent at the end.
    assert!(node.terminate().success());
    let id = data_encoding::HEXLOWER.decode(trace.as_bytes()).unwrap();
    let mut all = vec![];
    let has = |all: &[u8], needle: &[u8]| all.windows(needle.len()).any(|window| window == needle);
    while !(has(&all, b"/v1/traces") && has(&all, &id) && has(&all, b"/products")) {
        let more = tokio::time::timeout(Duration::from_secs(10), received.recv()).await;
        all.extend(more.expect("the trace comes").unwrap());
    }
    assert!(!has(&all, ADMIN_KEY.as_bytes()));
    database.drop().await;
}
