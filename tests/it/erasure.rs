//! Erasing customers: nothing of them is left anywhere, and the ledger still verifies.

use std::io::Write;
use std::process::{Output, Stdio};

use reqwest::Method;
use serde_json::{Value, json};
use vinzy_engine::database::connect;
use vinzy_events::customer::{CustomerErased, CustomerEvent};
use vinzy_events::ledger::{Frontier, Leaf, VerifierKey, event_hash};
use vinzy_events::stream::StreamEvent;
use vinzy_projections::event_log;

use crate::support::client::{Answer, Client, send};
use crate::support::database::TestDatabase;
use crate::support::node::{Node, vinzy};
use crate::support::{TestApp, check_everything};

/// What stands in the data of [`wilhelmina`], before and after a change.
const WORDS: [&str; 4] = ["Wilhelmin", "wilhelmina@example.com", "Nostromo", "555-0199"];

fn wilhelmina() -> Value {
    json!({
        "name": "Wilhelmina", "email": "wilhelmina@example.com", "company": "Nostromo",
        "metadata": {"phone": "555-0199"},
    })
}

fn path_of(customer: &Value) -> String {
    format!("/customers/{}", customer["id"].as_str().unwrap())
}

async fn erase(client: &Client, customer: &Value) -> Value {
    let path = format!("{}/erase", path_of(customer));
    client.post_empty(&path).await.expect(200)
}

async fn change(client: &Client, customer: &Value, key: &str, body: &Value) -> Answer {
    let request = client.authorized(Method::PATCH, &path_of(customer));
    send(request.header("Idempotency-Key", key).json(body)).await
}

#[track_caller]
fn assert_erased(customer: &Value, certificate: &Value) {
    for field in ["name", "email", "company"] {
        assert_eq!(customer[field], "", "{customer}");
    }
    assert_eq!(customer["metadata"], json!({}));
    assert_eq!(customer["erased_at"], certificate["erased_at"]);
}

#[track_caller]
fn assert_says_nothing(text: &str, traces: &[String]) {
    let lower = text.to_lowercase();
    for word in WORDS {
        assert!(!lower.contains(&word.to_lowercase()), "{word} in {text}");
        for spelling in [word.to_owned(), word.to_lowercase(), word.to_uppercase()] {
            let hex = data_encoding::HEXLOWER.encode(spelling.as_bytes());
            assert!(!lower.contains(&hex), "{word} as bytes in {text}");
        }
    }
    for trace in traces {
        assert!(!lower.contains(trace), "{trace} in {text}");
    }
}

/// Every row of every table, as text.
async fn everything(database: &TestDatabase) -> Vec<(String, String)> {
    let pool = connect(database.options(), 1).await.unwrap();
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
            .fetch_all(&pool)
            .await
            .unwrap();
    assert!(tables.len() > 15, "{tables:?}");
    let mut rows = vec![];
    for table in tables {
        let sql = format!("SELECT t::text FROM \"{table}\" t");
        let texts: Vec<String> = sqlx::query_scalar(&sql).fetch_all(&pool).await.unwrap();
        rows.extend(texts.into_iter().map(|text| (table.clone(), text)));
    }
    pool.close().await;
    rows
}

