//! `vinzy archive`: a server whose older events are in files goes on as before, says what it does not have, and gets it back.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use sqlx::{ConnectOptions, Connection, Executor};
use vinzy_engine::app::DEFAULT_LEDGER;
use vinzy_engine::ledger::StreamStore;
use vinzy_events::meter::Meter;

use crate::support::client::Client;
use crate::support::database::TestDatabase;
use crate::support::node::{Node, on_database, vinzy};
use crate::support::{TestApp, eventually};
use crate::webhooks;

/// A ledger of some tiles, nearly all of one license's usage, and a place for its archive.
struct Ledger {
    app: TestApp,
    license: Value,
    _place: tempfile::TempDir,
    directory: PathBuf,
}

impl Ledger {
    async fn of(size: usize) -> Self {
        let app = TestApp::start().await;
        let license = app.license().await;
        app.client.activate(&license["key"], "desk").await;
        let first = json!({"key": license["key"], "metric": "calls", "value": 1});
        let first = app.client.post_with_key("/usage/record", "first", &first).await;
        first.expect(200);
        let place = tempfile::tempdir().unwrap();
        let ledger = Self {
            directory: place.path().join("archive"),
            _place: place,
            app,
            license,
        };
        let there = ledger
            .count("SELECT size FROM ledgers WHERE ledger_id = 'default'")
            .await;
        ledger.record(size - usize::try_from(there).unwrap()).await;
        ledger.sign().await;
        ledger
    }

    async fn record(&self, count: usize) {
        let record = json!({"key": self.license["key"], "metric": "calls", "value": 1});
        for records in vec![record; count].chunks(500) {
            let answer = self
                .app
                .client
                .ask("/usage/batch", &json!({ "records": records }))
                .await;
            assert_eq!(answer.expect(200)["recorded"], records.len());
        }
    }

    /// Has a checkpoint signed, and waits until everybody has seen all events.
    async fn sign(&self) {
        let last = self
            .count("SELECT size - 1 FROM ledgers WHERE ledger_id = 'default'")
            .await;
        self.app
            .client
            .get(&format!("/ledger/receipt/{last}"))
            .await
            .expect(200);
        eventually("everybody has seen all events", || async {
            self.count(
                "SELECT count(*) FROM projection_checkpoints c JOIN ledgers l USING (ledger_id)
                 WHERE ledger_id = 'default' AND c.position < l.size",
            )
            .await
                == 0
        })
        .await;
    }

    async fn count(&self, sql: &str) -> i64 {
        self.app.database.count(sql).await
    }

    async fn archived(&self) -> i64 {
        self.count("SELECT count(*) FROM events WHERE leaf = ''").await
    }

    /// How many events there are before a position that can be archived.
    async fn archivable(&self, before: u64) -> i64 {
        self.count(&format!(
            "SELECT count(*) FROM events e WHERE ledger_id = 'default' AND stream_type = 'meter' AND position < {before}
               AND stream_seq + 32 <= (SELECT max(stream_seq) FROM events n WHERE n.stream_id = e.stream_id)"
        ))
        .await
    }

    /// What a command on the database says when it exits with `code`.
    async fn run(&self, arguments: &[&str], code: i32) -> String {
        run(&self.app.database.url(), arguments, code).await
    }

    async fn archive(&self, to_position: &str, code: i32) -> String {
        self.run(
            &[
                "archive",
                self.path(),
                "--to-position",
                to_position,
                "--batch-size",
                "256",
            ],
            code,
        )
        .await
    }

    fn path(&self) -> &str {
        self.directory.to_str().unwrap()
    }

    /// The meter as whoever does not have it at hand loads it.
    async fn meter(&self) -> (u64, Value) {
        let id = format!("{}/calls", self.license["id"].as_str().unwrap());
        let store = StreamStore::new(self.app.app.pool.clone(), DEFAULT_LEDGER);
        let meter = store.load::<Meter>(&id).await.unwrap();
        let many = store.load_many::<Meter>(std::slice::from_ref(&id)).await.unwrap();
        assert_eq!(
            (meter.seq, &meter.aggregate),
            (many[&id].seq, &many[&id].aggregate)
        );
        (meter.seq, json!(meter.aggregate))
    }
}

fn command(url: &str, arguments: &[&str]) -> Command {
    let mut command = vinzy();
    on_database(&mut command, url).args(arguments);
    command
}

async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

async fn run(url: &str, arguments: &[&str], code: i32) -> String {
    let output = output(command(url, arguments)).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}{errors}");
    text + &errors
}

