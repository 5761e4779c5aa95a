//! The audit trail, and whether tampering is found.

use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::client::Answer;
use crate::support::node::vinzy;

#[tokio::test]
async fn the_trail_names_who_did_what_when() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let id = license["id"].as_str().unwrap();
    app.client
        .patch(&format!("/licenses/{id}"), &json!({"tier": "gold"}))
        .await
        .expect(200);
    let answer = app.client.get(&format!("/audit/{id}?limit=10")).await;
    assert_eq!(answer.header("x-total-count"), "2");
    let trail = answer.expect(200);
    let (updated, created) = (&trail[0], &trail[1]);
    assert_eq!(updated["event_type"], "license.updated");
    assert_eq!(updated["detail"], json!({"tier": "gold"}));
    assert_eq!(updated["prev_hash"], created["event_hash"]);
    assert_eq!(created["actor"], "admin");
    assert_eq!(created["license_id"], id);
    assert_eq!(created["created_at"], "2026-03-01T12:00:00.000000Z");
    let only = app
        .client
        .get(&format!("/audit/{id}?event_type=license.created"))
        .await
        .expect(200);
    assert_eq!(only, json!([created]));
    let first = app.client.get(&format!("/audit/{id}?page_size=1")).await;
    assert!(first.header("link").contains("rel=\"next\""));
    let second = app
        .client
        .get(&format!("/audit/{id}?page_size=1&after={}", updated["position"]))
        .await
        .expect(200);
    assert_eq!(second, json!([created]));
    assert_eq!(
        app.client.get(&format!("/audit/{id}/verify")).await.expect(200)["events_checked"],
        2
    );
    for path in [
        "/audit/0197f0a2-0000-7000-8000-000000000000",
        "/audit/0197f0a2-0000-7000-8000-000000000000/verify",
        "/audit/x",
    ] {
        app.client
            .get(path)
            .await
            .expect_problem(404, "LICENSE_NOT_FOUND");
    }
    app.finish().await;
}

#[tokio::test]
async fn the_database_refuses_to_rewrite_events() {
    let app = TestApp::start().await;
    app.license().await;
    for sql in [
        "UPDATE events SET event_type = 'x'",
        "DELETE FROM events",
        "TRUNCATE events",
        "DELETE FROM events WHERE false",
    ] {
        let error = app.database.try_execute(sql).await.unwrap_err().to_string();
        assert!(error.contains("append-only"), "{sql}: {error}");
    }
    app.finish().await;
}

/// How a tamperer works: past the trigger.
fn tampering(sql: &str) -> String {
    format!("ALTER TABLE events DISABLE TRIGGER USER; {sql}; ALTER TABLE events ENABLE TRIGGER USER")
}

/// What `/ledger/verify` and `vinzy verify` find; they must agree.
async fn found(app: &TestApp) -> (u64, String) {
    let report = app.client.get("/ledger/verify").await.expect(200);
    assert_eq!(
        (&report["valid"], &report["checkpoint"]),
        (&json!(false), &Value::Null),
        "{report}"
    );
    let position = report["break_at"].as_u64().unwrap();
    let output = vinzy()
        .arg("verify")
        .env("VINZY_DB_URL", app.database.url())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains(&format!("BROKEN at position {position}: ")),
        "{text}"
    );
    (position, report["problem"].as_str().unwrap().to_owned())
}

/// A ledger of eight events: opened, product, customer, license, four changes.
async fn eight_events() -> (TestApp, String) {
    let app = TestApp::start().await;
    let license = app.license().await;
    let id = license["id"].as_str().unwrap().to_owned();
    for tier in ["a", "b", "c", "d"] {
        app.client
            .patch(&format!("/licenses/{id}"), &json!({"tier": tier}))
            .await
            .expect(200);
    }
    let good = app.client.get("/ledger/verify").await.expect(200);
    assert_eq!(
        (&good["valid"], &good["events_checked"]),
        (&json!(true), &json!(8))
    );
    (app, id)
}

#[tokio::test]
async fn every_kind_of_tampering_names_its_position() {
    let replace = |what: &str, with: &str| {
        format!(
            "UPDATE events SET leaf = convert_to(replace(convert_from(leaf, 'UTF8'), '{what}', '{with}'), 'UTF8') WHERE position = 5"
        )
    };
    let hash_again = "UPDATE events SET event_hash = sha256('\\x00'::bytea || leaf) WHERE position = 5";
    let cases = [
        ("payload", replace("\"tier\":\"b\"", "\"tier\":\"z\""), 5, "column event_hash"),
        ("payload and hash", format!("{}; {hash_again}", replace("\"tier\":\"b\"", "\"tier\":\"z\"")), 6, "not built on the event before"),
        ("time", replace("2026-03-01T12", "2026-03-01T11"), 5, "lies before"),
        ("time column", "UPDATE events SET recorded_at = recorded_at + interval '1 s' WHERE position = 5".into(), 5, "column recorded_at"),
        ("type column", "UPDATE events SET event_type = 'license.revoked' WHERE position = 5".into(), 5, "column event_type"),
        ("license column", "UPDATE events SET license_id = NULL WHERE position = 5".into(), 5, "column license_id"),
        ("deleted in the middle", "DELETE FROM events WHERE position = 5".into(), 5, "is missing"),
        ("deleted tail", "DELETE FROM events WHERE position >= 6".into(), 6, "is missing"),
        ("swapped", "UPDATE events SET position = CASE position WHEN 5 THEN -6 ELSE -5 END WHERE position IN (5, 6); UPDATE events SET position = -position WHERE position < 0".into(), 5, "is missing"),
        ("not JSON", "UPDATE events SET leaf = 'x' WHERE position = 5".into(), 5, "no event"),
        ("ciphertext", "UPDATE sealed_values SET ciphertext = ciphertext || 'x'::bytea WHERE path = '/payload/name'".into(), 2, "ciphertext of /payload/name"),
        ("missing ciphertext", "DELETE FROM sealed_values WHERE path = '/payload/email'".into(), 2, "ciphertext of /payload/email is missing"),
        ("head", "UPDATE ledgers SET head_hash = sha256('x'::bytea)".into(), 7, "head"),
    ];
    for (name, sql, position, problem) in cases {
        let (app, _) = eight_events().await;
        app.database.execute(&tampering(&sql)).await;
        let (at, told) = found(&app).await;
        assert_eq!(at, position, "{name}: {told}");
        assert!(told.contains(problem), "{name}: {told}");
        app.database.drop().await;
    }
}

