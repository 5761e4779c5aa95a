//! `kill -9` during work, and clean stops.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::{Client, try_send};
use crate::support::node::{Node, kill_postgres, signal, vinzy};

/// A directory that whoever PostgreSQL runs as can reach.
pub(crate) fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let data_dir = directory.path().join("data");
    (directory, data_dir)
}

fn verify(data_dir: &Path) -> String {
    let output = vinzy()
        .arg("verify")
        .env("VINZY_DATA_DIR", data_dir)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

async fn prepare(client: &Client) -> Value {
    client
        .post("/products", &json!({"code": "PRD", "name": "x"}))
        .await
        .expect(201);
    let customer = client
        .post("/customers", &json!({"name": "J", "email": "j@example.com"}))
        .await
        .expect(201);
    json!({"product_code": "PRD", "customer_id": customer["id"]})
}

/// Issues licenses until the server is gone; each is noted once it is acknowledged.
async fn issue_until_gone(client: Client, new: Value, issued: Arc<Mutex<Vec<Value>>>) {
    loop {
        match try_send(client.authorized(reqwest::Method::POST, "/licenses").json(&new)).await {
            Ok(answer) if answer.status == 201 => issued.lock().unwrap().push(answer.body),
            Ok(answer) => assert_eq!(answer.status, 503, "{}", answer.body),
            Err(_) => return,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_server_and_database_are_killed_ten_times() {
    let (_directory, data_dir) = place();
    let issued = Arc::new(Mutex::new(Vec::new()));
    let mut node = Node::on_data_dir(&data_dir);
    let new = prepare(&node.client).await;
    for round in 0..10 {
        let working: Vec<_> = (0..16)
            .map(|_| {
                tokio::spawn(issue_until_gone(
                    node.client.clone(),
                    new.clone(),
                    Arc::clone(&issued),
                ))
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(300 + 70 * round)).await;
        // By turns the database first, the server first, or the server alone.
        if round % 3 == 0 {
            kill_postgres(&data_dir);
        }
        node.kill();
        if round % 3 == 1 {
            kill_postgres(&data_dir);
        }
        for client in working {
            client.await.unwrap();
        }
        node = Node::on_data_dir(&data_dir);
        let report = node.client.get("/ledger/verify").await.expect(200);
        assert_eq!(report["valid"], true, "{report}");
    }
    let issued = std::mem::take(&mut *issued.lock().unwrap());
    assert!(issued.len() > 100, "{} licenses are no load", issued.len());
    for license in &issued {
        let id = license["id"].as_str().unwrap();
        assert_eq!(
            node.client.get(&format!("/licenses/{id}")).await.expect(200)["id"],
            id
        );
    }
    assert_eq!(node.client.validate(&issued[0]["key"]).await["valid"], true);
    let listed: u64 = node
        .client
        .get("/licenses")
        .await
        .header("x-total-count")
        .parse()
        .unwrap();
    assert!(listed >= issued.len() as u64);
    assert!(node.terminate().success());
    assert!(verify(&data_dir).contains("events verified"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_stop_answers_what_is_under_way_and_leaves_nothing_running() {
    let (_directory, data_dir) = place();
    let node = Node::on_data_dir(&data_dir);
    let new = prepare(&node.client).await;
    let issued = Arc::new(Mutex::new(Vec::new()));
    let working: Vec<_> = (0..16)
        .map(|_| {
            tokio::spawn(issue_until_gone(
                node.client.clone(),
                new.clone(),
                Arc::clone(&issued),
            ))
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(node.terminate().success());
    for client in working {
        client.await.unwrap();
    }
    assert!(
        !data_dir.join("postgres/postmaster.pid").exists(),
        "the database is stopped"
    );
    let node = Node::on_data_dir(&data_dir);
    let listed = node
        .client
        .get("/licenses")
        .await
        .header("x-total-count")
        .to_owned();
    assert_eq!(
        listed,
        issued.lock().unwrap().len().to_string(),
        "all that was written was acknowledged, too"
    );
    assert!(node.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_one_data_directory_is_refused() {
    let (_directory, data_dir) = place();
    let node = Node::on_data_dir(&data_dir);
    let second = vinzy()
        .arg("serve")
        .env("VINZY_DATA_DIR", &data_dir)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(2), "{told}");
    assert!(told.contains("in use by another server"), "{told}");
    assert_eq!(node.client.get_anonymously("/ready").await.status, 200);
    assert!(node.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_stops_as_cleanly_as_a_termination() {
    let (_directory, data_dir) = place();
    let mut child = vinzy()
        .arg("serve")
        .env("VINZY_DATA_DIR", &data_dir)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(
        &mut std::io::BufReader::new(child.stdout.take().unwrap()),
        &mut line,
    )
    .unwrap();
    signal(child.id(), "INT");
    assert!(child.wait().unwrap().success());
    assert!(!data_dir.join("postgres/postmaster.pid").exists());
}

#[test]
fn a_signing_key_of_another_ledger_is_refused() {
    let (_directory, data_dir) = place();
    let first = Node::on_data_dir(&data_dir);
    assert!(first.terminate().success());
    let mut other = vinzy();
    let output = other
        .arg("serve")
        .env("VINZY_DATA_DIR", &data_dir)
        .env("VINZY_SIGNING_KEY", "ab".repeat(32))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("signing key does not belong"), "{told}");
}

#[test]
fn a_production_server_refuses_missing_secrets_before_it_starts_anything() {
    let (_directory, data_dir) = place();
    let output = Command::new(env!("CARGO_BIN_EXE_vinzy"))
        .arg("serve")
        .env("VINZY_ENVIRONMENT", "production")
        .env("VINZY_DATA_DIR", &data_dir)
        .env("VINZY_PORT", "0")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(
        told.contains("VINZY_SECRET_KEY is missing") && told.contains("vinzy keys generate"),
        "{told}"
    );
    assert!(!data_dir.join("postgres").exists());
}
