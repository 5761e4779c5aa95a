//! The schema as Citus would distribute it: every table has a place that its keys allow, and the program works on tables
//! that have been placed. Citus itself is asked where it is installed; elsewhere a stand-in refuses what it refuses.

use std::collections::BTreeSet;

use serde_json::json;
use sqlx::{ConnectOptions, PgConnection, Row};
use vinzy_engine::database::{connect, disconnect};
use vinzy_engine::distribution::{
    DistributeError, Distributed, Layout, PLAN, Placement, distribute, ensure_unused,
};

use crate::support::TestApp;
use crate::support::database::{STAND_IN, TestDatabase};
use crate::support::node::{on_database, vinzy};

async fn texts(database: &TestDatabase, sql: &str) -> BTreeSet<String> {
    let mut conn = database.options().connect().await.unwrap();
    let rows: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut conn).await.unwrap();
    rows.into_iter().collect()
}

/// A database with the stand-in for Citus.
async fn with_stand_in() -> (TestDatabase, PgConnection) {
    let database = TestDatabase::create().await;
    database.execute(STAND_IN).await;
    let conn = database.options().connect().await.unwrap();
    (database, conn)
}

/// Everything about tables, but not the stand-in's own.
const SHAPE: &str = "
    SELECT format('%s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace
    UNION ALL
    SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT format('%s %s', relname, relacl) FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL
    SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'";

#[tokio::test]
async fn every_table_has_a_place() {
    let database = TestDatabase::create().await;
    let there = texts(
        &database,
        "SELECT relname::text FROM pg_class
         WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname <> '_sqlx_migrations'",
    )
    .await;
    let planned: BTreeSet<String> = PLAN.iter().map(|(table, _)| (*table).to_owned()).collect();
    assert_eq!(planned.len(), PLAN.len(), "a table is planned twice");
    assert_eq!(planned, there, "the plan is in src/distribution.rs");
    database.drop().await;
}

#[tokio::test]
async fn keys_hold_what_their_table_is_distributed_by() {
    let database = TestDatabase::create().await;
    let mut conn = database.options().connect().await.unwrap();
    for (table, placement) in PLAN {
        let Some(column) = placement.column() else {
            continue;
        };
        let row = sqlx::query(
            "SELECT format_type(atttypid, NULL) AS kind, attnotnull, attgenerated = '' AND attidentity = '' AS plain
             FROM pg_attribute WHERE attrelid = $1::text::regclass AND attname = $2",
        )
        .bind(table)
        .bind(column)
        .fetch_one(&mut conn)
        .await
        .unwrap();
        let kind: String = row.get("kind");
        let expected = if *placement == Placement::WithLedger {
            "text"
        } else {
            "bytea"
        };
        assert_eq!(kind, expected, "{table}");
        assert!(row.get::<bool, _>("attnotnull"), "{table}");
        assert!(row.get::<bool, _>("plain"), "{table}");

        let without: Vec<String> = sqlx::query_scalar(
            "SELECT i.indexrelid::regclass::text FROM pg_index i
             WHERE i.indrelid = $1::text::regclass
               AND (i.indisunique OR i.indisexclusion)
               AND NOT EXISTS (SELECT FROM pg_attribute a
                               WHERE a.attrelid = i.indrelid AND a.attname = $2
                                 AND a.attnum = ANY(i.indkey[0:i.indnkeyatts - 1]))",
        )
        .bind(table)
        .bind(column)
        .fetch_all(&mut conn)
        .await
        .unwrap();
        assert!(without.is_empty(), "{without:?} cannot be unique over servers");
        let has_a_key: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_index WHERE indrelid = $1::text::regclass AND indisprimary)",
        )
        .bind(table)
        .fetch_one(&mut conn)
        .await
        .unwrap();
        assert!(has_a_key, "{table}");
    }
    database.drop().await;
}

