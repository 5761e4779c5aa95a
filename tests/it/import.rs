//! `vinzy import`: whoever used the old system comes over, and every key that was issued stays valid.

mod odd;
mod old;

use std::collections::BTreeMap;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use futures::stream::{self, StreamExt};
use serde_json::{Value, json};

use crate::support::check_everything;
use crate::support::client::Client;
use crate::support::database::TestDatabase;
use crate::support::node::{Node, on_database, vinzy};
use old::{OLD_KEYS, Old};

/// The old API key of the tenant.
const TENANT_KEY: &str = "vzt_1bEdd5czZ3eG0P3yD2EzYkgzHFcTbUN3xxgHMMvHD64";

/// The keys of license keys, as the server has them.
fn ring() -> String {
    json!({"0": OLD_KEYS[0], "1": OLD_KEYS[1]}).to_string()
}

/// A database on which a server was started once.
async fn new_database() -> TestDatabase {
    let database = TestDatabase::create().await;
    assert!(serve(&database).terminate().success());
    database
}

fn serve(database: &TestDatabase) -> Node {
    Node::on_database_with(&database.url(), &[("VINZY_HMAC_KEYS", &ring())])
}

fn import(database: &TestDatabase, from: &str, arguments: &[&str]) -> Command {
    let mut command = vinzy();
    on_database(&mut command, &database.url())
        .env("VINZY_HMAC_KEYS", ring())
        .args(["import", "--from", from])
        .args(arguments);
    command
}

async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

/// The report of an import that exits with `code`.
async fn report(database: &TestDatabase, from: &str, arguments: &[&str], code: i32) -> Value {
    let arguments = [arguments, &["--json"]].concat();
    let output = output(import(database, from, &arguments)).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}{errors}");
    serde_json::from_str(&text).unwrap()
}

/// What an import that cannot be done says.
async fn refusal(mut command: Command) -> String {
    command.arg("--json");
    let output = output(command).await;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(output.stdout.is_empty());
    errors
}

/// A count of each table.
fn counts<'a>(report: &'a Value, count: &str) -> BTreeMap<&'a str, u64> {
    let tables = report["tables"].as_array().unwrap().iter();
    tables
        .map(|table| (table["table"].as_str().unwrap(), table[count].as_u64().unwrap()))
        .collect()
}

/// The events that an import appends for new rows.
async fn imported(database: &TestDatabase) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for (event_type, table) in [
        ("tenant.imported", "tenants"),
        ("product.imported", "products"),
        ("customer.imported", "customers"),
        ("license.imported", "licenses"),
        ("activation.imported", "machines"),
        ("usage.imported", "usage_records"),
        ("anomaly.imported", "anomalies"),
        ("endpoint.imported", "webhook_endpoints"),
        ("license.history_imported", "audit_events"),
    ] {
        let count = format!("SELECT count(*) FROM events WHERE event_type = '{event_type}'");
        found.insert(
            table.to_owned(),
            u64::try_from(database.count(&count).await).unwrap(),
        );
    }
    found
}

const EVENTS: &str = "SELECT count(*) FROM events";

