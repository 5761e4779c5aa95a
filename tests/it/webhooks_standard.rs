//! Deliveries as the official Python library for Standard Webhooks sees them.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::support::database::TestDatabase;
use crate::support::node::Node;
use crate::webhooks::{endpoint, path};

/// The interpreter that `cargo xtask test` names, or the one that it has installed before.
fn python() -> PathBuf {
    if let Some(named) = std::env::var_os("VINZY_TEST_STANDARD_WEBHOOKS_PYTHON") {
        return named.into();
    }
    let target = Path::new(env!("CARGO_BIN_EXE_vinzy"))
        .parent()
        .and_then(Path::parent);
    let installed = std::fs::read_dir(target.unwrap().join("tools"))
        .into_iter()
        .flatten()
        .flatten();
    installed
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().contains("standardwebhooks"))
        .map(|path| path.join("bin/python"))
        .find(|python| python.exists())
        .expect(
            "this test needs the Python library `standardwebhooks`: run `cargo xtask standard-webhooks` once, or \
             name an interpreter that has it in VINZY_TEST_STANDARD_WEBHOOKS_PYTHON",
        )
}

struct Receiver {
    child: Child,
    input: ChildStdin,
    told: Lines<BufReader<ChildStdout>>,
    url: String,
}

impl Receiver {
    fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/receiver.py");
        let mut child = Command::new(python())
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = told.next().unwrap().unwrap();
        Self {
            input: child.stdin.take().unwrap(),
            url: format!("http://127.0.0.1:{port}/"),
            child,
            told,
        }
    }

    /// From now on it checks with this secret, too.
    fn expect(&mut self, secret: &Value) {
        writeln!(self.input, "{}", secret.as_str().unwrap()).unwrap();
        assert_eq!(self.told.next().unwrap().unwrap(), "ready");
    }

    /// What the library says of so many deliveries.
    fn said(&mut self, count: usize) -> Vec<Value> {
        let lines = self.told.by_ref().take(count);
        lines
            .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
            .collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All is accepted as it came, by the secrets as told, and nothing else is.
#[track_caller]
fn check(said: &[Value], accepted: &[bool]) {
    for one in said {
        assert_eq!(one["accepted"], json!(accepted), "{one}");
        assert_eq!(
            (&one["changed"], &one["old"], &one["other"]),
            (&json!(false), &json!(false), &json!(false)),
            "{one}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_library_accepts_every_delivery_and_nothing_else() {
    let database = TestDatabase::create().await;
    // On the real clock: the library refuses what is older than five minutes.
    let node = Node::on_database(&database.url());
    for secret in [Value::Null, json!("an old receiver's secret, übrigens")] {
        let mut receiver = Receiver::start();
        let made = endpoint(&node.client, &receiver.url, json!({ "secret": secret })).await;
        receiver.expect(&made["secret"]);
        let code = if secret.is_null() { "GEN" } else { "OLD" };
        let product = node.client.product(code).await;
        let customer = node.client.customer(&format!("{code}@example.com")).await;
        let license = node.client.license_of(code, &customer).await;
        node.client.activate(&license["key"], "Ünïcode \u{1f511}").await;
        for value in [1, 1, 1, 1, 100] {
            node.client.use_of(&license["key"], "calls", value).await;
        }
        node.client.post_empty(&path(&made, "/test")).await.expect(202);
        // Product, customer, license, activation, five records, an anomaly, and the test.
        check(&receiver.said(11), &[true]);

        let rotated = node.client.post_empty(&path(&made, "/rotate")).await.expect(200);
        receiver.expect(&rotated["secret"]);
        node.client.post_empty(&path(&made, "/test")).await.expect(202);
        check(&receiver.said(1), &[true, true]);
        let at_once = json!({"overlap_seconds": 0});
        let rotated = node
            .client
            .post(&path(&made, "/rotate"), &at_once)
            .await
            .expect(200);
        receiver.expect(&rotated["secret"]);
        node.client.post_empty(&path(&made, "/test")).await.expect(202);
        check(&receiver.said(1), &[false, false, true]);
        node.client.delete(&path(&made, "")).await.expect(204);
        drop(product);
    }
    assert!(node.terminate().success());
    database.drop().await;
}
