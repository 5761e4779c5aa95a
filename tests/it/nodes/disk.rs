//! The disk under the database is full. Needs the right to mount a small one, and says so where there is none.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::until;
use crate::support::check_everything;
use crate::support::client::Client;
use crate::support::database::OwnPostgres;
use crate::support::node::Node;

/// A disk in memory, of so many megabytes.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf, megabytes: u32) -> Option<Self> {
        std::fs::create_dir(&at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o"])
            .arg(format!("size={megabytes}m,mode=755"))
            .args(["tmpfs"])
            .arg(&at)
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Writes to a file until nothing more goes in.
fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    let mut block = vec![7; 1024 * 1024];
    while !block.is_empty() {
        if file.write_all(&block).is_err() {
            block.truncate(block.len() / 2);
        }
    }
}

/// Records a good deal of use; the status of the answer.
async fn record(client: &Client, key: &Value, number: usize) -> u16 {
    let ballast = "x".repeat(2_000);
    let records: Vec<Value> = (0..100)
        .map(|index| {
            json!({"metric": "calls", "idempotency_key": format!("{number}-{index}"), "metadata": {"x": ballast}})
        })
        .collect();
    let body = json!({"key": key, "records": records});
    let answer = client.ask("/usage/batch", &body).await;
    if answer.status != 200 {
        answer.expect_problem(503, "LEDGER_UNAVAILABLE");
        return 503;
    }
    let results = answer.body["results"].as_array().unwrap();
    let good = |result: &Value| result["success"] == true;
    if results.iter().all(good) { 200 } else { 503 }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_when_there_is_room_again_everything_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(
        directory.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let Some(disk) = SmallDisk::mount(directory.path().join("disk"), 160) else {
        println!("skipped: no file system can be mounted here");
        return;
    };
    let mut postgres = OwnPostgres::start(&disk.0.join("data"));
    let database = postgres.database().await;
    let node = Node::on_database(&database.url());
    let license = node.client.license().await;
    let mut number = 0;
    assert_eq!(record(&node.client, &license["key"], number).await, 200);

    let ballast = disk.0.join("ballast");
    fill(&ballast);
    let mut acknowledged = 1;
    let mut refused = 0;
    while refused < 5 {
        number += 1;
        match record(&node.client, &license["key"], number).await {
            200 => acknowledged += 1,
            _ => refused += 1,
        }
        assert!(number < 1_000, "the disk is not full");
    }
    let answer = node.client.get("/products").await;
    assert!(matches!(answer.status, 200 | 503), "{}", answer.body);
    println!("{acknowledged} batches were acknowledged, {refused} refused");

    std::fs::remove_file(&ballast).unwrap();
    until("there is room again", || async {
        record(&node.client, &license["key"], number + 1).await == 200
    })
    .await;
    until("the node is ready", || async {
        node.client.get_anonymously("/ready").await.status == 200
    })
    .await;
    // What was refused is repeated, and is there once.
    for repeated in 0..=number {
        assert_eq!(record(&node.client, &license["key"], repeated).await, 200);
    }
    let records = "SELECT count(*) FROM events WHERE event_type = 'usage.recorded'";
    let expected = i64::try_from((number + 2) * 100).unwrap();
    assert_eq!(database.count(records).await, expected);
    assert!(node.terminate().success());
    check_everything(&database).await;
    postgres.stop();
}
