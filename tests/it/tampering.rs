//! What an insider with the database's own rights can do to a ledger, and what each check says of it: the verification in
//! the database, an auditor from outside, the verification of a license's history, a receipt of the event, and the
//! signer. Restored backups and second histories: `checkpoints` and `auditing`.

use std::path::Path;

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use vinzy_events::ledger::{Frontier, Hash, Leaf, event_hash};

use crate::support::TestApp;
use crate::support::node::vinzy;

/// How a tamperer works: past the trigger.
fn past_the_trigger(sql: &str) -> String {
    format!("ALTER TABLE events DISABLE TRIGGER USER; {sql}; ALTER TABLE events ENABLE TRIGGER USER")
}

/// A ledger of eight events, opened, product, customer, license, four changes; its license's id, and a checkpoint of it that
/// an auditor has kept.
struct Ledger {
    app: TestApp,
    license_id: String,
    saved: tempfile::TempDir,
}

impl Ledger {
    async fn start() -> Self {
        let app = TestApp::start().await;
        let license = app.license().await;
        let license_id = license["id"].as_str().unwrap().to_owned();
        for tier in ["a", "b", "c", "d"] {
            app.client
                .patch(&format!("/licenses/{license_id}"), &json!({"tier": tier}))
                .await
                .expect(200);
        }
        let good = app.client.get("/ledger/verify").await.expect(200);
        assert_eq!(
            (&good["valid"], &good["events_checked"]),
            (&json!(true), &json!(8))
        );
        let saved = tempfile::tempdir().unwrap();
        std::fs::write(saved.path().join("since"), good["checkpoint"].as_str().unwrap()).unwrap();
        Self {
            app,
            license_id,
            saved,
        }
    }

    async fn leaves(&self) -> Vec<Vec<u8>> {
        let mut conn = self.app.app.pool.acquire().await.unwrap();
        let span = vinzy_projections::event_log::Span {
            ledger_id: "default",
            from: 0,
            to: 100,
            stream_types: &[],
            limit: 100,
        };
        let events = vinzy_projections::event_log::read(&mut conn, span).await.unwrap();
        events.into_iter().map(|event| event.leaf).collect()
    }

    /// What all checks say of the ledger as it is.
    async fn verdicts(&self) -> Verdicts {
        Verdicts {
            database: self.database().await,
            auditor: self.auditor(),
            license: self.license().await,
            receipt: self.status("/ledger/receipt/5").await,
            signer: {
                // The server goes on writing, and wants to sign what it wrote.
                self.app
                    .client
                    .post("/products", &json!({"code": "NEW", "name": "New"}))
                    .await;
                self.status("/t/default/checkpoint").await
            },
        }
    }

    async fn status(&self, path: &str) -> u16 {
        self.app.client.get(path).await.status
    }

    /// What `/ledger/verify` and `vinzy verify` find; they must agree.
    async fn database(&self) -> String {
        let report = self.app.client.get("/ledger/verify").await.expect(200);
        let output = vinzy()
            .args(["verify", "--ledger", "default"])
            .env("VINZY_DB_URL", self.app.database.url())
            .env("VINZY_DATA_DIR", self.app.database.data_dir())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        if report["valid"] == true {
            assert_eq!(output.status.code(), Some(0), "{text}");
            return String::new();
        }
        assert_eq!(report["checkpoint"], Value::Null, "{report}");
        assert_eq!(output.status.code(), Some(1), "{text}");
        let found = format!("{}: {}", report["break_at"], report["problem"].as_str().unwrap());
        assert!(
            text.contains(&format!("BROKEN at position {found}")),
            "{found}, but {text}"
        );
        found
    }

    /// What `vinzy audit verify` finds, from outside and with the checkpoint that was kept.
    fn auditor(&self) -> String {
        let output = vinzy()
            .args(["audit", "verify", &format!("{}/t/default", self.app.client.base)])
            .args(["--since", text(&self.saved.path().join("since"))])
            .output()
            .unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        let broken = told
            .lines()
            .find_map(|line| line.strip_prefix("BROKEN at position "));
        let expected = match broken {
            Some(_) => 1,
            None if told.contains("proven: the ledger continues") => 0,
            None => 2,
        };
        assert_eq!(output.status.code(), Some(expected), "{told}");
        match expected {
            2 => "no answer".into(),
            _ => broken.unwrap_or_default().to_owned(),
        }
    }