#[tokio::test]
async fn a_cut_tail_with_a_head_to_match_betrays_itself_by_the_checkpoint() {
    let (app, _) = eight_events().await;
    // The head as it was two events ago, which an insider can compute.
    let mut frontier = vinzy_events::ledger::Frontier::new();
    let leaves = leaves(&app).await;
    for leaf in &leaves[..6] {
        frontier.push(vinzy_events::ledger::event_hash(leaf));
    }
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let head = vinzy_events::ledger::event_hash(&leaves[5]);
    app.database
        .execute(&tampering(&format!(
            "DELETE FROM events WHERE position >= 6; UPDATE ledgers SET size = 6, head_hash = '\\x{head}', frontier = '\\x{}'",
            hex(&frontier.to_bytes())
        )))
        .await;
    let (at, told) = found(&app).await;
    assert_eq!(at, 6);
    assert!(told.contains("checkpoint of 8 events"), "{told}");
    app.database.drop().await;
}

#[tokio::test]
async fn a_rewritten_history_is_not_signed_as_a_fork() {
    let (app, _) = eight_events().await;
    // An insider rewrites an event and everything after it, consistently, and moves the head.
    let mut chain = leaves(&app).await;
    let mut frontier = vinzy_events::ledger::Frontier::new();
    let mut before = vinzy_events::ledger::Hash::ZERO;
    let mut statements = String::new();
    for (position, bytes) in chain.iter_mut().enumerate() {
        let mut leaf = vinzy_events::ledger::Leaf::parse(bytes).unwrap();
        leaf.prev = before;
        if position == 4 {
            leaf.payload = json!({"tier": "forged"});
        }
        *bytes = leaf.encode().unwrap();
        before = vinzy_events::ledger::event_hash(bytes);
        frontier.push(before);
        let leaf = data_encoding::HEXLOWER.encode(bytes);
        statements += &format!(
            "UPDATE events SET leaf = '\\x{leaf}', event_hash = '\\x{before}' WHERE position = {position};"
        );
    }
    let frontier = data_encoding::HEXLOWER.encode(&frontier.to_bytes());
    statements += &format!("UPDATE ledgers SET head_hash = '\\x{before}', frontier = '\\x{frontier}'");
    app.database.execute(&tampering(&statements)).await;
    let (_, told) = found(&app).await;
    assert!(told.contains("checkpoint"), "{told}");
    app.database.drop().await;
}

#[tokio::test]
async fn tampering_with_a_license_shows_in_its_own_verification() {
    let (app, id) = eight_events().await;
    let verify = format!("/audit/{id}/verify");
    assert_eq!(
        app.client.get(&verify).await.expect(200),
        json!({"valid": true, "events_checked": 5, "break_at": null, "problem": null})
    );
    app.database
        .execute(&tampering("DELETE FROM events WHERE position = 5"))
        .await;
    let report = app.client.get(&verify).await.expect(200);
    assert_eq!(report["valid"], false, "{report}");
    app.database.drop().await;
}

async fn leaves(app: &TestApp) -> Vec<Vec<u8>> {
    let mut conn = app.app.pool.acquire().await.unwrap();
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

#[tokio::test]
async fn every_change_says_where_it_stands_in_the_ledger() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let place = |answer: &Answer| {
        (
            answer.header("x-vinzy-ledger-position").to_owned(),
            answer.header("x-vinzy-event-hash").to_owned(),
        )
    };
    let customer = json!({"name": "J", "email": "j@example.com"});
    let created = app.client.post_with_key("/customers", "k1", &customer).await;
    let (position, hash) = place(&created);
    let stored = format!(
        "SELECT count(*) FROM events WHERE ledger_id = 'default' AND position = {position}
           AND encode(event_hash, 'hex') = '{hash}' AND event_type = 'customer.created'"
    );
    assert_eq!(app.database.count(&stored).await, 1, "{created:?}");
    let again = app.client.post_with_key("/customers", "k1", &customer).await;
    assert_eq!(place(&again), (position, hash), "a repeated request");

    let records = json!({"key": license["key"], "records": [{"metric": "a"}, {"metric": "b"}]});
    let batch = app.client.ask("/usage/batch", &records).await;
    let last = app
        .database
        .count("SELECT max(position) FROM events WHERE event_type = 'usage.recorded'")
        .await;
    assert_eq!(place(&batch).0, last.to_string(), "the last of several");

    for nothing in [
        app.client.get("/customers").await,
        app.client.post("/customers", &customer).await,
        app.client.post("/customers", &json!({})).await,
    ] {
        assert_eq!(place(&nothing), (String::new(), String::new()), "{nothing:?}");
    }
    app.finish().await;
}
