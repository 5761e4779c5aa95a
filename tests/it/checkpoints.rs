//! The signer: checkpoints come by themselves, continue each other, and hand over to new keys.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use vinzy_engine::config::ServerConfig;
use vinzy_events::ledger::{Checkpoint, CheckpointError, VerifierKey};

use crate::support::client::Answer;
use crate::support::database::TestDatabase;
use crate::support::node::{Node, vinzy};
use crate::support::{SIGNING_KEY, TestApp, eventually, secrets_with, server_config};

/// Another seed than the tests' own.
const NEW_SEED: &str = "7a6b5c4d3e2f10f9e8d7c6b5a4938271605f4e3d2c1b0a99887766554433221f";

fn signing_every_second() -> ServerConfig {
    ServerConfig {
        checkpoint_interval: 1,
        ..server_config()
    }
}

fn kept(data_dir: &Path) -> Option<Checkpoint> {
    let note = fs::read_to_string(data_dir.join("checkpoints/default.note")).ok()?;
    Some(Checkpoint::claimed(&note).unwrap())
}

async fn signed_size(database: &TestDatabase) -> i64 {
    let size = "SELECT coalesce(max(size), 0) FROM checkpoints WHERE ledger_id = 'default'";
    database.count(size).await
}

async fn note(app: &TestApp) -> String {
    let answer = app.client.get("/t/default/checkpoint").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    text(&answer)
}

async fn vkey(app: &TestApp) -> VerifierKey {
    let answer = app.client.get("/t/default/vkey").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(text(&answer).ends_with('\n'));
    text(&answer).trim_end().parse().unwrap()
}

#[tokio::test]
async fn a_ledger_that_grows_is_signed_without_being_asked() {
    let app = TestApp::start_with(signing_every_second()).await;
    for code in ["A", "B", "C"] {
        app.product(code).await;
        let size = app
            .database
            .count("SELECT size FROM ledgers WHERE ledger_id = 'default'")
            .await;
        eventually("the checkpoint covers it", || async {
            signed_size(&app.database).await == size
        })
        .await;
        let kept = kept(app.database.data_dir()).unwrap();
        assert_eq!(i64::try_from(kept.size), Ok(size), "it is kept outside, too");
    }
    app.finish().await;
}

#[tokio::test]
async fn what_was_written_last_is_signed_before_the_end() {
    let app = TestApp::start_with(ServerConfig {
        checkpoint_interval: 3_600,
        ..server_config()
    })
    .await;
    app.product("A").await;
    let database = app.stop().await;
    assert_eq!(signed_size(&database).await, 2);
    database.drop().await;
}

#[tokio::test]
async fn many_who_ask_at_once_get_checkpoints_that_continue_each_other() {
    let app = TestApp::start_with(signing_every_second()).await;
    let other = Node::on_database(&app.database.url());
    let license = app.license().await;
    let key = vkey(&app).await;
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..60 {
        let client = if number % 2 == 0 {
            app.client.clone()
        } else {
            other.client.clone()
        };
        let usage = json!({"key": license["key"], "metric": "calls", "value": 1});
        asking.spawn(async move {
            client.ask("/usage/record", &usage).await.expect(200);
            let answer = client.get("/t/default/checkpoint").await;
            assert_eq!(answer.status, 200, "{answer:?}");
            text(&answer)
        });
    }
    let mut checkpoints: Vec<Checkpoint> = vec![];
    while let Some(note) = asking.join_next().await {
        checkpoints.push(key.open(&note.unwrap()).unwrap());
    }
    checkpoints.sort_by_key(|checkpoint| checkpoint.size);
    for pair in checkpoints.windows(2) {
        let [before, after] = pair else { unreachable!() };
        let path = format!("/ledger/proof/consistency?from={}&to={}", before.size, after.size);
        let proof = app.client.get(&path).await.expect(200);
        assert_eq!(proof["from_root"], before.root.to_string());
        assert_eq!(proof["to_root"], after.root.to_string());
    }
    assert_eq!(checkpoints.last().unwrap().size, 64);
    other.terminate();
    app.finish().await;
}