#[tokio::test(flavor = "multi_thread")]
async fn every_key_of_an_old_database_of_ten_thousand_licenses_is_valid() {
    let old = Old::empty();
    let tenant = old.tenant("acme", TENANT_KEY);
    let issued = old.many(10_000, tenant);
    let database = new_database().await;
    let from = format!("sqlite:{}", old.path.display());
    let before = (database.count(EVENTS).await, std::fs::read(&old.path).unwrap());

    let mut planned = report(&database, &from, &["--dry-run"], 0).await;
    assert_eq!(database.count(EVENTS).await, before.0, "a dry run writes nothing");
    let done = report(&database, &from, &[], 0).await;
    assert_eq!(planned["dry_run"], true);
    planned["dry_run"] = false.into();
    assert_eq!(planned, done, "a dry run says what will be done");
    assert_eq!(counts(&done, "new"), counts(&done, "read"));
    assert_eq!(counts(&done, "new")["licenses"], 10_000);
    assert_eq!(done["unread_tables"], json!({"webhook_deliveries": 0}));
    let expected: BTreeMap<String, u64> = counts(&done, "new")
        .into_iter()
        .map(|(table, count)| (table.to_owned(), count))
        .collect();
    assert_eq!(imported(&database).await, expected);
    assert!(
        std::fs::read(&old.path).unwrap() == before.1,
        "the old database stays as it is"
    );

    let after = database.count(EVENTS).await;
    let again = report(&database, &from, &[], 0).await;
    assert_eq!(counts(&again, "already_there"), counts(&again, "read"));
    assert!(counts(&again, "new").values().all(|count| *count == 0), "{again}");
    assert_eq!(
        database.count(EVENTS).await,
        after,
        "what is there is not taken again"
    );

    let node = serve(&database);
    let answers: Vec<_> = stream::iter(&issued)
        .map(async |one| (one, node.client.validate(&json!(one.key)).await))
        .buffer_unordered(32)
        .collect()
        .await;
    assert_eq!(answers.len(), 10_000);
    for (one, answer) in answers {
        assert_eq!(
            (&answer["code"], &answer["valid"]),
            (&json!(one.code), &json!(one.code == "OK")),
            "{answer}"
        );
        if one.code == "OK" {
            assert_eq!(answer["license"]["id"], one.id.to_string());
            assert_eq!(answer["license"]["machines_used"], one.machines);
            assert_eq!(answer["license"]["tier"], "pro");
            assert_eq!(answer["features"], json!(["api_calls", "export"]));
        }
    }
    let tenant = node.client.with_key(&json!(TENANT_KEY));
    let sold = |of_tenant| {
        let live = issued
            .iter()
            .filter(|one| one.of_tenant == of_tenant && one.code != "NOT_FOUND");
        live.count().to_string()
    };
    for (client, of_tenant) in [(&node.client, false), (&tenant, true)] {
        let listed = client.get("/licenses?page_size=1").await;
        assert_eq!(listed.header("x-total-count"), sold(of_tenant));
    }
    for one in issued
        .iter()
        .filter(|one| !one.used.is_empty() && one.code == "OK")
    {
        check_usage(&node.client, one).await;
    }
    let anomalies = node.client.get("/anomalies").await;
    assert_eq!(
        anomalies.header("x-total-count"),
        "0",
        "imported usage is not judged anew"
    );
    let customer = node
        .client
        .get("/customers?email=customer7@example.com")
        .await
        .expect(200);
    assert_eq!(customer[0]["name"], "Customer customer7@example.com");
    assert!(node.terminate().success());

    let mut verify = vinzy();
    on_database(&mut verify, &database.url()).arg("verify");
    let verified = output(verify).await;
    assert!(
        verified.status.success(),
        "{}",
        String::from_utf8_lossy(&verified.stdout)
    );
    check_everything(&database).await;
    database.drop().await;
}

