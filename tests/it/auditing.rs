//! `vinzy audit`, as an auditor uses it: with a server, and with saved files alone.

use std::fs;
use std::path::Path;
use std::process::Output;

use ed25519_dalek::SigningKey;
use serde_json::json;
use vinzy_events::ledger::{VerifierKey, entries, event_hash};

use crate::support::TestApp;
use crate::support::node::vinzy;

fn audit(arguments: &[&str]) -> Output {
    vinzy().arg("audit").args(arguments).output().unwrap()
}

/// Standard output, of an expected exit code.
#[track_caller]
fn told(output: &Output, code: i32) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}{errors}");
    text
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Uses a license so often that the ledger has a size.
async fn grow(app: &TestApp, key: &serde_json::Value, lacks: usize) {
    let record = json!({"key": key, "metric": "calls", "value": 1});
    let records = json!({"records": vec![record; lacks]});
    app.client.ask("/usage/batch", &records).await.expect(200);
}

/// Saves the default ledger.
fn export(app: &TestApp, directory: &Path) -> String {
    let url = format!("{}/t/default", app.client.base);
    told(&audit(&["export", "--url", &url, "--out", text(directory)]), 0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_is_verified_from_its_address_and_from_saved_files() {
    let app = TestApp::start().await;
    let license = app.license().await;
    grow(&app, &license["key"], 296).await;
    let saved = tempfile::tempdir().unwrap();
    let said = export(&app, saved.path());
    assert!(
        said.contains("test.example/t/default: 300 events saved"),
        "{said}"
    );
    let old = saved.path().join("old");
    fs::copy(saved.path().join("checkpoint"), &old).unwrap();
    let vkey = fs::read_to_string(saved.path().join("vkey")).unwrap();

    grow(&app, &license["key"], 300).await;
    export(&app, saved.path());
    let url = format!("{}/t/default", app.client.base);
    for ledger in [text(saved.path()), url.as_str()] {
        let said = told(
            &audit(&["verify", ledger, "--since", text(&old), "--vkey", vkey.trim()]),
            0,
        );
        assert!(said.contains("600 events verified"), "{said}");
        assert!(said.contains("continues the checkpoint of 300 events"), "{said}");
        assert!(!said.contains("compare it"), "{said}");
        assert!(told(&audit(&["verify", ledger]), 0).contains("compare it"));
        for position in ["0", "255", "256", "599"] {
            let receipt = told(&audit(&["prove", ledger, "--position", position]), 0);
            let file = saved.path().join("receipt.json");
            fs::write(&file, &receipt).unwrap();
            let said = told(&audit(&["check-receipt", text(&file), "--vkey", vkey.trim()]), 0);
            assert!(said.contains(&format!("position {position} of")), "{said}");
        }
        let said = told(&audit(&["prove", ledger, "--position", "600"]), 1);
        assert!(said.contains("covers 600 events"), "{said}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_read_a_ledger_finds_nothing_out() {
    let app = TestApp::start().await;
    let url = format!("{}/t/default", app.client.base);
    told(&audit(&["verify", &url, "--api-key", "wrong"]), 2);
    told(&audit(&["verify", "/nonexistent"]), 2);
    told(&audit(&["verify", "http://127.0.0.1:9/t/default"]), 2);
    told(&audit(&["check-receipt", "/nonexistent"]), 2);
    let public = json!({"name": "Open", "slug": "open", "config_overrides": {"ledger_public": true}});
    app.operator().post("/tenants", &public).await.expect(201);
    let mut open = vinzy();
    open.env_remove("VINZY_API_KEY")
        .args(["audit", "verify", &format!("{}/t/open", app.client.base)]);
    assert!(told(&open.output().unwrap(), 0).contains("t/open: 2 events verified"));
    app.finish().await;
}

/// Where an entry begins in its tile.
fn offset(tile: &[u8], number: usize) -> usize {
    entries(tile)
        .take(number)
        .map(|leaf| leaf.len() + 2)
        .sum::<usize>()
        + 2
}

/// A changed file and what `verify` says of it; the file is as before afterwards.
fn tampered(directory: &Path, file: &str, tamper: impl FnOnce(&mut Vec<u8>)) -> String {
    let path = directory.join(file);
    let good = fs::read(&path).unwrap();
    let mut bad = good.clone();
    tamper(&mut bad);
    assert_ne!(good, bad);
    fs::write(&path, bad).unwrap();
    let said = told(&audit(&["verify", text(directory)]), 1);
    fs::write(&path, good).unwrap();
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn one_changed_byte_is_found_and_its_position_named() {
    let app = TestApp::start().await;
    let license = app.license().await;
    grow(&app, &license["key"], 596).await;
    let saved = tempfile::tempdir().unwrap();
    let directory = saved.path();
    export(&app, directory);

    for (file, number, position) in [
        ("tile/entries/000", 0, 0),
        ("tile/entries/000", 255, 255),
        ("tile/entries/001", 44, 300),
        ("tile/entries/002.p/88", 87, 599),
    ] {
        let said = tampered(directory, file, |bytes| {
            let begin = offset(bytes, number);
            bytes[begin + 30] ^= 1;
        });
        assert!(
            said.contains(&format!("BROKEN at position {position}: ")),
            "{file}: {said}"
        );
    }
    for (file, byte, position) in [
        ("tile/0/000", 0, 0),
        ("tile/0/001", 44 * 32 + 31, 300),
        ("tile/0/002.p/88", 87 * 32, 599),
        ("tile/1/000.p/2", 32, 256),
    ] {
        let said = tampered(directory, file, |bytes| bytes[byte] ^= 0x80);
        assert!(
            said.contains(&format!("BROKEN at position {position}: ")),
            "{file}: {said}"
        );
    }
    let said = tampered(directory, "tile/entries/001", |bytes| {
        bytes.truncate(offset(bytes, 44));
    });
    assert!(said.contains("BROKEN at position 300: "), "{said}");
    let said = tampered(directory, "tile/entries/002.p/88", |bytes| bytes.push(0));
    assert!(said.contains("holds more"), "{said}");
    let said = tampered(directory, "checkpoint", |note| {
        let at = note.iter().position(|byte| *byte == b'6').unwrap();
        note[at] = b'5';
    });
    assert!(said.contains("BROKEN checkpoint"), "{said}");

    // Somebody who changes the event and its hash is betrayed by the event after it.
    let hashes = fs::read(directory.join("tile/0/000")).unwrap();
    let said = tampered(directory, "tile/entries/000", |bytes| {
        let begin = offset(bytes, 100);
        let length = entries(bytes).nth(100).unwrap().len();
        let at = bytes[begin..begin + length]
            .windows(9)
            .position(|text| text == b"2026-03-0")
            .unwrap();
        bytes[begin + at + 9] = b'2';
        let hash = event_hash(&bytes[begin..begin + length]);
        let mut changed = hashes.clone();
        changed[3200..3232].copy_from_slice(hash.as_bytes());
        fs::write(directory.join("tile/0/000"), changed).unwrap();
    });
    fs::write(directory.join("tile/0/000"), hashes).unwrap();
    assert!(
        said.contains("BROKEN at position 101: it was not built on the event before"),
        "{said}"
    );

    fs::remove_file(directory.join("tile/1/000.p/2")).unwrap();
    told(&audit(&["verify", text(directory)]), 2);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_history_and_a_lost_one_show_against_a_kept_checkpoint() {
    // Two servers with the same keys, as after a backup was restored.
    let (one, other) = (TestApp::start().await, TestApp::start().await);
    let license = one.license().await;
    other.product("OTH").await;
    let saved = tempfile::tempdir().unwrap();
    let (here, there) = (saved.path().join("one"), saved.path().join("other"));
    export(&one, &here);
    export(&other, &there);
    let kept = here.join("checkpoint");
    let said = told(&audit(&["verify", text(&there), "--since", text(&kept)]), 1);
    assert!(
        said.contains("BROKEN at position 2: it is missing: the checkpoint that you kept counts 4 events"),
        "{said}"
    );
    for code in ["A", "B", "C"] {
        other.product(code).await;
    }
    export(&other, &there);
    let said = told(&audit(&["verify", text(&there), "--since", text(&kept)]), 1);
    assert!(
        said.contains("BROKEN at position 3: history up to here"),
        "{said}"
    );
    // The ledger is in order by itself: only who kept something can tell.
    told(&audit(&["verify", text(&there)]), 0);

    grow(&one, &license["key"], 10).await;
    export(&one, &there);
    told(&audit(&["verify", text(&there), "--since", text(&kept)]), 0);
    one.finish().await;
    other.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_was_changed_proves_nothing() {
    let app = TestApp::start().await;
    let license = app.license().await;
    grow(&app, &license["key"], 20).await;
    let receipt = app.client.get("/ledger/receipt/7").await.expect(200);
    let saved = tempfile::tempdir().unwrap();
    let file = saved.path().join("receipt.json");
    let check = |receipt: &serde_json::Value| {
        fs::write(&file, receipt.to_string()).unwrap();
        audit(&["check-receipt", text(&file)])
    };
    let said = told(&check(&receipt), 0);
    assert!(said.contains("position 7 of test.example/t/default"), "{said}");
    for (member, value) in [
        ("position", json!(8)),
        ("leaf", json!("AAAA")),
        ("leaf", json!("?")),
        ("inclusion_proof", json!([])),
        ("inclusion_proof", json!(["x"])),
        ("checkpoint", json!("")),
        ("verifier_key", json!("x")),
    ] {
        let mut changed = receipt.clone();
        changed[member] = value;
        let said = told(&check(&changed), 1);
        assert!(said.starts_with("NOT PROVEN: "), "{member}: {said}");
    }
    let mut later = receipt.clone();
    later["version"] = json!("vinzy-receipt/2");
    told(&check(&later), 2);
    fs::write(&file, "{").unwrap();
    told(&audit(&["check-receipt", text(&file)]), 2);
    fs::write(&file, receipt.to_string()).unwrap();
    let other = VerifierKey::from_signing("test.example/t/default", &SigningKey::from_bytes(&[8; 32]));
    let said = told(
        &audit(&["check-receipt", text(&file), "--vkey", &other.to_string()]),
        1,
    );
    assert!(said.contains("not signed by this key"), "{said}");
    app.finish().await;
}
