//! The ledger before auditing tools that nobody here wrote: aics-tlog and tlog-scales, from `PyPI`.
//! `tests/python/audit_ledger.py` drives them and says what each can tell; `cargo xtask conformance` installs them
//! and runs these tests.

mod auditors;
mod cases;
mod export;
mod tampered;

use std::fs;
use std::path::{Path, PathBuf};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::Client;
use crate::support::database::TestDatabase;
use crate::support::node::{Node, vinzy};
use auditors::Auditors;
use export::Export;

/// Where tiles of one, two and three levels begin, fill up and end. There is no checkpoint of no events: a ledger
/// begins with the event that opens it (of the empty tree, see `events/tests/oracles.rs`).
const SIZES: [u64; 10] = [1, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 70_000];

/// Records of a batch at most.
const BATCH: u64 = 1_000;

/// The default ledger of a server in a process of its own, which grows by usage of one license.
struct Growing {
    client: Client,
    size: u64,
    key: Value,
}

impl Growing {
    fn new(node: &Node) -> Self {
        Self {
            client: node.client.clone(),
            size: 1,
            key: Value::Null,
        }
    }

    async fn grow_to(&mut self, size: u64) {
        if self.key.is_null() && size > self.size {
            self.key = self.client.license().await["key"].clone();
            self.size += 3;
        }
        while self.size < size {
            let count = BATCH.min(size - self.size);
            let record = json!({"metric": "calls", "value": 1});
            let records = vec![record; usize::try_from(count).unwrap()];
            let batch = json!({"key": self.key, "records": records});
            let answer = self.client.ask("/usage/batch", &batch).await.expect(200);
            assert_eq!(answer["recorded"], count);
            self.size += count;
        }
    }

    /// Saves the checkpoint, which must be of the size that the ledger has.
    async fn keep_checkpoint(&self, directory: &Path) -> PathBuf {
        let request = self.client.authorized(Method::GET, "/t/default/checkpoint");
        let note = request.send().await.unwrap().text().await.unwrap();
        assert_eq!(note.lines().nth(1).unwrap(), self.size.to_string());
        let file = checkpoint_of(directory, self.size);
        fs::write(&file, note).unwrap();
        file
    }
}

/// Where the checkpoint of a size is kept.
fn checkpoint_of(directory: &Path, size: u64) -> PathBuf {
    directory.join(format!("checkpoint.{size}"))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the tools that `cargo xtask conformance` installs"]
async fn a_ledger_of_every_size_is_accepted_and_what_is_made_of_it_is_not() {
    let auditors = Auditors::installed();
    let database = TestDatabase::create().await;
    let node = Node::on_database(&database.url());
    let url = format!("{}/t/default", node.client.base);
    let saved = tempfile::tempdir().unwrap();
    let kept = saved.path();

    let mut growing = Growing::new(&node);
    let key = Export::of(&url, &kept.join("first")).key.to_string();
    let mut before: Vec<PathBuf> = vec![];
    for size in SIZES {
        growing.grow_to(size).await;
        let checkpoint = growing.keep_checkpoint(kept).await;
        // The last walk reads all that the ones before it would.
        let whole = size < 1_000 || Some(&size) == SIZES.last();
        let since = if whole {
            &before[..]
        } else {
            &before[before.len() - 1..]
        };
        auditors.accept(&url, &key, since, whole);
        before.push(checkpoint);
    }
    let export = Export::of(&url, &kept.join("export"));
    assert!(node.terminate().success());
    database.drop().await;

    auditors.accept(export.text(), &key, &before, true);
    tampered::every_copy_is_judged(&auditors, &export, kept);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the tools that `cargo xtask conformance` installs"]
async fn the_tools_own_commands_read_a_public_ledger() {
    let auditors = Auditors::installed();
    let app = TestApp::start().await;
    let public = json!({"name": "Open", "slug": "open", "config_overrides": {"ledger_public": true}});
    app.operator().post("/tenants", &public).await.expect(201);
    let saved = tempfile::tempdir().unwrap();
    let url = format!("{}/t/open", app.client.base);
    let export = Export::of(&url, saved.path());
    let key = export.key.to_string();
    let old = saved.path().join("checkpoint");
    for source in [url.as_str(), export.text()] {
        let known = ["--tiles", source, "--log-key", &key];
        auditors.succeeds("aics-tlog", &[&["verify-checkpoint"], &known[..]].concat());
        auditors.succeeds(
            "aics-tlog",
            &[&["verify-inclusion", "--index", "1"], &known[..]].concat(),
        );
        let consistency = ["verify-consistency", "--old-checkpoint", old.to_str().unwrap()];
        auditors.succeeds("aics-tlog", &[&consistency[..], &known[..]].concat());
        let event = auditors.succeeds("tlog-tiles", &["get-leaf", "--check", source, "1"]);
        assert_eq!(event.as_bytes(), export.leaves()[1]);
    }
    // Nobody reads a ledger that is not public without a key, whatever the program.
    let private = format!("{}/t/default", app.client.base);
    auditors.finds_nothing_out(&private, &key);
    app.finish().await;
}