async fn check_usage(client: &Client, one: &old::Issued) {
    let totals = client.get(&format!("/usage/{}", one.id)).await.expect(200);
    let totals: BTreeMap<&str, f64> = totals
        .as_array()
        .unwrap()
        .iter()
        .map(|total| {
            (
                total["metric"].as_str().unwrap(),
                total["total_value"].as_f64().unwrap(),
            )
        })
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "small enough")]
    let expected = one
        .used
        .iter()
        .map(|(metric, thousandths)| (*metric, *thousandths as f64 / 1_000.0));
    assert_eq!(totals, expected.collect(), "{}", one.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_was_killed_goes_on_and_takes_everything_once() {
    let old = Old::empty();
    let tenant = old.tenant("acme", TENANT_KEY);
    let issued = old.many(2_000, tenant);
    let database = new_database().await;
    let from = format!("sqlite:{}", old.path.display());
    let planned = report(&database, &from, &["--dry-run"], 0).await;
    let expected: BTreeMap<String, u64> = counts(&planned, "new")
        .into_iter()
        .map(|(table, count)| (table.to_owned(), count))
        .collect();

    // In the midst of the licenses, of the machines, and of what comes last.
    for event_type in [
        "license.imported",
        "activation.imported",
        "license.history_imported",
    ] {
        let begun = format!("SELECT count(*) FROM events WHERE event_type = '{event_type}'");
        let mut command = import(&database, &from, &[]);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while database.count(&begun).await == 0 && child.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // Its statements end with its connections.
        database.wait_until_left().await;
    }
    let rest = report(&database, &from, &[], 0).await;
    let read = counts(&rest, "read");
    for (table, new) in counts(&rest, "new") {
        assert_eq!(
            new + counts(&rest, "already_there")[table],
            read[table],
            "{table}"
        );
    }
    assert!(counts(&rest, "already_there")["licenses"] > 0, "{rest}");
    assert_eq!(imported(&database).await, expected, "every row exactly once");
    let mut replay = vinzy();
    on_database(&mut replay, &database.url()).args(["replay", "--verify", "--dry-run"]);
    let replayed = output(replay).await;
    let text = String::from_utf8_lossy(&replayed.stdout).into_owned();
    assert!(
        replayed.status.success() && text.contains("licenses: no row differs"),
        "{text}"
    );

    let node = serve(&database);
    for one in issued.iter().step_by(23) {
        let answer = node.client.validate(&json!(one.key)).await;
        assert_eq!(answer["code"], one.code, "{answer}");
    }
    assert_eq!(
        node.client
            .with_key(&json!(TENANT_KEY))
            .get("/products")
            .await
            .expect(200)[0]["code"],
        "PRD"
    );
    assert!(node.terminate().success());
    check_everything(&database).await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_come_since_is_taken_the_next_time_also_beside_a_running_server() {
    let old = Old::empty();
    let product = old.product("PRD", None);
    let customer = old.customer("jane@example.com", None).to_string();
    let key = old.key("PRD", 1);
    let license = old.license(&key, product, &customer, None);
    old.usage(license, "api_calls", 1.5, 5_000_000);
    old.audit(license, "license.created", "{}", 1);
    let database = new_database().await;
    let node = serve(&database);
    let receiver = crate::support::receiver::Receiver::start().await;
    let wants = json!({"url": receiver.url, "secret": "0123456789abcdef"});
    node.client.post("/webhooks", &wants).await.expect(201);
    let from = format!("sqlite+aiosqlite:///{}", old.path.display());
    report(&database, &from, &[], 0).await;
    let id = license.to_string();
    crate::support::eventually("the server hears of the license", async || {
        node.client.validate(&json!(key)).await["code"] == "OK"
    })
    .await;
    assert_eq!(
        node.client.use_of(&json!(key), "api_calls", 2).await["total_value"],
        3.5
    );

    old.usage(license, "api_calls", 0.1, 6_000_000);
    old.machine(license, "desk");
    old.audit(
        license,
        "license.updated",
        r#"{"by": "ops@example.com", "tier": "pro"}"#,
        7_000_000,
    );
    let second = report(&database, &from, &[], 0).await;
    let new = counts(&second, "new");
    assert_eq!(
        [
            new["licenses"],
            new["machines"],
            new["usage_records"],
            new["audit_events"]
        ],
        [0, 1, 1, 1]
    );
    crate::support::eventually("the server hears of the rest", async || {
        node.client.get(&format!("/usage/{id}")).await.expect(200)[0]["total_value"] == 3.6
    })
    .await;
    let machines = node
        .client
        .get(&format!("/licenses/{id}/machines"))
        .await
        .expect(200);
    assert_eq!(machines[0]["fingerprint"], "desk");
    assert_eq!(machines[0]["version"], "1.2.3");
    let heartbeat = node
        .client
        .ask("/heartbeat", &json!({"key": key, "fingerprint": "desk"}))
        .await;
    assert_eq!(heartbeat.expect(200)["code"], "OK");

    let trail = node
        .client
        .get(&format!("/audit/{id}?event_type=license.history_imported"))
        .await
        .expect(200);
    let told: Vec<_> = trail
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["detail"]["event_type"])
        .collect();
    assert_eq!(told, ["license.updated", "license.created"]);
    assert_eq!(trail[0]["actor"], "import");
    assert_eq!(trail[0]["detail"]["actor"], "system");
    assert_eq!(trail[0]["detail"]["created_at"], "2025-03-23T00:26:40.123456Z");
    assert_eq!(trail[0]["detail"]["detail"]["tier"], "pro");
    assert!(
        !trail.to_string().contains("ops@example.com"),
        "nothing personal stands in a ledger"
    );

    // What happens from now on is sent, what was imported is not.
    node.client.product("NEW").await;
    let sent = receiver.wait_for(1).await;
    let types: Vec<String> = sent
        .iter()
        .map(crate::support::receiver::Received::event_type)
        .collect();
    assert!(types.iter().all(|name| !name.contains("imported")), "{types:?}");
    assert!(node.terminate().success());
    check_everything(&database).await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one database with rows of all kinds")]
async fn an_old_database_on_postgresql_is_read_with_its_own_types() {
    let old = TestDatabase::empty().await;
    let keys = Old::empty();
    let (first, second) = (keys.key("PRD", 0), keys.key("PRD", 17));
    let digest = |key: &str| vinzy_events::key::KeyDigest::of(key).to_string();
    old.execute(&format!(
        r#"
        CREATE TABLE tenants (id uuid PRIMARY KEY, name text, slug text, api_key_hash text, config_overrides jsonb,
            created_at timestamptz);
        CREATE TABLE products (id uuid PRIMARY KEY, tenant_id uuid, code text, name text, features jsonb, metadata_ json,
            created_at timestamptz, is_deleted boolean);
        CREATE TABLE customers (id uuid PRIMARY KEY, tenant_id uuid, name text, email text, created_at timestamptz);
        CREATE TABLE licenses (id uuid PRIMARY KEY, tenant_id uuid, product_code text, customer_id uuid, key_digest text,
            status text, max_machines bigint, expiry timestamp, features jsonb, created_at timestamptz, deleted_at timestamptz,
            colour text);
        CREATE TABLE machines (id uuid PRIMARY KEY, license_id uuid, fingerprint text, is_active boolean,
            activated_at timestamptz, last_seen timestamptz);
        CREATE TABLE usage_records (id bigint PRIMARY KEY, license_id uuid, metric text, amount numeric(30, 10),
            recorded_at timestamptz);
        CREATE TABLE webhook_endpoints (id uuid PRIMARY KEY, url text, secret text, events text[], is_active boolean,
            created_at timestamptz);
        SET TIME ZONE 'Asia/Kolkata';
        INSERT INTO products VALUES ('9ee007a2-4ce0-4f1d-abe3-322e42812bba', NULL, 'PRD', 'P', '{{"export": true}}', NULL,
            '2025-01-01 05:30:00', false), ('9ee007a2-4ce0-4f1d-abe3-322e42812bbb', NULL, 'PRD', 'Former', '{{}}', NULL,
            '2024-01-01', true);
        INSERT INTO customers VALUES ('e3e10a78-77bc-4b40-adaf-da38f09ee7fe', NULL, 'Jane', 'jane@example.com', now());
        INSERT INTO licenses VALUES
            ('05789a4f-7a47-416f-9801-04470a60fe78', NULL, 'PRD', 'e3e10a78-77bc-4b40-adaf-da38f09ee7fe', '{}', 'active', 2,
             '2099-01-01 00:00:00.5', NULL, '2025-01-01 05:30:00', NULL, 'red'),
            ('05789a4f-7a47-416f-9801-04470a60fe79', NULL, 'PRD', 'e3e10a78-77bc-4b40-adaf-da38f09ee7fe', '{}', 'active', NULL,
             NULL, NULL, '2025-01-01', '2025-02-01', 'blue');
        INSERT INTO machines VALUES
            ('e8011aef-6ff6-4332-ba4c-e2ff2a314e19', '05789a4f-7a47-416f-9801-04470a60fe78', 'desk', true, '2025-01-02', NULL),
            ('e8011aef-6ff6-4332-ba4c-e2ff2a314e20', '05789a4f-7a47-416f-9801-04470a60fe78', 'gone', false, '2025-01-02',
             '2025-01-03 05:30:00');
        INSERT INTO webhook_endpoints VALUES
            ('3f72f9dc-d56d-4304-8792-6d91b25d6852', 'https://hooks.example.com/a', '0123456789abcdef',
             ARRAY['license.created', 'usage.recorded'], true, '2025-01-01'),
            ('3f72f9dc-d56d-4304-8792-6d91b25d6853', 'https://hooks.example.com/b', '0123456789abcdef', '{{}}', false,
             '2025-01-02');
        INSERT INTO usage_records VALUES (1, '05789a4f-7a47-416f-9801-04470a60fe78', 'gb', 0.1, '2025-01-03'),
            (2, '05789a4f-7a47-416f-9801-04470a60fe78', 'gb', 0.2000000001, '2025-01-04');"#,
        digest(&first),
        digest(&second),
    ))
    .await;
    let database = new_database().await;
    let url = old.url();
    let report = report(&database, &url, &[], 0).await;
    assert_eq!(counts(&report, "new"), counts(&report, "read"));
    let tables = report["tables"].as_array().unwrap();
    let licenses = tables.iter().find(|table| table["table"] == "licenses").unwrap();
    assert_eq!(licenses["unread_columns"], json!(["colour"]));
    assert_eq!(
        tables
            .iter()
            .find(|table| table["table"] == "audit_events")
            .unwrap()["found"],
        false
    );

    let node = serve(&database);
    let answer = node.client.validate(&json!(first)).await;
    assert_eq!(answer["code"], "OK", "{answer}");
    assert_eq!(answer["license"]["expires_at"], "2099-01-01T00:00:00.500000Z");
    assert_eq!(answer["license"]["machines_used"], 1);
    assert_eq!(
        node.client.validate(&json!(second)).await["code"],
        "NOT_FOUND",
        "it was deleted"
    );
    let id = "05789a4f-7a47-416f-9801-04470a60fe78";
    let license = node.client.get(&format!("/licenses/{id}")).await.expect(200);
    assert_eq!(license["created_at"], "2025-01-01T00:00:00.000000Z");
    let used = node.client.get(&format!("/usage/{id}")).await.expect(200);
    assert_eq!(used[0]["total_value"], 0.300_000_000_1);
    assert_eq!(
        node.client
            .get("/products")
            .await
            .expect(200)
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let seats = node
        .client
        .get(&format!("/audit/{id}?event_type=activation.imported"))
        .await
        .expect(200);
    assert_eq!(
        seats[0]["detail"]["removed_at"], "2025-01-03T00:00:00.000000Z",
        "{seats}"
    );

    let hooks = node.client.get("/webhooks").await.expect(200);
    let of = |id: &str| {
        let hook = hooks
            .as_array()
            .unwrap()
            .iter()
            .find(|hook| hook["id"] == id)
            .unwrap();
        (hook["event_types"].clone(), hook["status"].clone())
    };
    let subscribed = json!(["license.created", "usage.recorded"]);
    assert_eq!(
        of("3f72f9dc-d56d-4304-8792-6d91b25d6852"),
        (subscribed, json!("active"))
    );
    assert_eq!(
        of("3f72f9dc-d56d-4304-8792-6d91b25d6853"),
        (json!([]), json!("paused"))
    );

    let own = refusal(import(&database, &database.url(), &[])).await;
    assert!(own.contains("is a database of this system"), "{own}");
    assert!(node.terminate().success());
    check_everything(&database).await;
    database.drop().await;
    old.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_refused_before_anything_is_written() {
    let database = new_database().await;
    let before = database.count(EVENTS).await;
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("none.db");
    let told = refusal(import(&database, &format!("sqlite:{}", missing.display()), &[])).await;
    assert!(told.contains("there is no file") && !missing.exists(), "{told}");

    let old = Old::empty();
    let from = format!("sqlite:{}", old.path.display());
    old.execute("ALTER TABLE licenses RENAME COLUMN key_hash TO secret_thing");
    let told = refusal(import(&database, &from, &[])).await;
    assert!(
        told.contains("table licenses has no column for key_hash") && told.contains("secret_thing"),
        "{told}"
    );
    old.execute("DROP TABLE licenses");
    let told = refusal(import(&database, &from, &[])).await;
    assert!(told.contains("holds no table licenses"), "{told}");
    let told = refusal(import(&database, "mysql://u:sesame@h/d", &[])).await;
    assert!(
        told.contains("must begin with sqlite: or postgres://") && !told.contains("sesame"),
        "{told}"
    );
    assert_eq!(database.count(EVENTS).await, before);

    let unused = TestDatabase::create().await;
    let sound = Old::empty();
    let from = format!("sqlite:{}", sound.path.display());
    let told = refusal(import(&unused, &from, &[])).await;
    assert!(told.contains("start the server on it once"), "{told}");
    let mut foreign = import(&database, &from, &[]);
    foreign.env("VINZY_SIGNING_KEY", "ab".repeat(32));
    let told = refusal(foreign).await;
    assert!(told.contains("VINZY_SIGNING_KEY is not that"), "{told}");

    // Where there is no database yet, a dry run needs none and makes none.
    let data_dir = directory.path().join("data");
    let mut dry = vinzy();
    dry.env("VINZY_DATA_DIR", &data_dir)
        .args(["import", "--dry-run", "--from", &from]);
    let output = output(dry).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        text.contains("Nothing was written") && !data_dir.exists(),
        "{text}"
    );
    unused.drop().await;
    database.drop().await;
}
