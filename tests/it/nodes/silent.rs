//! Whoever holds a lock and falls silent loses it, and what it had begun: a node that was stopped or cut off at the worst
//! moment, as the database sees it.

use serde_json::json;
use sqlx::{Connection, PgConnection, PgPool};
use vinzy_engine::database::{connect, disconnect};
use vinzy_projections::licenses;

use super::until;
use crate::support::TestApp;

/// Begins a transaction as a node does, and takes a lock.
async fn hold<'a>(connection: &'a mut PgConnection, lock: &str) -> sqlx::Transaction<'a, sqlx::Postgres> {
    let mut held = connection.begin().await.unwrap();
    let locked = sqlx::query(lock).fetch_all(&mut *held).await.unwrap();
    assert_eq!(locked.len(), 1, "there is something to hold");
    held
}

async fn pool(app: &TestApp) -> PgPool {
    connect(app.database.options(), 1).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_writer_loses_the_ledger_and_cannot_write_to_it_any_more() {
    let app = TestApp::start().await;
    app.product("PRD").await;
    let pool = pool(&app).await;
    let mut connection = pool.acquire().await.unwrap();
    let lock = "SELECT size FROM ledgers WHERE ledger_id = 'default' FOR UPDATE";
    let mut silent = hold(&mut connection, lock).await;

    until("another writes", || async {
        let body = json!({"code": "NXT", "name": "x"});
        let status = app.client.post("/products", &body).await.status;
        assert!(matches!(status, 201 | 503), "{status}");
        status == 201
    })
    .await;
    let late = "UPDATE ledgers SET size = size + 1 WHERE ledger_id = 'default'";
    assert!(sqlx::query(late).execute(&mut *silent).await.is_err());
    drop(silent);
    drop(connection);
    disconnect(&pool).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_worker_loses_its_projection_to_another_node() {
    let app = TestApp::start().await;
    let license = app.license().await;
    app.client.get("/licenses").await.expect(200);
    let pool = pool(&app).await;
    let mut connection = pool.acquire().await.unwrap();
    let lock = format!(
        "SELECT position FROM projection_checkpoints WHERE ledger_id = 'default' AND projection = '{}' FOR UPDATE",
        licenses::NAME
    );
    let mut silent = hold(&mut connection, &lock).await;

    let id = license["id"].as_str().unwrap();
    let revoke = format!("/licenses/{id}/revoke");
    app.client
        .post(&revoke, &json!({"reason": "x"}))
        .await
        .expect(200);
    until("the read model goes on", || async {
        let answer = app.client.get("/licenses?status=revoked").await;
        assert!(matches!(answer.status, 200 | 503), "{}", answer.body);
        answer.status == 200 && answer.body[0]["id"] == id
    })
    .await;
    let late = "UPDATE projection_checkpoints SET position = 0";
    assert!(sqlx::query(late).execute(&mut *silent).await.is_err());
    drop(silent);
    drop(connection);
    disconnect(&pool).await;
    app.finish().await;
}

#[tokio::test]
async fn a_transaction_that_somebody_left_behind_is_not_the_next_ones() {
    let app = TestApp::start().await;
    let pool = pool(&app).await;
    let mut connection = pool.acquire().await.unwrap();
    // As when whoever begins one goes away before the answer: the program does not know of it.
    sqlx::raw_sql("BEGIN").execute(&mut *connection).await.unwrap();
    drop(connection);
    sqlx::query("CREATE TABLE left_behind ()")
        .execute(&pool)
        .await
        .unwrap();
    let seen = app
        .database
        .count("SELECT count(*) FROM pg_tables WHERE tablename = 'left_behind'");
    assert_eq!(seen.await, 1, "it is committed");
    app.database.execute("DROP TABLE left_behind").await;
    disconnect(&pool).await;
    app.finish().await;
}