#[tokio::test]
async fn foreign_keys_stay_within_a_ledger() {
    let database = TestDatabase::create().await;
    let mut conn = database.options().connect().await.unwrap();
    let rows = sqlx::query(
        "SELECT k.conname::text AS name, k.conrelid::regclass::text AS source, k.confrelid::regclass::text AS target,
                k.confdeltype::text AS on_delete,
                ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS x(attnum, at)
                      JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = x.attnum ORDER BY x.at) AS columns,
                ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS x(attnum, at)
                      JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = x.attnum ORDER BY x.at) AS others
         FROM pg_constraint k WHERE k.contype = 'f'",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    assert!(!rows.is_empty(), "deliveries have attempts");
    let place = |table: &str| PLAN.iter().find(|(name, _)| *name == table).unwrap().1;
    for row in rows {
        let name: String = row.get("name");
        if place(row.get("target")) == Placement::Everywhere {
            continue;
        }
        assert_eq!(place(row.get("source")), Placement::WithLedger, "{name}");
        assert_eq!(place(row.get("target")), Placement::WithLedger, "{name}");
        let (columns, others): (Vec<String>, Vec<String>) = (row.get("columns"), row.get("others"));
        let ledger = columns.iter().position(|column| column == "ledger_id");
        assert!(ledger.is_some(), "{name} leaves its ledger");
        assert_eq!(
            ledger,
            others.iter().position(|column| column == "ledger_id"),
            "{name}"
        );
        let on_delete: String = row.get("on_delete");
        assert!(!["n", "d"].contains(&on_delete.as_str()), "{name} sets ledger_id");
    }
    database.drop().await;
}

#[tokio::test]
async fn nothing_counts_up_over_all_ledgers() {
    let database = TestDatabase::create().await;
    let sequences =
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S'";
    assert_eq!(database.count(sequences).await, 0);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_citus_nothing_is_changed_and_it_is_said() {
    let database = TestDatabase::create().await;
    if is_citus_available(&database).await {
        println!("skipped: this PostgreSQL has Citus");
        return database.drop().await;
    }
    // A schema that is not up to date stays as it is, too.
    database
        .execute("DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)")
        .await;
    let applied = "SELECT version::text FROM _sqlx_migrations";
    let before = (texts(&database, SHAPE).await, texts(&database, applied).await);
    let mut command = vinzy();
    on_database(&mut command, &database.url()).args(["migrate", "--distribute"]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("the extension citus is not available on this server: "),
        "{said}"
    );
    let after = (texts(&database, SHAPE).await, texts(&database, applied).await);
    assert_eq!(before, after);
    database.drop().await;
}

#[tokio::test]
async fn tables_are_placed_with_their_keys_triggers_and_rights() {
    let (database, mut conn) = with_stand_in().await;
    assert_eq!(Layout::of(&mut conn).await.unwrap(), Layout::OneServer);
    let before = texts(&database, SHAPE).await;
    let placed = distribute(&mut conn).await.unwrap();
    let all: Vec<&str> = PLAN.iter().map(|(table, _)| *table).collect();
    assert_eq!(
        placed,
        Distributed {
            moved: all.clone(),
            servers: 2
        }
    );
    assert_eq!(Layout::of(&mut conn).await.unwrap(), Layout::Distributed);
    assert_eq!(texts(&database, SHAPE).await, before);
    let cleared = texts(&database, "SELECT table_name::text FROM cleared").await;
    assert_eq!(cleared.len(), PLAN.len(), "rows stay behind on the coordinator");
    let carried = texts(&database, "SELECT function_name FROM carried").await;
    assert_eq!(carried, ["refuse_to_rewrite_history()".to_owned()].into());
    let refused = database.try_execute("DELETE FROM events").await;
    assert!(refused.is_err(), "history can be rewritten");
    let local = "SELECT count(*) FROM pg_db_role_setting
                 WHERE 'citus.propagate_set_commands=local' = ANY(setconfig)
                   AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())";
    assert_eq!(database.count(local).await, 1);

    let again = distribute(&mut conn).await.unwrap();
    assert!(again.moved.is_empty(), "{again:?}");
    database.drop().await;
}

