//! The audit trail, and whether tampering is found.

use serde_json::json;

use crate::support::TestApp;
use crate::support::client::Answer;

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