    /// What the verification of the license's own history finds.
    async fn license(&self) -> String {
        let path = format!("/audit/{}/verify", self.license_id);
        let report = self.app.client.get(&path).await.expect(200);
        if report["valid"] == true {
            return String::new();
        }
        format!("{}: {}", report["break_at"], report["problem"].as_str().unwrap())
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What each check says: nothing, or position and problem; and the answers of those that only prove or refuse.
struct Verdicts {
    database: String,
    auditor: String,
    license: String,
    receipt: u16,
    signer: u16,
}

/// How the verdicts must begin.
#[derive(Clone, Copy)]
struct Expected {
    database: &'static str,
    auditor: &'static str,
    license: &'static str,
    receipt: u16,
    signer: u16,
}

impl Verdicts {
    #[track_caller]
    fn check(&self, name: &str, expected: Expected) {
        for (check, found, expected) in [
            ("database", &self.database, expected.database),
            ("auditor", &self.auditor, expected.auditor),
            ("license", &self.license, expected.license),
        ] {
            let agree = found.starts_with(expected) && found.is_empty() == expected.is_empty();
            assert!(agree, "{name}: the check of the {check} says {found:?}");
        }
        assert_eq!(
            (self.receipt, self.signer),
            (expected.receipt, expected.signer),
            "{name}: receipt and signer"
        );
    }
}

fn edited(what: &str, with: &str) -> String {
    format!(
        "UPDATE events SET leaf = convert_to(replace(convert_from(leaf, 'UTF8'), '{what}', '{with}'), 'UTF8') WHERE position = 5"
    )
}

/// The events from one on written anew, each built on the one before, with a head to match: all that an insider without
/// the signing key can do.
async fn rewritten(ledger: &Ledger, from: usize, change: impl Fn(&mut Vec<Leaf>)) -> String {
    let mut leaves: Vec<Leaf> = ledger
        .leaves()
        .await
        .iter()
        .map(|bytes| Leaf::parse(bytes).unwrap())
        .collect();
    change(&mut leaves);
    let (mut before, mut frontier) = (Hash::ZERO, Frontier::new());
    let mut sql = String::new();
    for (position, leaf) in leaves.iter_mut().enumerate() {
        leaf.prev = before;
        leaf.pos = position as u64;
        let bytes = leaf.encode().unwrap();
        before = event_hash(&bytes);
        frontier.push(before);
        if position >= from {
            sql += &format!(
                "UPDATE events SET leaf = '\\x{}', event_hash = '\\x{before}' WHERE position = {position};",
                HEXLOWER.encode(&bytes)
            );
        }
    }
    let (size, frontier) = (leaves.len(), HEXLOWER.encode(&frontier.to_bytes()));
    sql + &format!(
        "DELETE FROM events WHERE position >= {size};
         UPDATE ledgers SET size = {size}, head_hash = '\\x{before}', frontier = '\\x{frontier}' WHERE ledger_id = 'default'"
    )
}

/// What only whoever has the database can see: the events themselves are whole.
const BESIDE: Expected = Expected {
    database: "",
    auditor: "",
    license: "",
    receipt: 200,
    signer: 200,
};

/// An event at position 5 that is not what was signed.
const EDITED: Expected = Expected {
    database: "5: ",
    auditor: "5: the event in tile/entries/000.p/8 does not have the hash that tile/0/000.p/8 says",
    license: "5: ",
    receipt: 500,
    signer: 200,
};

#[tokio::test(flavor = "multi_thread")]
async fn edited_events_are_found() {
    let payload = edited("\"tier\":\"b\"", "\"tier\":\"z\"");
    let with_hash = "UPDATE events SET event_hash = sha256('\\x00'::bytea || leaf) WHERE position = 5";
    for (name, sql, expected) in [
        (
            "payload",
            payload.clone(),
            Expected {
                database: "5: column event_hash",
                ..EDITED
            },
        ),
        (
            "payload with its hash",
            format!("{payload}; {with_hash}"),
            Expected {
                database: "6: it was not built on the event before it",
                auditor: "6: it was not built on the event before it",
                license: "5: the event after it was built on another event",
                ..EDITED
            },
        ),
        (
            "not JSON",
            "UPDATE events SET leaf = 'x' WHERE position = 5".into(),
            Expected {
                database: "5: the stored bytes are no event",
                license: "4: the event after it: not a ledger event",
                ..EDITED
            },
        ),
        (
            "time",
            edited("2026-03-01T12", "2026-03-01T11"),
            Expected {
                database: "5: its time 2026-03-01T11:00:00.000000Z lies before",
                ..EDITED
            },
        ),
    ] {
        check(name, &sql, expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn edited_columns_are_found_in_the_database() {
    for (column, value) in [
        ("event_id", "gen_random_uuid()"),
        ("stream_type", "'product'"),
        ("stream_id", "'x'"),
        ("stream_seq", "9"),
        ("event_type", "'license.revoked'"),
        ("type_ver", "2"),
        ("recorded_at", "recorded_at + interval '1 s'"),
        ("license_id", "NULL"),
        ("event_hash", "sha256('x'::bytea)"),
    ] {
        let expected = Expected {
            database: "5: column ",
            license: match column {
                // It is not in the license's history any more: the gap is.
                "license_id" | "stream_type" | "stream_id" => "4: event 3 of its stream is missing",
                "stream_seq" => "4: event 8 of its stream is missing",
                _ => "5: ",
            },
            auditor: if column == "event_hash" {
                EDITED.auditor
            } else {
                ""
            },
            ..BESIDE
        };
        let sql = format!("UPDATE events SET {column} = {value} WHERE position = 5");
        check(column, &sql, expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_and_moved_events_are_found() {
    for (name, sql, expected) in [
        (
            "deleted in the middle",
            "DELETE FROM events WHERE position = 5",
            Expected { database: "5: it is missing: position 6 comes instead", auditor: "no answer", license: "4: ", receipt: 500, signer: 500 },
        ),
        (
            "deleted tail",
            "DELETE FROM events WHERE position >= 6",
            Expected { database: "6: it is missing: the ledger ends here, but its head counts 8", auditor: "no answer", license: "5: the event after it is missing", receipt: 500, signer: 500 },
        ),
        (
            "swapped",
            "UPDATE events SET position = CASE position WHEN 5 THEN -6 ELSE -5 END WHERE position IN (5, 6);
             UPDATE events SET position = -position WHERE position < 0",
            Expected { database: "5: it is missing: position 6 comes instead", auditor: "5: it is missing: position 6 comes instead", license: "4: ", ..EDITED },
        ),
        (
            "moved to the end",
            "UPDATE events SET position = -position WHERE position > 5; UPDATE events SET position = 7 WHERE position = 5;
             UPDATE events SET position = -position - 1 WHERE position < 0",
            Expected { database: "5: it is missing: position 6 comes instead", auditor: "5: it is missing: position 6 comes instead", license: "4: ", ..EDITED },
        ),
    ] {
        check(name, sql, expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_beside_the_events_is_compared_with_them() {
    for (name, sql, expected) in [
        (
            "changed ciphertext",
            "UPDATE sealed_values SET ciphertext = ciphertext || 'x'::bytea WHERE path = '/payload/name'",
            Expected {
                database: "2: the ciphertext of /payload/name is not the one",
                ..BESIDE
            },
        ),
        (
            "missing ciphertext",
            "DELETE FROM sealed_values WHERE path = '/payload/email'",
            Expected {
                database: "2: the ciphertext of /payload/email is missing",
                ..BESIDE
            },
        ),
        (
            "other head",
            "UPDATE ledgers SET head_hash = sha256('x'::bytea) WHERE ledger_id = 'default'",
            Expected {
                database: "7: the ledger's head names another hash",
                ..BESIDE
            },
        ),
        (
            // The server that knows better puts it right with the next event.
            "other tree",
            "UPDATE ledgers SET frontier = sha256('x'::bytea) WHERE ledger_id = 'default'",
            Expected {
                database: "7: the ledger's head names another Merkle root",
                auditor: "no answer",
                ..BESIDE
            },
        ),
        (
            "other checkpoint",
            "UPDATE checkpoints SET root = sha256('x'::bytea) WHERE ledger_id = 'default'",
            Expected {
                database: "7: history up to here is not the one",
                auditor: "no answer",
                receipt: 500,
                signer: 409,
                ..BESIDE
            },
        ),
        (
            "other key",
            "UPDATE ledgers SET verifier_key = 'x' WHERE ledger_id = 'default'",
            Expected {
                database: "7: the ledger's row names other keys",
                auditor: "no answer",
                signer: 500,
                ..BESIDE
            },
        ),
    ] {
        check(name, sql, expected).await;
    }
}

/// Both are in order by themselves, and betrayed by the checkpoint that was signed.
#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_was_rewritten_or_cut_is_not_signed_as_a_fork() {
    let ledger = Ledger::start().await;
    let sql = rewritten(&ledger, 5, |leaves| leaves[5].payload = json!({"tier": "z"})).await;
    ledger.app.database.execute(&past_the_trigger(&sql)).await;
    let expected = Expected {
        database: "7: history up to here is not the one that the checkpoint of 8 events was signed over",
        auditor: "no answer",
        license: "",
        receipt: 500,
        signer: 409,
    };
    ledger.verdicts().await.check("rewritten", expected);
    ledger.app.database.drop().await;

    let ledger = Ledger::start().await;
    let sql = rewritten(&ledger, 6, |leaves| leaves.truncate(6)).await;
    ledger.app.database.execute(&past_the_trigger(&sql)).await;
    let expected = Expected {
        database: "6: a checkpoint of 8 events was signed, but the ledger ends before that",
        ..expected
    };
    ledger.verdicts().await.check("cut", expected);
    ledger.app.database.drop().await;
}

/// What was not tampered with passes every check.
#[tokio::test(flavor = "multi_thread")]
async fn an_honest_ledger_passes() {
    let ledger = Ledger::start().await;
    ledger.verdicts().await.check("honest", BESIDE);
    ledger.app.finish().await;
}

async fn check(name: &str, sql: &str, expected: Expected) {
    let ledger = Ledger::start().await;
    ledger.app.database.execute(&past_the_trigger(sql)).await;
    ledger.verdicts().await.check(name, expected);
    ledger.app.database.drop().await;
}