#[tokio::test]
async fn a_table_that_came_later_is_placed_beside_the_others() {
    let (database, mut conn) = with_stand_in().await;
    distribute(&mut conn).await.unwrap();
    database
        .execute("DELETE FROM pg_dist_partition WHERE logicalrelid = 'delivery_attempts'::regclass")
        .await;
    database
        .execute("DELETE FROM cleared WHERE table_name = 'delivery_attempts'::regclass")
        .await;
    let before = texts(&database, SHAPE).await;
    let placed = distribute(&mut conn).await.unwrap();
    assert_eq!(placed.moved, ["delivery_attempts"]);
    assert_eq!(texts(&database, SHAPE).await, before);
    database.drop().await;
}

#[tokio::test]
async fn a_table_in_another_place_is_named_and_nothing_is_changed() {
    let (database, mut conn) = with_stand_in().await;
    database
        .execute("INSERT INTO pg_dist_partition VALUES ('licenses', 'n', NULL)")
        .await;
    let before = texts(&database, SHAPE).await;
    let refused = distribute(&mut conn).await.unwrap_err();
    assert!(
        matches!(&refused, DistributeError::Misplaced { table, .. } if table == "licenses"),
        "{refused}"
    );
    assert_eq!(texts(&database, SHAPE).await, before);
    assert_eq!(database.count("SELECT count(*) FROM pg_dist_partition").await, 1);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_works_on_placed_tables_as_on_any() {
    let (database, mut conn) = with_stand_in().await;
    distribute(&mut conn).await.unwrap();
    for table in ["events", "snapshots", "idempotency_keys"] {
        let watch = format!(
            "BEGIN;
             SET LOCAL citus.enable_unsafe_triggers = on;
             CREATE TRIGGER watched AFTER INSERT ON {table} FOR EACH STATEMENT
             EXECUTE FUNCTION refuse_inserts_within_with();
             COMMIT"
        );
        database.execute(&watch).await;
    }
    let app = TestApp::start_on(database, crate::support::server_config()).await;
    let license = app.license().await;
    let (_, tenant) = app.tenant("acme").await;
    tenant.license().await;
    for machine in 0..3 {
        app.client
            .activate(&license["key"], &format!("desk-{machine}"))
            .await;
    }
    for _ in 0..2 {
        let body = json!({"key": license["key"], "metric": "exports", "value": 3, "idempotency_key": "once"});
        app.client.post("/usage/record", &body).await.expect(200);
    }
    // Enough for a snapshot of the meter.
    for _ in 0..150 {
        app.client.use_of(&license["key"], "exports", 1).await;
    }
    let usage = app
        .client
        .get(&format!("/usage/{}", license["id"].as_str().unwrap()))
        .await
        .expect(200);
    assert_eq!(usage[0]["total_value"], 153, "{usage}");
    assert!(app.database.count("SELECT count(*) FROM snapshots").await > 0);

    let url = app.database.url();
    let mut command = vinzy();
    on_database(&mut command, &url).args(["replay", "--verify"]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    // What took the place of a distributed table is distributed.
    let placed = "SELECT count(*) FROM pg_dist_partition p JOIN pg_class c ON c.oid = p.logicalrelid";
    assert_eq!(
        app.database.count(placed).await,
        i64::try_from(PLAN.len()).unwrap()
    );
    let mut conn = app.database.options().connect().await.unwrap();
    assert!(distribute(&mut conn).await.unwrap().moved.is_empty());
    sqlx::Connection::close(conn).await.unwrap();
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_is_noticed() {
    let app = TestApp::start().await;
    app.license().await;
    let pool = connect(app.database.options(), 1).await.unwrap();
    let refused = ensure_unused(&pool).await.unwrap_err();
    assert!(matches!(refused, DistributeError::InUse(_)), "{refused}");
    disconnect(&pool).await;
    let database = app.stop().await;
    database.wait_until_left().await;
    let pool = connect(database.options(), 1).await.unwrap();
    ensure_unused(&pool).await.unwrap();
    disconnect(&pool).await;
    database.drop().await;
}

/// With Citus itself: distributed twice, a server at work on it, and what it wrote verified.
#[tokio::test(flavor = "multi_thread")]
async fn citus_distributes_the_schema() {
    let database = TestDatabase::create().await;
    if !is_citus_available(&database).await {
        println!("skipped: this PostgreSQL has no Citus");
        return database.drop().await;
    }
    for _ in 0..2 {
        let mut command = vinzy();
        on_database(&mut command, &database.url()).args(["migrate", "--distribute"]);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }
    let app = TestApp::start_on(database, crate::support::server_config()).await;
    let license = app.license().await;
    app.client.activate(&license["key"], "desk").await;
    app.client.use_of(&license["key"], "exports", 3).await;
    app.finish().await;
}

async fn is_citus_available(database: &TestDatabase) -> bool {
    let available = "SELECT count(*) FROM pg_available_extensions WHERE name = 'citus'";
    database.count(available).await > 0
}

/// Statements that only run where all tables are on one server; `src/webhooks/by_ledger.rs` and `append_in_steps` have
/// what runs elsewhere.
const ON_ONE_SERVER: [&str; 5] = [
    "WITH head AS ( UPDATE ledgers",
    "WITH RECURSIVE waiting AS",
    "WITH x AS ( SELECT * FROM unnest($3::text[], $4::uuid[], $5::text[]",
    "DELETE FROM deliveries d USING (SELECT ledger_id, delivery_id FROM deliveries WHERE finished_at",
    "DELETE FROM endpoint_failures f USING unnest",
];

/// What is wrong with a statement where tables are distributed.
fn broken_rule(statement: &str) -> Option<&'static str> {
    let names_its_ledger = statement.contains("ledger_id = $");
    let locks = ["FOR UPDATE", "FOR SHARE", "FOR NO KEY UPDATE", "FOR KEY SHARE"];
    let copied = PLAN
        .iter()
        .filter(|(_, placement)| *placement == Placement::Everywhere);
    let only_copies = copied
        .map(|(table, _)| format!("FROM {table} "))
        .any(|from| statement.contains(&from))
        && statement.matches("FROM ").count() == 1;
    if locks.iter().any(|lock| statement.contains(lock)) && !names_its_ledger && !only_copies {
        return Some("a lock on rows of several ledgers");
    }
    let changes = ["INSERT INTO ", "UPDATE ", "DELETE FROM "];
    if statement.starts_with("WITH ") && changes.iter().any(|change| statement.contains(change)) {
        return Some("a change within WITH");
    }
    if statement.starts_with("WITH RECURSIVE ") && !names_its_ledger {
        return Some("a recursion over ledgers");
    }
    if statement.starts_with("INSERT INTO events ") && !statement.contains("FROM ledgers l CROSS JOIN") {
        return Some("events that do not come out of their ledger's row");
    }
    let using = statement.starts_with("DELETE FROM ") && statement.contains(" USING ");
    if using && !names_its_ledger {
        return Some("a deletion over ledgers by a list");
    }
    let set = statement.split_once(" DO UPDATE SET ").map_or("", |(_, set)| set);
    if ["now()", "clock_timestamp()", "- interval", "+ interval"]
        .iter()
        .any(|word| set.contains(word))
    {
        return Some("a clock, or a calendar, in ON CONFLICT");
    }
    if ["clock_timestamp()", "random()", "gen_random_uuid()", "nextval("]
        .iter()
        .any(|word| statement.contains(word))
    {
        return Some("a volatile function");
    }
    None
}

#[test]
fn statements_keep_the_rules() {
    let described = concat!(env!("CARGO_MANIFEST_DIR"), "/.sqlx");
    let mut statements = vec![];
    for file in std::fs::read_dir(described).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let described: serde_json::Value = serde_json::from_str(&text).unwrap();
        let words: Vec<&str> = described["query"].as_str().unwrap().split_whitespace().collect();
        statements.push(words.join(" "));
    }
    assert!(statements.len() > 200, "{}", statements.len());
    let mut broken = vec![];
    for statement in &statements {
        let excepted = ON_ONE_SERVER.iter().any(|start| statement.starts_with(start));
        match broken_rule(statement) {
            Some(rule) if !excepted => broken.push(format!("{rule}: {statement}")),
            None => assert!(!excepted, "no exception is needed for {statement}"),
            Some(_) => {}
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    for start in ON_ONE_SERVER {
        let found = statements.iter().filter(|one| one.starts_with(start)).count();
        assert_eq!(found, 1, "{start}");
    }
}