/// What the tables hold of all customers: ciphertext, wrapped keys, hashes of addresses.
async fn traces(database: &TestDatabase) -> Vec<String> {
    let pool = connect(database.options(), 1).await.unwrap();
    let traces = sqlx::query_scalar(
        "SELECT encode(ciphertext, 'hex') FROM sealed_values
         UNION ALL SELECT encode(wrapped_key, 'hex') FROM data_keys
         UNION ALL SELECT value FROM unique_claims WHERE kind = 'customer_email'",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    pool.close().await;
    traces
}

async fn left_of(database: &TestDatabase, customer: &Value) -> i64 {
    let id = customer["id"].as_str().unwrap();
    let sql = format!(
        "SELECT (SELECT count(*) FROM sealed_values WHERE customer_id = '{id}')
              + (SELECT count(*) FROM data_keys WHERE customer_id = '{id}')
              + (SELECT count(*) FROM unique_claims WHERE stream_id = '{id}')"
    );
    database.count(&sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_customer_stands_nowhere_any_more_on_no_node() {
    let database = TestDatabase::create().await;
    let nodes = [1, 2].map(|_| Node::on_database(&database.url()));
    let [first, second] = nodes.each_ref().map(|node| node.client.clone());
    first.product("PRD").await;
    let new = wilhelmina();
    let customer = first.post_with_key("/customers", "c", &new).await.expect(201);
    let license = first.license_of("PRD", &customer).await;
    let changed = json!({"name": "Wilhelmine"});
    change(&second, &customer, "u", &changed).await.expect(200);
    let path = path_of(&customer);
    let trail = format!("/audit/{}", license["id"].as_str().unwrap());
    let composed = format!("/entitlements/composed/{}", customer["id"].as_str().unwrap());
    let reads = [path.as_str(), "/customers", "/licenses", &trail, &composed];
    for client in [&first, &second] {
        for read in reads {
            client.get(read).await.expect(200);
        }
    }
    let traces = traces(&database).await;
    assert_eq!(traces.len(), 4 + 1 + 1 + 1, "sealed, sealed anew, a key, a claim");
    let all = everything(&database).await;
    for trace in &traces {
        assert!(
            all.iter().any(|(_, row)| row.contains(trace)),
            "{trace} is looked for in the wrong way"
        );
    }

    let certificate = erase(&first, &customer).await;
    assert_eq!(certificate["sealed_values"], 5);
    assert_eq!(certificate["destroyed_keys"].as_array().unwrap().len(), 1);

    assert_eq!(left_of(&database, &customer).await, 0);
    for (table, row) in everything(&database).await {
        assert_says_nothing(&format!("{table}: {row}"), &traces);
    }
    let restarted = Node::on_database(&database.url());
    for client in [&first, &second, &restarted.client] {
        for read in reads {
            let answer = client.get(read).await;
            assert_says_nothing(&format!("{:?} {}", answer.headers, answer.body), &[]);
            answer.expect(200);
        }
        assert_erased(&client.get(&path).await.expect(200), &certificate);
        let list = client.get("/customers").await.expect(200);
        assert_erased(&list[0], &certificate);
        let by_email = client.get("/customers?email=wilhelmina%40example.com").await;
        assert_eq!(by_email.expect(200), json!([]));
        let again = client.post_with_key("/customers", "c", &new).await.expect(201);
        assert_eq!(again["id"], customer["id"], "no second customer is made");
        assert_erased(&again, &certificate);
        let again = change(client, &customer, "u", &changed).await.expect(200);
        assert_erased(&again, &certificate);
        let late = client.patch(&path, &json!({"company": "Nostromo"})).await;
        late.expect_problem(409, "CUSTOMER_ERASED");
        assert_eq!(client.validate(&license["key"]).await["valid"], true);
        let report = client.get("/ledger/verify").await.expect(200);
        assert_eq!(report["valid"], true, "{report}");
    }
    for (table, row) in everything(&database).await {
        assert_says_nothing(&format!("{table}: {row}"), &traces);
    }
    for node in nodes.into_iter().chain([restarted]) {
        assert!(node.terminate().success());
    }
    check_everything(&database).await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_race_with_an_erasure_leave_nothing_behind() {
    let database = TestDatabase::create().await;
    let nodes = [1, 2].map(|_| Node::on_database(&database.url()));
    let [first, second] = nodes.each_ref().map(|node| node.client.clone());
    let (mut changed, mut refused) = (0, 0);
    for round in 0..12 {
        let body = json!({"name": "Wilhelmina", "email": format!("w{round}@example.com")});
        let customer = first.post("/customers", &body).await.expect(201);
        let changes = (0..16).map(|number| {
            let client = [&first, &second][number % 2].clone();
            let path = path_of(&customer);
            async move {
                let body = json!({"company": "Nostromo", "email": format!("w{round}-{number}@example.com")});
                client.patch(&path, &body).await
            }
        });
        let erasures = [&first, &second].map(|client| erase(client, &customer));
        let (answers, certificates) = futures::future::join(
            futures::future::join_all(changes),
            futures::future::join_all(erasures),
        )
        .await;
        for answer in answers {
            if answer.status == 200 {
                changed += 1;
            } else {
                answer.expect_problem(409, "CUSTOMER_ERASED");
                refused += 1;
            }
        }
        assert_eq!(certificates[0]["event"], certificates[1]["event"], "once");
        assert_eq!(left_of(&database, &customer).await, 0);
    }
    assert!(refused > 0, "{changed} changed, {refused} refused");
    for (table, row) in everything(&database).await {
        assert_says_nothing(&format!("{table}: {row}"), &[]);
    }
    for node in nodes {
        assert!(node.terminate().success());
    }
    check_everything(&database).await;
    database.drop().await;
}

#[tokio::test]
async fn erasing_again_changes_nothing() {
    let app = TestApp::start().await;
    let customer = app.client.post("/customers", &wilhelmina()).await.expect(201);
    let path = format!("{}/erase", path_of(&customer));
    let reason = json!({"reason": "Art. 17 GDPR"});
    let certificate = app.client.post_with_key(&path, "e", &reason).await.expect(200);
    assert_eq!(certificate["reason"], "Art. 17 GDPR");
    assert_eq!(certificate["erased_at"], "2026-03-01T12:00:00.000000Z");
    app.advance(std::time::Duration::from_hours(1));
    for again in [
        app.client.post_with_key(&path, "e", &reason).await,
        app.client.post(&path, &json!({"reason": "another"})).await,
        app.client.post_empty(&path).await,
        app.client.get(&format!("{}/erasure", path_of(&customer))).await,
    ] {
        assert_eq!(again.expect(200), certificate);
    }
    let erasures = "SELECT count(*) FROM events WHERE event_type = 'customer.erased'";
    assert_eq!(app.database.count(erasures).await, 1);
    app.finish().await;
}

#[tokio::test]
async fn a_certificate_can_be_verified_by_whoever_has_the_ledgers_key() {
    let app = TestApp::start().await;
    let customer = app.client.post("/customers", &wilhelmina()).await.expect(201);
    let erased = erase(&app.client, &customer).await;
    app.product("PRD").await;
    let path = format!("{}/erasure", path_of(&customer));
    let later = app.client.get(&path).await.expect(200);
    assert_eq!(later["event"], erased["event"]);
    let verifier_key: String =
        sqlx::query_scalar("SELECT verifier_key FROM ledgers WHERE ledger_id = 'default'")
            .fetch_one(&app.app.pool)
            .await
            .unwrap();
    let key: VerifierKey = verifier_key.parse().unwrap();
    let mut conn = app.app.pool.acquire().await.unwrap();
    let span = event_log::Span {
        ledger_id: "default",
        from: 0,
        to: u64::MAX,
        stream_types: &[],
        limit: 100,
    };
    let events = event_log::read(&mut conn, span).await.unwrap();
    drop(conn);
    for certificate in [&erased, &later] {
        let bytes = certificate["event"].as_str().unwrap().as_bytes();
        assert_eq!(event_hash(bytes).to_string(), certificate["event_hash"]);
        let leaf = Leaf::parse(bytes).unwrap();
        assert_eq!(leaf.encode().unwrap(), bytes, "it is canonical");
        assert_eq!(leaf.pos, certificate["position"]);
        assert_eq!(leaf.ledger, certificate["ledger"].as_str().unwrap());
        assert_eq!(leaf.event_id.to_string(), certificate["event_id"]);
        assert_eq!(leaf.stream.id, certificate["customer_id"]);
        let CustomerEvent::Erased(CustomerErased {
            destroyed_keys,
            sealed_values,
            ..
        }) = CustomerEvent::from_stored(&leaf.event_type, leaf.type_ver, leaf.payload).unwrap()
        else {
            panic!("{} is no erasure", leaf.event_type);
        };
        assert_eq!(json!(destroyed_keys), certificate["destroyed_keys"]);
        assert_eq!(json!(sealed_values), certificate["sealed_values"]);

        let checkpoint = key.open(certificate["checkpoint"].as_str().unwrap()).unwrap();
        let mut tree = Frontier::new();
        for event in &events[..usize::try_from(checkpoint.size).unwrap()] {
            tree.push(event_hash(&event.leaf));
        }
        assert!(checkpoint.size > leaf.pos, "the event is within");
        assert_eq!(tree.root(), checkpoint.root);
        assert_eq!(events[usize::try_from(leaf.pos).unwrap()].leaf, bytes);
    }
    app.finish().await;
}

#[tokio::test]
async fn an_erased_customer_keeps_licenses_and_can_be_deleted() {
    let app = TestApp::start().await;
    app.product("PRD").await;
    let customer = app.client.post("/customers", &wilhelmina()).await.expect(201);
    let license = app.license_of("PRD", &customer).await;
    let certificate = erase(&app.client, &customer).await;
    let license_path = format!("/licenses/{}", license["id"].as_str().unwrap());
    let renew = format!("{license_path}/renew");
    app.client.post_empty(&renew).await.expect(200);
    assert_eq!(app.client.validate(&license["key"]).await["valid"], true);
    let path = path_of(&customer);
    let in_use = app.client.delete(&path).await;
    in_use.expect_problem(409, "IN_USE");

    let namesake = app.client.post("/customers", &wilhelmina()).await.expect(201);
    assert_ne!(namesake["id"], customer["id"], "the address is free");
    assert_eq!(namesake["erased_at"], Value::Null);
    let by_email = app.client.get("/customers?email=wilhelmina%40example.com").await;
    assert_eq!(by_email.expect(200), json!([namesake]));

    assert_eq!(app.client.delete(&license_path).await.status, 204);
    assert_eq!(app.client.delete(&path).await.status, 204);
    app.client
        .get(&path)
        .await
        .expect_problem(404, "CUSTOMER_NOT_FOUND");
    let kept = app.client.get(&format!("{path}/erasure")).await.expect(200);
    assert_eq!(kept["event"], certificate["event"]);
    assert_eq!(app.client.get("/customers").await.expect(200), json!([namesake]));
    app.finish().await;
}

#[tokio::test]
async fn a_deleted_customer_can_be_erased() {
    let app = TestApp::start().await;
    let customer = app.client.post("/customers", &wilhelmina()).await.expect(201);
    let traces_before = traces(&app.database).await;
    assert_eq!(app.client.delete(&path_of(&customer)).await.status, 204);
    assert!(
        left_of(&app.database, &customer).await > 0,
        "deleting hides, it does not erase"
    );
    let certificate = erase(&app.client, &customer).await;
    assert_eq!(certificate["sealed_values"], 4);
    assert_eq!(left_of(&app.database, &customer).await, 0);
    for (table, row) in everything(&app.database).await {
        assert_says_nothing(&format!("{table}: {row}"), &traces_before);
    }
    app.client
        .get(&path_of(&customer))
        .await
        .expect_problem(404, "CUSTOMER_NOT_FOUND");
    app.finish().await;
}

#[tokio::test]
async fn only_admins_erase_and_only_what_is_theirs() {
    let app = TestApp::start().await;
    let customer = app.client.post("/customers", &wilhelmina()).await.expect(201);
    let (erase_path, certificate_path) = (
        format!("{}/erase", path_of(&customer)),
        format!("{}/erasure", path_of(&customer)),
    );
    for scopes in [["issuer"], ["support"], ["audit"]] {
        let key = app.client.api_key(&scopes).await;
        let refused = app.client.with_key(&key["api_key"]).post_empty(&erase_path).await;
        refused.expect_problem(403, "FORBIDDEN");
    }
    let (_, other) = app.tenant("other").await;
    let refused = other.post_empty(&erase_path).await;
    refused.expect_problem(404, "CUSTOMER_NOT_FOUND");
    let refused = other.get(&certificate_path).await;
    refused.expect_problem(404, "CUSTOMER_NOT_FOUND");
    let not_erased = app.client.get(&certificate_path).await;
    not_erased.expect_problem(404, "ERASURE_NOT_FOUND");
    let nobody = "/customers/0197f0a2-0000-7000-8000-000000000000";
    for path in [format!("{nobody}/erase"), "/customers/x/erase".to_owned()] {
        let refused = app.client.post_empty(&path).await;
        refused.expect_problem(404, "CUSTOMER_NOT_FOUND");
    }
    for reason in [json!("x".repeat(501)), json!(1)] {
        let refused = app.client.post(&erase_path, &json!({"reason": reason})).await;
        refused.expect_problem(422, "VALIDATION_ERROR");
    }
    assert_eq!(
        app.client.get(&path_of(&customer)).await.expect(200)["name"],
        "Wilhelmina"
    );
    let certificate = erase(&app.client, &customer).await;
    let auditor = app.client.api_key(&["audit"]).await;
    let read = app.client.with_key(&auditor["api_key"]);
    let read = read.get(&certificate_path).await.expect(200);
    assert_eq!(read["event"], certificate["event"]);
    app.finish().await;
}

/// Two customers, at positions 1 and 2; the first is erased at 3. `copy` holds what was sealed.
async fn one_of_two_erased() -> (TestApp, Value, Value) {
    let app = TestApp::start().await;
    let erased = app.client.post("/customers", &wilhelmina()).await.expect(201);
    let other = app.customer("jane@example.com").await;
    app.database
        .execute(
            "CREATE SCHEMA copy; CREATE TABLE copy.sealed_values AS SELECT * FROM sealed_values;
             CREATE TABLE copy.data_keys AS SELECT * FROM data_keys",
        )
        .await;
    erase(&app.client, &erased).await;
    let report = app.client.get("/ledger/verify").await.expect(200);
    assert_eq!(report["valid"], true, "{report}");
    (app, erased, other)
}

/// Makes the SQL of a tamperer out of the ids of the erased customer and the other.
type Tampering = fn(&str, &str) -> String;

#[tokio::test]
async fn ciphertext_must_be_there_before_an_erasure_and_gone_after_it() {
    let id = |customer: &Value| customer["id"].as_str().unwrap().to_owned();
    let cases: [(&str, Tampering, u64, &str); 6] = [
        (
            "another customer's",
            |_, other| {
                format!("DELETE FROM sealed_values WHERE customer_id = '{other}' AND path = '/payload/name'")
            },
            2,
            "the ciphertext of /payload/name is missing",
        ),
        (
            "no erasure any more",
            |_, _| {
                "ALTER TABLE events DISABLE TRIGGER USER; DELETE FROM events WHERE position = 3;
                 ALTER TABLE events ENABLE TRIGGER USER"
                    .to_owned()
            },
            1,
            "is missing",
        ),
        (
            "another type beside the erasure",
            |_, _| {
                "ALTER TABLE events DISABLE TRIGGER USER;
                 UPDATE events SET event_type = 'customer.deleted' WHERE position = 3;
                 ALTER TABLE events ENABLE TRIGGER USER"
                    .to_owned()
            },
            1,
            "is missing",
        ),
        (
            "ciphertext that came back",
            |erased, _| {
                format!(
                    "INSERT INTO sealed_values SELECT * FROM copy.sealed_values
                     WHERE customer_id = '{erased}' AND path = '/payload/name'"
                )
            },
            3,
            "the ciphertext of event 1 is still there",
        ),
        (
            "a key that came back",
            |erased, _| {
                format!("INSERT INTO data_keys SELECT * FROM copy.data_keys WHERE customer_id = '{erased}'")
            },
            3,
            "a key of theirs is still there",
        ),
        (
            "ciphertext hidden under another customer",
            |erased, other| {
                format!(
                    "INSERT INTO sealed_values
                     SELECT ledger_id, '{other}', path, stream_seq + 7, position, event_id, key_id, ciphertext
                     FROM copy.sealed_values WHERE customer_id = '{erased}'"
                )
            },
            1,
            "stands under another customer",
        ),
    ];
    for (name, tampering, position, problem) in cases {
        let (app, erased, other) = one_of_two_erased().await;
        app.database.execute(&tampering(&id(&erased), &id(&other))).await;
        let report = app.client.get("/ledger/verify").await.expect(200);
        assert_eq!(report["break_at"], position, "{name}: {report}");
        assert!(
            report["problem"].as_str().unwrap().contains(problem),
            "{name}: {report}"
        );
        app.database.drop().await;
    }
}

fn vinzy_erase(database: &TestDatabase, arguments: &[&str], input: &str) -> Output {
    let mut child = vinzy()
        .arg("erase")
        .args(arguments)
        .env("VINZY_DB_URL", database.url())
        .env("VINZY_DATA_DIR", database.data_dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that does not ask may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_erases_beside_a_running_server() {
    let app = TestApp::start().await;
    let customer = app.client.post("/customers", &wilhelmina()).await.expect(201);
    let id = customer["id"].as_str().unwrap();
    let told = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();

    for answer in ["no\n", ""] {
        let refused = vinzy_erase(&app.database, &[id], answer);
        assert_eq!(refused.status.code(), Some(1), "{}", told(&refused));
        assert!(
            told(&refused).contains("Nothing was erased"),
            "{}",
            told(&refused)
        );
    }
    let nobody = "0197f0a2-0000-7000-8000-000000000000";
    let missing = vinzy_erase(&app.database, &[nobody, "--yes"], "");
    assert_eq!(missing.status.code(), Some(1), "{}", told(&missing));
    let foreign_key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    for wrong in [
        &[id, "--yes", "--ledger", "nope"][..],
        &[id, "--yes", "--signing-key", foreign_key],
        &["x", "--yes"],
    ] {
        let refused = vinzy_erase(&app.database, wrong, "");
        assert_eq!(refused.status.code(), Some(2), "{wrong:?}: {}", told(&refused));
    }
    assert_eq!(
        app.client.get(&path_of(&customer)).await.expect(200)["name"],
        "Wilhelmina"
    );

    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("certificate.json");
    let arguments = [id, "--reason", "Art. 17 GDPR", "--out", out.to_str().unwrap()];
    let erased = vinzy_erase(&app.database, &arguments, "yes\n");
    assert_eq!(erased.status.code(), Some(0), "{}", told(&erased));
    let certificate: Value = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
    assert_eq!(certificate["reason"], "Art. 17 GDPR");
    let leaf = Leaf::parse(certificate["event"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(leaf.meta.actor.via, "cli");
    let path = format!("{}/erasure", path_of(&customer));
    assert_eq!(app.client.get(&path).await.expect(200), certificate);
    assert_erased(
        &app.client.get(&path_of(&customer)).await.expect(200),
        &certificate,
    );
    assert_eq!(left_of(&app.database, &customer).await, 0);
    let late = app.client.patch(&path_of(&customer), &json!({"name": "W"})).await;
    late.expect_problem(409, "CUSTOMER_ERASED");

    let again = vinzy_erase(&app.database, &[id], "");
    assert_eq!(again.status.code(), Some(0), "{}", told(&again));
    let shown: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(shown["event"], certificate["event"]);
    app.finish().await;
}