/// A database set back to a backup, beside the data directory of today.
async fn set_back() -> (TestDatabase, Checkpoint) {
    let app = TestApp::start().await;
    app.product("A").await;
    note(&app).await;
    let database = app.stop().await;
    let backup = TestDatabase::copy_of(&database).await;
    let app = TestApp::start_on(database, server_config()).await;
    app.product("B").await;
    app.product("C").await;
    note(&app).await;
    let database = app.stop().await;
    let last = kept(database.data_dir()).unwrap();
    let note = "checkpoints/default.note";
    fs::create_dir_all(backup.data_dir().join("checkpoints")).unwrap();
    fs::copy(database.data_dir().join(note), backup.data_dir().join(note)).unwrap();
    database.drop().await;
    (backup, last)
}

fn verify_database(database: &TestDatabase) -> (Option<i32>, String) {
    let mut verify = vinzy();
    verify
        .args(["verify", "--ledger", "default"])
        .env("VINZY_DB_URL", database.url())
        .env("VINZY_DATA_DIR", database.data_dir());
    let output = verify.output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_is_noticed_and_not_signed_over() {
    let (backup, last) = set_back().await;
    assert_eq!(last.size, 4);
    let app = TestApp::start_on(backup, signing_every_second()).await;
    let refused = app.client.get("/t/default/checkpoint").await;
    let problem = refused.expect_problem(409, "LEDGER_FORKED");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("has 2 events, but a checkpoint of 4 events was signed"),
        "{problem}"
    );
    let report = app.client.get("/ledger/verify").await.expect(200);
    assert_eq!(
        (&report["valid"], &report["break_at"]),
        (&json!(false), &json!(2)),
        "{report}"
    );
    let (code, said) = verify_database(&app.database);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("BROKEN at position 2: a checkpoint of 4 events was signed"),
        "{said}"
    );

    app.advance(std::time::Duration::from_secs(1));
    // It goes on, with other events in the places of those that are lost, and past them.
    for code in ["X", "Y", "Z"] {
        app.product(code).await;
    }
    let refused = app.client.get("/t/default/checkpoint").await;
    refused.expect_problem(409, "LEDGER_FORKED");
    let report = app.client.get("/ledger/verify").await.expect(200);
    assert_eq!(
        (&report["valid"], &report["break_at"]),
        (&json!(false), &json!(3)),
        "{report}"
    );
    let metrics = app.client.get_anonymously("/metrics").await;
    let metrics = text(&metrics);
    assert!(
        !metrics.contains("vinzy_checkpoints_refused_total 0"),
        "{metrics}"
    );
    assert_eq!(
        kept(app.database.data_dir()),
        Some(last),
        "what was signed stays known"
    );

    // Whoever knows what they do takes the witness away.
    fs::remove_file(app.database.data_dir().join("checkpoints/default.note")).unwrap();
    note(&app).await;
    app.finish().await;
}

#[tokio::test]
async fn a_note_of_somebody_else_is_no_witness() {
    let app = TestApp::start().await;
    let forged = "test.example/t/default\n9\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n— x AAAA\n";
    fs::write(app.database.data_dir().join("checkpoints/default.note"), forged).unwrap();
    app.client
        .get("/t/default/checkpoint")
        .await
        .expect_problem(500, "INTERNAL_ERROR");
    app.stop().await.drop().await;
}

/// The ledger's own events, as far as they name keys.
async fn named(app: &TestApp) -> i64 {
    app.database
        .count("SELECT count(*) FROM events WHERE ledger_id = 'default' AND stream_type = 'ledger'")
        .await
}

async fn restart(app: TestApp, seeds: &str) -> TestApp {
    let database = app.stop().await;
    TestApp::start_as(database, server_config(), &secrets_with(seeds)).await
}

