//! What the server is set to, as whoever runs it sees it: everything but secrets.

use serde_json::{Value, json};
use vinzy_engine::secrets::kept;

use crate::support::client::{Client, send};
use crate::support::database::{TestDatabase, data_dir_of};
use crate::support::node::{Node, on_database, vinzy};
use crate::support::{ADMIN_KEY, HMAC_KEY, SECRET, SIGNING_KEY, SUPER_ADMIN_KEY, TestApp};

const METRICS_TOKEN: &str = "Jx7wqLz3nXk9pRb5mYc2sHd8";
const FROM_FILE: &str = "Rb5mYc2sHd8fGj4aQe6uTo1iPl0Vt7wqLz3nXk9p";

/// What a server says to whoever runs it, as text.
async fn shown(client: &Client) -> String {
    let request = client.with_key(&json!(SUPER_ADMIN_KEY));
    let request = request.authorized(reqwest::Method::GET, "/settings");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.text().await.unwrap()
}

fn setting<'a>(shown: &'a Value, name: &str) -> &'a Value {
    let settings = shown["settings"].as_array().unwrap();
    let found = settings.iter().find(|setting| setting["name"] == name);
    found.unwrap_or_else(|| panic!("{name} is not shown"))
}

#[track_caller]
fn expect(shown: &Value, name: &str, value: Value, source: &str) {
    let setting = setting(shown, name);
    assert_eq!(
        (&setting["value"], &setting["source"], &setting["secret"]),
        (&value, &json!(source), &json!(false)),
        "{name}"
    );
}

#[track_caller]
fn expect_secret(shown: &Value, name: &str, source: &str) {
    let setting = setting(shown, name);
    assert_eq!(
        (&setting["value"], &setting["source"], &setting["secret"]),
        (&Value::Null, &json!(source), &json!(true)),
        "{name}"
    );
}

/// The variables that the help names, in its order.
fn variables_of_help() -> Vec<String> {
    let help = vinzy().args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let named = help.split("[env: ").skip(1);
    named
        .map(|rest| {
            let end = rest.find(['=', ']']).unwrap();
            rest[..end].to_owned()
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_setting_is_shown_with_its_source_and_no_secret_is() {
    let database = TestDatabase::create().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("v.toml");
    let text = format!(
        "lease_ttl = 1234\nlog = \"error\"\nsession_ttl = 999\nhmac_key = \"{FROM_FILE}\"\n\
         webhook_ports = [\"443\", \"8000-8099\"]"
    );
    std::fs::write(&file, text).unwrap();
    let url = database.url();
    let mut command = vinzy();
    let node = Node::start(
        on_database(&mut command, &url)
            .args(["serve", "--session-ttl=77", "--webhook-https-only=true"])
            .args(["--metrics-token", METRICS_TOKEN])
            .arg("--config")
            .arg(&file)
            .env_remove("VINZY_LOG")
            .env_remove("VINZY_HMAC_KEY")
            .env_remove("VINZY_SECRET_KEY")
            .env("VINZY_MAX_STALENESS", "44")
            .env("VINZY_IP_ALLOWLIST", "127.0.0.1, ::1")
            .env(
                "VINZY_OTLP_ENDPOINT",
                "http://me:Yc2sHd8fGj4a@127.0.0.1:9/x?key=Lz3nXk9pRb5m",
            )
            // Empty counts as unset.
            .env("VINZY_API_PREFIX", "")
            .env("VINZY_RUN_AS", ""),
    );
    let text = shown(&node.client).await;
    let all: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(all["version"], env!("CARGO_PKG_VERSION"));

    expect(&all, "VINZY_LEASE_TTL", json!(1234), "file");
    expect(&all, "VINZY_LOG", json!("error"), "file");
    expect(&all, "VINZY_WEBHOOK_PORTS", json!(["443", "8000-8099"]), "file");
    expect(&all, "VINZY_SESSION_TTL", json!(77), "flag");
    expect(&all, "VINZY_WEBHOOK_HTTPS_ONLY", json!(true), "flag");
    expect(&all, "VINZY_MAX_STALENESS", json!(44), "environment");
    expect(&all, "VINZY_RATE_LIMIT_ENABLED", json!(false), "environment");
    expect(
        &all,
        "VINZY_IP_ALLOWLIST",
        json!(["127.0.0.1/32", "::1/128"]),
        "environment",
    );
    expect(
        &all,
        "VINZY_OTLP_ENDPOINT",
        json!("http://***@127.0.0.1:9/x?***"),
        "environment",
    );
    expect(&all, "VINZY_HOST", json!("127.0.0.1"), "default");
    expect(&all, "VINZY_API_PREFIX", json!(""), "default");
    expect(&all, "VINZY_RUN_AS", Value::Null, "default");
    expect(&all, "VINZY_CORS_ORIGINS", Value::Null, "default");
    expect(&all, "VINZY_ENVIRONMENT", json!("development"), "default");
    let data_dir = data_dir_of(&url);
    expect(&all, "VINZY_DATA_DIR", json!(data_dir), "environment");

    expect_secret(&all, "VINZY_DB_URL", "environment");
    expect_secret(&all, "VINZY_API_KEY", "environment");
    expect_secret(&all, "VINZY_SUPER_ADMIN_KEY", "environment");
    expect_secret(&all, "VINZY_SIGNING_KEY", "environment");
    expect_secret(&all, "VINZY_HMAC_KEY", "file");
    expect_secret(&all, "VINZY_SECRET_KEY", "generated");
    expect_secret(&all, "VINZY_HMAC_KEYS", "default");
    expect_secret(&all, "VINZY_METRICS_TOKEN", "flag");

    let settings = all["settings"].as_array().unwrap();
    let names: Vec<&str> = settings.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, variables_of_help());
    assert!(names.len() > 40, "{}", names.len());
    for one in settings {
        assert!(!one["description"].as_str().unwrap().is_empty(), "{one}");
    }

    let generated = kept::Kept::read(&data_dir).unwrap().secret_key.unwrap();
    let (_, address) = url.split_once("://").unwrap();
    for secret in [
        ADMIN_KEY,
        SUPER_ADMIN_KEY,
        SECRET,
        HMAC_KEY,
        SIGNING_KEY,
        METRICS_TOKEN,
        FROM_FILE,
        "Yc2sHd8fGj4a",
        "Lz3nXk9pRb5m",
        &generated,
        address,
    ] {
        assert!(!text.contains(secret), "{secret} is shown");
    }
    assert!(node.terminate().success());
    database.drop().await;
}

#[tokio::test]
async fn settings_are_for_whoever_runs_the_server() {
    let app = TestApp::start().await;
    let (_, tenant) = app.tenant("alpha").await;
    for client in [&app.client, &tenant] {
        client.get("/settings").await.expect_problem(403, "FORBIDDEN");
    }
    app.client
        .get_anonymously("/settings")
        .await
        .expect_problem(401, "UNAUTHORIZED");
    let log_in = json!({"api_key": SUPER_ADMIN_KEY});
    let session = app.client.ask("/session", &log_in).await;
    let cookie = session.header("set-cookie").split(';').next().unwrap().to_owned();
    let request = app.client.request(reqwest::Method::GET, "/settings");
    let shown = send(request.header("Cookie", cookie)).await.expect(200);
    assert_eq!(shown["version"], env!("CARGO_PKG_VERSION"));
    app.finish().await;
}