async fn text(client: &Client, path: &str) -> (u16, String) {
    let answer = client
        .authorized(reqwest::Method::GET, path)
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_goes_on_without_its_older_events_and_gets_them_back() {
    let ledger = Ledger::of(1_300).await;
    let client = &ledger.app.client;
    let id = ledger.license["id"].as_str().unwrap().to_owned();
    let meter = ledger.meter().await;
    let usage = client.get(&format!("/usage/{id}")).await.expect(200);

    let said = ledger.archive("1100", 0).await;
    assert!(
        said.contains("1300 events saved in") && said.contains("and verified"),
        "{said}"
    );
    let archivable = ledger.archivable(1_024).await;
    assert!(archivable > 1_000, "{archivable}");
    assert!(
        said.contains(&format!("the bytes of {archivable} events before position 1024")),
        "{said}"
    );
    assert_eq!(ledger.archived().await, archivable);
    let beyond =
        "SELECT count(*) FROM events WHERE leaf = '' AND (position >= 1024 OR stream_type <> 'meter')";
    assert_eq!(ledger.count(beyond).await, 0);
    // Who audits needs nothing but the files.
    ledger.run(&["audit", "verify", ledger.path()], 0).await;

    assert_eq!(ledger.meter().await, meter);
    assert_eq!(client.get(&format!("/usage/{id}")).await.expect(200), usage);
    let total = what_needs_none_of_it_goes_on(&ledger).await;
    what_is_archived_is_said(&ledger).await;

    for arguments in [&["verify"][..], &["replay", "usage", "--dry-run"]] {
        let said = ledger.run(arguments, 2).await;
        assert!(
            said.contains("before position 1024 are archived") && said.contains(ledger.path()),
            "{said}"
        );
        assert!(said.contains("--archive"), "{said}");
    }
    let verified = ledger.run(&["verify", "--archive", ledger.path()], 0).await;
    assert!(verified.contains("events verified, root"), "{verified}");
    let replayed = ["replay", "--verify", "--archive", ledger.path()];
    let replayed = ledger.run(&replayed, 0).await;
    for projection in vinzy_projections::all() {
        let name = projection.name();
        assert!(
            replayed.contains(&format!("{name}: no row differs")),
            "{replayed}"
        );
        assert!(replayed.contains(&format!("{name}: serves")), "{replayed}");
    }

    // The state of what is archived is not thrown away.
    let said = ledger.run(&["snapshots", "drop"], 0).await;
    assert!(
        said.contains("1 stay, because their streams begin with archived events"),
        "{said}"
    );
    assert_eq!(ledger.meter().await.1["record_count"], total + 1);

    // More, into the same files; into others it is refused, for they would not hold everything.
    ledger.record(300).await;
    ledger.sign().await;
    let elsewhere = ledger.directory.with_file_name("elsewhere");
    let elsewhere = ["archive", elsewhere.to_str().unwrap(), "--to-position", "1536"];
    let said = ledger.run(&elsewhere, 2).await;
    assert!(
        said.contains("is archived already") && said.contains(ledger.path()),
        "{said}"
    );
    ledger.archive("1536", 0).await;
    assert_eq!(ledger.archived().await, ledger.archivable(1_536).await);
    ledger.run(&["verify", "--archive", ledger.path()], 0).await;

    webhooks_say_what_they_cannot_send(&ledger.app).await;

    let archived = ledger.archived().await;
    let said = ledger.run(&["archive", "restore", ledger.path()], 0).await;
    assert!(
        said.contains(&format!("{archived} events are back in the database")),
        "{said}"
    );
    assert_eq!(ledger.archived().await, 0);
    assert_eq!(ledger.count("SELECT count(*) FROM archives").await, 0);
    client.get("/ledger/events/500").await.expect(200);
    assert_eq!(client.get("/ledger/verify").await.expect(200)["valid"], true);
    ledger.run(&["verify"], 0).await;
    let said = ledger.run(&["archive", "restore", ledger.path()], 2).await;
    assert!(said.contains("no event of ledger default is archived"), "{said}");
    ledger.app.finish().await;
}

/// What needs no archived event goes on, here and where nothing is at hand yet. Gives the use in all before the last one.
async fn what_needs_none_of_it_goes_on(ledger: &Ledger) -> i64 {
    let (client, key) = (&ledger.app.client, &ledger.license["key"]);
    let id = ledger.license["id"].as_str().unwrap();
    let total = usage_total(&client.use_of(key, "calls", 1).await);
    let other = Node::on_database(&ledger.app.database.url());
    assert_eq!(
        usage_total(&other.client.use_of(key, "calls", 1).await),
        total + 1
    );
    assert_eq!(other.client.validate(key).await["valid"], true);
    assert!(other.terminate().success());
    assert_eq!(
        client.get("/licenses").await.expect(200).as_array().map(Vec::len),
        Some(1)
    );
    client
        .get("/ledger/proof/inclusion?position=500")
        .await
        .expect(200);
    client
        .get("/ledger/proof/consistency?from=300&to=1000")
        .await
        .expect(200);
    for path in [
        "/ledger/events/1200",
        "/ledger/receipt/1200",
        "/ledger/events",
        "/events?after=1100",
    ] {
        client.get(path).await.expect(200);
    }
    client.get(&format!("/audit/{id}?page_size=50")).await.expect(200);
    for tile in [
        "/t/default/tile/0/001",
        "/t/default/tile/1/000.p/5",
        "/t/default/tile/entries/004",
    ] {
        assert_eq!(text(client, tile).await.0, 200, "{tile}");
    }
    total
}

/// Whatever would need an archived event says so.
async fn what_is_archived_is_said(ledger: &Ledger) {
    let (client, key) = (&ledger.app.client, &ledger.license["key"]);
    let id = ledger.license["id"].as_str().unwrap();
    for path in [
        "/ledger/events/500",
        "/ledger/receipt/500",
        "/ledger/events?before=600",
        "/events?after=100",
        "/t/default/tile/entries/001",
        &format!("/audit/{id}/verify"),
        &format!("/usage/{id}?at=1200"),
        &format!("/audit/{id}?page=12&page_size=50"),
    ] {
        client.get(path).await.expect_problem(410, "EVENT_ARCHIVED");
    }
    let first = json!({"key": key, "metric": "calls", "value": 1});
    let again = client.post_with_key("/usage/record", "first", &first).await;
    again.expect_problem(410, "EVENT_ARCHIVED");
    let problem = client
        .get("/ledger/verify")
        .await
        .expect_problem(410, "EVENT_ARCHIVED");
    assert!(
        problem["detail"].as_str().unwrap().contains(ledger.path()),
        "{problem}"
    );
}

/// A delivery of an archived event is listed, and asked for again it fails for that reason.
async fn webhooks_say_what_they_cannot_send(app: &TestApp) {
    let types = json!({"event_types": ["license.deleted"]});
    let endpoint = webhooks::endpoint(&app.client, "http://127.0.0.1:8443/", types).await;
    let endpoint_id = endpoint["id"].as_str().unwrap();
    app.database
        .execute(&format!(
            "INSERT INTO deliveries (ledger_id, delivery_id, endpoint_id, event_id, event_type, position, status,
                                     attempts, attempts_ever, created_at, updated_at, finished_at)
             SELECT ledger_id, event_id, '{endpoint_id}', event_id, event_type, position, 'success', 1, 1,
                    recorded_at, recorded_at, recorded_at
             FROM events WHERE ledger_id = 'default' AND position = 500"
        ))
        .await;
    let listed = app
        .client
        .get(&webhooks::path(&endpoint, "/deliveries"))
        .await
        .expect(200);
    assert!(listed.to_string().contains(r#""archived":true"#), "{listed}");
    let path = format!("/webhooks/deliveries/{}", listed[0]["id"].as_str().unwrap());
    let asked = app.client.post(&format!("{path}/retry"), &json!({})).await;
    assert!(asked.status < 300, "{}", asked.body);
    eventually("the delivery fails", || async {
        let delivery = app.client.get(&path).await.expect(200);
        delivery["last_error"] == "the event is archived"
    })
    .await;
}

fn usage_total(answer: &Value) -> i64 {
    answer["total_value"].as_i64().unwrap()
}

/// A transaction that holds the row of an event, so that nobody changes it meanwhile.
struct Held(sqlx::PgConnection);

impl Held {
    async fn event(database: &TestDatabase, position: u64) -> Self {
        let mut conn = database.options().connect().await.unwrap();
        conn.execute("BEGIN").await.unwrap();
        let row =
            format!("SELECT 1 FROM events WHERE ledger_id = 'default' AND position = {position} FOR UPDATE");
        conn.execute(row.as_str()).await.unwrap();
        Self(conn)
    }

    async fn let_go(mut self) {
        self.0.execute("ROLLBACK").await.unwrap();
        self.0.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_goes_on_where_it_was() {
    let ledger = Ledger::of(1_300).await;
    let url = ledger.app.database.url();
    let start = |arguments: &[&str]| {
        let mut command = command(&url, arguments);
        command.stdout(Stdio::null()).spawn().unwrap()
    };
    let archive = [
        "archive",
        ledger.path(),
        "--to-position",
        "1280",
        "--batch-size",
        "256",
    ];

    let held = Held::event(&ledger.app.database, 700).await;
    let mut archiving = start(&archive);
    eventually("it comes to the event that is held", || async {
        ledger
            .count("SELECT coalesce(max(removed_to), 0) FROM archives")
            .await
            == 512
    })
    .await;
    // Whoever appends does not wait for it.
    ledger.app.client.use_of(&ledger.license["key"], "calls", 1).await;
    archiving.kill().unwrap();
    archiving.wait().unwrap();
    held.let_go().await;
    assert_eq!(ledger.archived().await, ledger.archivable(512).await);
    ledger.run(&["verify", "--archive", ledger.path()], 0).await;
    ledger.sign().await;

    ledger.run(&archive, 0).await;
    let archived = ledger.archived().await;
    assert_eq!(archived, ledger.archivable(1_280).await);
    ledger.run(&["verify", "--archive", ledger.path()], 0).await;

    let held = Held::event(&ledger.app.database, 700).await;
    let mut restoring = start(&["archive", "restore", ledger.path()]);
    eventually("it comes to the event that is held", || async {
        ledger
            .count("SELECT count(*) FROM events WHERE leaf = '' AND position < 512")
            .await
            == 0
    })
    .await;
    restoring.kill().unwrap();
    restoring.wait().unwrap();
    held.let_go().await;
    assert!(ledger.archived().await > 0);
    ledger.run(&["verify", "--archive", ledger.path()], 0).await;
    // By turns: what was given back is taken again, and given back.
    ledger.run(&archive, 0).await;
    assert_eq!(ledger.archived().await, ledger.archivable(1_280).await);
    ledger.run(&["archive", "restore", ledger.path()], 0).await;
    assert_eq!(ledger.archived().await, 0);
    ledger.app.finish().await;
}

/// Changes a byte of a file: of an event or a hash near its end, not of what says how long that is.
fn spoil(file: &Path) -> Vec<u8> {
    let before = std::fs::read(file).unwrap();
    let mut bytes = before.clone();
    let place = bytes.len() - 100;
    bytes[place] ^= 1;
    std::fs::write(file, bytes).unwrap();
    before
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_removed_that_the_files_do_not_prove_or_somebody_needs() {
    let ledger = Ledger::of(600).await;
    let said = ledger.archive("5000", 2).await;
    assert!(
        said.contains("only the events before position 600 are covered"),
        "{said}"
    );
    let said = ledger.archive("100", 0).await;
    assert!(said.contains("nothing to archive"), "{said}");

    // A read model that has not come so far, as after a crash; nobody advances what is parked.
    let behind =
        "UPDATE projection_checkpoints SET position = 300, parked_reason = 'held' WHERE projection = 'usage'";
    let before =
        "UPDATE projection_checkpoints SET position = 600, parked_reason = NULL WHERE projection = 'usage'";
    ledger.app.database.execute(behind).await;
    let said = ledger.archive("512", 2).await;
    assert!(said.contains("usage has come to position 300 only"), "{said}");
    ledger.app.database.execute(before).await;

    ledger
        .app
        .database
        .execute(
            "INSERT INTO deliveries (ledger_id, delivery_id, endpoint_id, event_id, event_type, position, status,
                                     attempts, attempts_ever, next_attempt_at, created_at, updated_at)
             SELECT ledger_id, event_id, event_id, event_id, event_type, position, 'pending', 0, 0, 'infinity',
                    recorded_at, recorded_at
             FROM events WHERE position = 400",
        )
        .await;
    let said = ledger.archive("512", 2).await;
    assert!(
        said.contains("the event at position 400 is still to be sent"),
        "{said}"
    );
    ledger.app.database.execute("DELETE FROM deliveries").await;

    ledger.archive("256", 0).await;
    let archived = ledger.archived().await;
    assert!(archived > 200, "{archived}");
    for tile in ["tile/entries/000", "tile/0/001", "tile/entries/001"] {
        let file = ledger.directory.join(tile);
        let good = spoil(&file);
        let said = ledger.archive("512", 1).await;
        assert!(
            said.contains("BROKEN") && said.contains("nothing was removed"),
            "{said}"
        );
        assert_eq!(ledger.archived().await, archived);
        std::fs::write(&file, good).unwrap();
    }
    let file = ledger.directory.join("tile/entries/000");
    let good = spoil(&file);
    let said = ledger.run(&["verify", "--archive", ledger.path()], 2).await;
    assert!(
        said.contains("holds another event at position") || said.contains("is damaged"),
        "{said}"
    );
    let said = ledger.run(&["archive", "restore", ledger.path()], 2).await;
    assert!(
        said.contains("holds another event at position") || said.contains("is damaged"),
        "{said}"
    );
    assert_eq!(ledger.archived().await, archived);
    std::fs::write(&file, good).unwrap();

    // The files hold all 600 events by now: one that differs from them is not removed.
    let change = |leaf: &str| {
        format!(
            "BEGIN; SET LOCAL session_replication_role = replica;
             UPDATE events SET leaf = {leaf} WHERE ledger_id = 'default' AND position = 300; COMMIT"
        )
    };
    let keep = "CREATE TABLE kept AS SELECT leaf FROM events WHERE ledger_id = 'default' AND position = 300";
    ledger.app.database.execute(keep).await;
    ledger.app.database.execute(&change("leaf || ' '::bytea")).await;
    let said = ledger.archive("512", 2).await;
    assert!(said.contains("another event at position 300"), "{said}");
    assert_eq!(ledger.archived().await, archived);
    ledger
        .app
        .database
        .execute(&change("(SELECT leaf FROM kept)"))
        .await;
    ledger.app.database.execute("DROP TABLE kept").await;

    // An event whose bytes somebody else has removed is damaged, archive or not.
    let position = "SELECT max(position) FROM events WHERE ledger_id = 'default' AND stream_type = 'meter'";
    let position = ledger.count(position).await;
    let rob = |leaf: &str| {
        format!(
            "BEGIN; SET LOCAL session_replication_role = replica;
             UPDATE events SET leaf = {leaf} WHERE ledger_id = 'default' AND position = {position}; COMMIT"
        )
    };
    let kept = "CREATE TABLE kept AS SELECT leaf FROM events WHERE ledger_id = 'default' AND position = ";
    ledger.app.database.execute(&format!("{kept}{position}")).await;
    ledger.app.database.execute(&rob("''")).await;
    let said = ledger.run(&["verify", "--archive", ledger.path()], 1).await;
    assert!(said.contains(&format!("BROKEN at position {position}")), "{said}");
    ledger.app.database.execute(&rob("(SELECT leaf FROM kept)")).await;
    ledger.app.database.execute("DROP TABLE kept").await;

    ledger.run(&["archive", "restore", ledger.path()], 0).await;
    ledger.app.finish().await;
}

/// The rights that docs/retention.md names are enough, and those of a server are not.
#[tokio::test(flavor = "multi_thread")]
async fn only_who_has_the_rights_to_archive_can() {
    let ledger = Ledger::of(600).await;
    let database = &ledger.app.database;
    let rights = |what: &str| {
        let text = include_str!("../../docs/retention.md");
        let block = text
            .split("```sql\n")
            .nth(1)
            .unwrap()
            .split("```")
            .next()
            .unwrap();
        block
            .lines()
            .filter(|line| line.contains(what))
            .collect::<Vec<_>>()
            .join("\n")
    };
    database.execute(&rights("CREATE ROLE")).await;
    database.execute(&rights("GRANT SELECT")).await;
    let url = database.url().replace("//vinzy@", "//archivist@");
    let archive = ["archive", ledger.path(), "--to-position", "512"];
    let refused = async |with: &str| {
        let said = run(&url, &archive, 2).await;
        assert!(said.contains("permission denied"), "{with}: {said}");
        assert_eq!(ledger.archived().await, 0, "{with}");
    };
    refused("rights to read").await;
    database.execute(&rights("GRANT INSERT")).await;
    refused("rights to note what is archived").await;
    database.execute(&rights("GRANT UPDATE (leaf)")).await;
    refused("rights to change leaves, but not to pass over the trigger").await;
    database.execute(&rights("ON PARAMETER")).await;
    run(&url, &archive, 0).await;
    assert!(ledger.archived().await > 400);
    run(&url, &["archive", "restore", ledger.path()], 0).await;
    assert_eq!(ledger.archived().await, 0);
    database
        .execute("DROP OWNED BY archivist; DROP ROLE archivist")
        .await;
    ledger.app.finish().await;
}