fn audit(app: &TestApp, vkey: &VerifierKey, since: &Path) -> (Option<i32>, String) {
    let mut verify = vinzy();
    verify
        .args(["audit", "verify", &format!("{}/t/default", app.client.base)])
        .args(["--vkey", &vkey.to_string(), "--since", since.to_str().unwrap()]);
    let output = verify.output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_is_handed_over_to_a_new_key_and_auditors_find_the_way() {
    let app = TestApp::start().await;
    app.product("A").await;
    let old = vkey(&app).await;
    let saved = tempfile::tempdir().unwrap();
    let since = saved.path().join("since");
    fs::write(&since, note(&app).await).unwrap();

    let app = restart(app, &format!("{NEW_SEED},{SIGNING_KEY}")).await;
    eventually("it was handed over", || async { named(&app).await == 2 }).await;
    let new = vkey(&app).await;
    assert_ne!(new, old);
    let both = note(&app).await;
    assert_eq!(new.open(&both).unwrap().size, 3);
    assert!(
        old.open(&both).is_ok(),
        "the old key signs, too, as long as it is there"
    );
    assert_eq!(audit(&app, &old, &since).0, Some(0));
    app.product("B").await;
    assert_eq!(app.client.get("/ledger/verify").await.expect(200)["valid"], true);

    // Who has them the other way round does not hand it back.
    let app = restart(app, &format!("{SIGNING_KEY},{NEW_SEED}")).await;
    note(&app).await;
    assert_eq!((named(&app).await, vkey(&app).await), (2, new.clone()));

    let app = restart(app, NEW_SEED).await;
    app.product("C").await;
    let only_new = note(&app).await;
    assert_eq!(old.open(&only_new), Err(CheckpointError::NotSigned));
    assert!(new.open(&only_new).is_ok());
    for vkey in [&old, &new] {
        let (code, said) = audit(&app, vkey, &since);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("was handed over from the key"), "{said}");
        assert!(said.contains("continues the checkpoint of 2 events"), "{said}");
    }
    let stranger = VerifierKey::from_signing(old.name(), &ed25519_dalek::SigningKey::from_bytes(&[9; 32]));
    let (code, said) = audit(&app, &stranger, &since);
    assert_eq!(code, Some(1), "{said}");
    let receipt = app.client.get("/ledger/receipt/0").await.expect(200);
    assert_eq!(receipt["verifier_key"], new.to_string());
    let report = verify_database(&app.database);
    assert_eq!(report.0, Some(0), "{}", report.1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_nodes_hand_a_ledger_over_once() {
    let app = TestApp::start().await;
    let (tenant, _) = app.tenant("acme").await;
    let database = app.stop().await;
    let seeds = format!("{NEW_SEED},{SIGNING_KEY}");
    let settings = [("VINZY_SIGNING_KEY", seeds.as_str())];
    let url = database.url();
    let nodes: Vec<Node> = std::thread::scope(|scope| {
        let starting: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| Node::on_database_with(&url, &settings)))
            .collect();
        starting.into_iter().map(|node| node.join().unwrap()).collect()
    });
    let rotations = "SELECT count(*) FROM events WHERE event_type = 'ledger.key_rotated'";
    eventually("all are handed over", || async {
        database.count(rotations).await == 3
    })
    .await;
    for node in nodes {
        let key: Value = json!(tenant["api_key"]);
        let answer = node.client.with_key(&key).get("/ledger/verify").await.expect(200);
        assert_eq!(answer["valid"], true, "{answer}");
        assert!(node.terminate().success());
    }
    assert_eq!(database.count(rotations).await, 3);
    database.drop().await;
}

#[tokio::test]
async fn a_hand_over_that_the_old_key_did_not_sign_is_found() {
    let app = TestApp::start().await;
    let app = restart(app, &format!("{NEW_SEED},{SIGNING_KEY}")).await;
    eventually("it was handed over", || async { named(&app).await == 2 }).await;
    app.database
        .execute("UPDATE ledgers SET superseded_keys = '{}' WHERE ledger_id = 'default'")
        .await;
    let report = app.client.get("/ledger/verify").await.expect(200);
    assert_eq!(
        report["problem"],
        "the ledger's row names other keys than its events"
    );
    app.stop().await.drop().await;
}

/// A body that is not JSON.
fn text(answer: &Answer) -> String {
    answer.body.as_str().unwrap().to_owned()
}
