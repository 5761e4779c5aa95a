//! `vinzy replay`: read models made anew beside those that serve.

use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::support::database::TestDatabase;
use crate::support::node::{on_database, vinzy};
use crate::support::{TestApp, eventually};

fn replay(database: &TestDatabase, arguments: &[&str]) -> Command {
    let mut command = vinzy();
    on_database(&mut command, &database.url())
        .arg("replay")
        .args(arguments);
    command
}

async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

/// What it says when it exits with `code`.
async fn run(database: &TestDatabase, arguments: &[&str], code: i32) -> String {
    let output = output(replay(database, arguments)).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}{errors}");
    text + &errors
}

/// Shape, rights and indexes of all tables in use.
const SHAPE: &str = "
    SELECT hashtextextended(string_agg(line, E'\\n' ORDER BY line), 0) FROM (
        SELECT format('%s %s %s %s %s', c.relname, a.attname, a.attnum, a.atttypid, a.attnotnull) AS line
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        WHERE c.relnamespace = 'public'::regnamespace
        UNION ALL
        SELECT format('%s %s', indexname, indexdef) FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL
        SELECT format('%s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        UNION ALL
        SELECT format('%s %s %s', relname, relacl, reloptions) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
    ) lines";

#[tokio::test(flavor = "multi_thread")]
async fn read_models_take_the_place_of_those_that_serve_and_nobody_notices() {
    let app = Arc::new(TestApp::start().await);
    let license = app.license().await;
    let (_, other) = app.tenant("acme").await;
    other.license().await;
    app.client.activate(&license["key"], "desk").await;
    app.client.use_of(&license["key"], "exports", 3).await;
    app.database
        .execute("GRANT SELECT ON licenses, usage_buckets TO PUBLIC")
        .await;
    let shape = app.database.count(SHAPE).await;

    let ended = Arc::new(AtomicBool::new(false));
    let working = tokio::spawn({
        let (app, ended) = (Arc::clone(&app), Arc::clone(&ended));
        async move {
            let customer = app.customer("other@example.com").await;
            let mut issued = 1;
            while !ended.load(Ordering::Relaxed) {
                app.license_of("PRD", &customer).await;
                issued += 1;
                let page = app.client.get("/licenses?page_size=1").await;
                assert_eq!(page.header("x-total-count"), issued.to_string());
                page.expect(200);
            }
            issued
        }
    });
    let text = run(&app.database, &["--verify"], 0).await;
    ended.store(true, Ordering::Relaxed);
    assert!(working.await.unwrap() > 1);
    for projection in vinzy_projections::all() {
        let name = projection.name();
        assert!(text.contains(&format!("{name}: no row differs")), "{text}");
        assert!(text.contains(&format!("{name}: serves; the swap took")), "{text}");
    }
    assert_eq!(
        app.database.count(SHAPE).await,
        shape,
        "a table has another shape"
    );
    let left = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'vinzy_replay%'";
    assert_eq!(app.database.count(left).await, 0);
    Arc::into_inner(app).expect("nobody else has it").finish().await;
}

#[tokio::test]
async fn a_row_that_somebody_changed_is_shown_and_mended() {
    let app = TestApp::start().await;
    app.license().await;
    let tier = async || app.client.get("/licenses").await.expect(200)[0]["tier"].clone();
    let before = tier().await;
    app.database.execute("UPDATE licenses SET tier = 'forged'").await;
    let text = run(&app.database, &["licenses", "--verify", "--dry-run"], 1).await;
    assert!(text.contains("licenses: 2 rows differ"), "{text}");
    assert!(
        text.contains("- serves  licenses of default") && text.contains("forged"),
        "{text}"
    );
    assert!(text.contains("+ replayed"), "{text}");
    assert_eq!(tier().await, "forged");
    run(&app.database, &["licenses", "--verify"], 1).await;
    assert_eq!(tier().await, before);
    run(&app.database, &["licenses", "--verify"], 0).await;
    app.finish().await;
}

#[tokio::test]
async fn a_projection_that_stands_still_goes_on() {
    let app = TestApp::start().await;
    let license = app.license().await;
    app.client.use_of(&license["key"], "exports", 3).await;
    app.client.get("/licenses").await.expect(200);
    let park = "UPDATE projection_checkpoints SET position = 1, parked_reason = 'an event of tomorrow'
                WHERE projection = 'licenses' AND ledger_id = 'default'";
    app.database.execute(park).await;
    app.database.execute("DELETE FROM licenses").await;
    app.client.get_anonymously("/ready").await.expect(503);
    run(&app.database, &["licenses"], 0).await;
    eventually("it is ready", || async {
        app.client.get_anonymously("/ready").await.status == 200
    })
    .await;
    let page = app.client.get("/licenses").await.expect(200);
    assert_eq!(page.as_array().unwrap().len(), 1);
    app.finish().await;
}

#[tokio::test]
async fn a_read_model_is_seen_as_it_was() {
    let app = TestApp::start().await;
    let customer = {
        app.product("PRD").await;
        app.customer("jane@example.com").await
    };
    app.license_of("PRD", &customer).await;
    let before = app.clock.now().to_string();
    let size = app
        .database
        .count("SELECT size FROM ledgers WHERE ledger_id = 'default'")
        .await;
    app.advance(Duration::from_hours(1));
    app.license_of("PRD", &customer).await;
    for to in [size.to_string(), before] {
        let text = run(
            &app.database,
            &["licenses", "--to", &to, "--ledger", "default"],
            0,
        )
        .await;
        assert!(text.contains("the schema vinzy_replay_licenses"), "{text}");
        let then = "SELECT count(*) FROM vinzy_replay_licenses.licenses";
        assert_eq!(app.database.count(then).await, 1, "{to}");
    }
    let listed = app.client.get("/licenses").await;
    assert_eq!(listed.header("x-total-count"), "2");
    // What was left is not in the way.
    run(&app.database, &["licenses"], 0).await;
    app.finish().await;
}

#[tokio::test]
async fn what_cannot_be_replayed_is_said() {
    let app = TestApp::start().await;
    app.product("PRD").await;
    for (arguments, words) in [
        (&["licences"][..], "possible values"),
        (&["--to", "yesterday"], "neither a position"),
        (&["--ledger", "default"], "required arguments"),
        (&["--ledger", "nobody", "--dry-run"], "there is no ledger nobody"),
        (&["--to", "3", "--verify"], "cannot be used with"),
    ] {
        let text = run(&app.database, arguments, 2).await;
        assert!(text.contains(words), "{arguments:?}: {text}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_goes_on_where_they_were() {
    let app = TestApp::start().await;
    let license = app.license().await;
    let record = json!({"key": license["key"], "metric": "exports", "value": 1});
    for _ in 0..12 {
        let records = json!({"records": vec![&record; 1_000]});
        app.client.ask("/usage/batch", &records).await.expect(200);
    }
    app.client.get("/overview").await.expect(200);
    let progress = "SELECT coalesce(sum(position), 0)::bigint FROM vinzy_replay_usage.replay_progress";
    let mut killed_at = 0;
    for _ in 0..10 {
        let mut child = replay(&app.database, &["usage", "--restart"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while child.try_wait().unwrap().is_none() && killed_at == 0 {
            if let Ok(position) = app.database.try_count(progress).await
                && position > 0
            {
                killed_at = position;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // It may have been faster, and have ended.
        match app.database.try_count(progress).await {
            Ok(position) if killed_at > 0 => {
                killed_at = position;
                break;
            }
            _ => killed_at = 0,
        }
    }
    assert!(killed_at > 0, "it was never killed in between");
    let text = run(&app.database, &["usage", "--verify"], 0).await;
    assert!(text.contains("usage: goes on after "), "{text}");
    assert!(text.contains("usage: no row differs"), "{text}");
    app.finish().await;
}
