//! The command line, as a person uses it.

use std::process::Output;

use crate::support::TestApp;
use crate::support::node::vinzy;

fn run(arguments: &[&str]) -> Output {
    vinzy().args(arguments).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn keys_are_made_and_checked_offline() {
    let made = run(&["generate", "PRD", "-n", "3"]);
    assert!(made.status.success());
    let text = out(&made);
    let keys: Vec<&str> = text.lines().collect();
    assert_eq!(keys.len(), 3);
    for key in &keys {
        let checked = run(&["validate", &key.to_lowercase()]);
        assert!(checked.status.success(), "{}", out(&checked));
        assert!(out(&checked).starts_with("VALID"));
    }
    let tampered = keys[0].replace("PRD-", "PRE-");
    let refused = run(&["validate", &tampered]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(out(&refused).starts_with("INVALID_HMAC: "), "{}", out(&refused));
    assert_eq!(run(&["generate", "toolong"]).status.code(), Some(2));
}

#[test]
fn without_keys_the_offline_commands_say_what_is_missing() {
    let empty = tempfile::tempdir().unwrap();
    let output = vinzy()
        .args(["generate", "PRD"])
        .env_remove("VINZY_HMAC_KEY")
        .env("VINZY_DATA_DIR", empty.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("set VINZY_HMAC_KEY"));
}

#[tokio::test(flavor = "multi_thread")]
async fn health_tells_by_its_exit_code() {
    let app = TestApp::start().await;
    let url = app.client.base.clone();
    let healthy = tokio::task::spawn_blocking(move || run(&["health", "--url", &url]))
        .await
        .unwrap();
    assert!(healthy.status.success(), "{}", out(&healthy));
    assert_eq!(
        run(&["health", "--url", "http://127.0.0.1:9"]).status.code(),
        Some(2)
    );
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn migrating_and_verifying_can_be_repeated() {
    let app = TestApp::start().await;
    app.license().await;
    let url = app.database.url();
    for _ in 0..2 {
        let migrated = run(&["migrate", "--db-url", &url]);
        assert!(
            migrated.status.success() && out(&migrated).contains("up to date"),
            "{}",
            out(&migrated)
        );
        let verified = run(&["verify", "--db-url", &url]);
        assert!(verified.status.success(), "{}", out(&verified));
        assert!(
            out(&verified).contains("test.example/t/default: 4 events verified"),
            "{}",
            out(&verified)
        );
    }
    assert_eq!(
        run(&["verify", "--db-url", &url, "--ledger", "nope"])
            .status
            .code(),
        Some(2)
    );
    assert_eq!(
        run(&["verify", "--db-url", "postgres://nobody@127.0.0.1:9/x"])
            .status
            .code(),
        Some(2)
    );
    app.client.get("/ledger/verify").await.expect(200);
    app.finish().await;
}

#[test]
fn help_lists_every_setting() {
    let help = out(&run(&["serve", "--help"]));
    for name in [
        "VINZY_ENVIRONMENT",
        "VINZY_DB_URL",
        "VINZY_DATA_DIR",
        "VINZY_HOST",
        "VINZY_PORT",
        "VINZY_SECRET_KEY",
        "VINZY_HMAC_KEY",
        "VINZY_HMAC_KEYS",
        "VINZY_SIGNING_KEY",
        "VINZY_API_KEY",
        "VINZY_SUPER_ADMIN_KEY",
        "VINZY_LEASE_TTL",
        "VINZY_API_PREFIX",
        "VINZY_LEDGER_ORIGIN",
        "VINZY_MAX_STALENESS",
        "VINZY_VALIDATION_AUDIT",
        "VINZY_RUN_AS",
    ] {
        assert!(help.contains(name), "{name}");
    }
    assert!(!help.contains(crate::support::ADMIN_KEY), "secrets are not shown");
}

#[test]
fn a_wrong_setting_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("v.toml");
    std::fs::write(&file, "prot = 1").unwrap();
    let output = run(&["serve", "--config", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("\"prot\""));
    assert_eq!(run(&["serve", "--port", "x"]).status.code(), Some(2));
}
