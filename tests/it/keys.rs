//! Making, showing and rotating keys, with the real program.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use vinzy_engine::clock::{Clock, Entropy};
use vinzy_engine::database::{connect, disconnect};
use vinzy_engine::keys::rewrap::rewrap;
use vinzy_engine::keys::{MasterKey, MasterKeys, ServerKeys};
use vinzy_engine::personal_data::DataKey;
use vinzy_engine::secrets::kept::Kept;
use vinzy_events::lease::{JwkSet, verify};

use crate::crash::place;
use crate::support::client::Client;
use crate::support::database::TestDatabase;
use crate::support::node::{Node, on_database, vinzy};
use crate::support::{ADMIN_KEY, HMAC_KEY, SECRET, SIGNING_KEY, SUPER_ADMIN_KEY};

const NEW_SECRET: &str = "d8fGj4aQe6uTo1iPl0Vt7wqLz3nXk9pRb5mYc2sH";

/// What was made with the keys of a time.
struct Made {
    customer: Value,
    license: Value,
    lease: String,
    mark: &'static str,
}

impl Made {
    async fn with(client: &Client, mark: &'static str) -> Self {
        client
            .post_with_key("/products", "p", &json!({"code": "PRD", "name": "x"}))
            .await
            .expect(201);
        let customer = client
            .post_with_key("/customers", &format!("c{mark}"), &new_customer(mark))
            .await
            .expect(201);
        let license = client
            .post_with_key("/licenses", &format!("l{mark}"), &new_license(&customer))
            .await
            .expect(201);
        let answer = client.validate(&license["key"]).await;
        let lease = answer["lease"]["token"].as_str().unwrap().to_owned();
        Self {
            customer,
            license,
            lease,
            mark,
        }
    }

    /// All of it is there, is recognised when it comes again, and verifies.
    async fn check(&self, client: &Client) {
        let id = self.customer["id"].as_str().unwrap();
        let read = client.get(&format!("/customers/{id}")).await.expect(200);
        assert_eq!(read["name"], self.customer["name"]);
        let again = client.post("/customers", &new_customer(self.mark)).await;
        again.expect_problem(409, "EMAIL_TAKEN");
        let replayed = client
            .post_with_key("/customers", &format!("c{}", self.mark), &new_customer(self.mark))
            .await;
        assert_eq!(replayed.expect(201), self.customer);
        let replayed = client
            .post_with_key(
                "/licenses",
                &format!("l{}", self.mark),
                &new_license(&self.customer),
            )
            .await;
        assert_eq!(replayed.expect(201), self.license, "with its key");
        assert_eq!(client.validate(&self.license["key"]).await["valid"], true);
        verify(&self.lease, &jwks(client).await, Clock::System.now()).unwrap();
        let ledger = client.get("/ledger/verify").await.expect(200);
        assert_eq!(ledger["valid"], true, "{ledger}");
    }
}

fn new_customer(mark: &str) -> Value {
    json!({"name": format!("Jane {mark}"), "email": format!("jane{mark}@example.com")})
}

fn new_license(customer: &Value) -> Value {
    json!({"product_code": "PRD", "customer_id": customer["id"]})
}

async fn jwks(client: &Client) -> JwkSet {
    let body = client.get_anonymously("/.well-known/jwks.json").await.expect(200);
    serde_json::from_value(body).unwrap()
}

/// The program without keys in its environment, but the admins'.
fn in_development(data_dir: &Path) -> Command {
    let mut command = vinzy();
    for name in ["VINZY_SECRET_KEY", "VINZY_HMAC_KEY", "VINZY_SIGNING_KEY"] {
        command.env_remove(name);
    }
    command.env("VINZY_DATA_DIR", data_dir);
    command
}

fn on(url: &str, settings: &[(&str, &str)]) -> Command {
    let mut command = vinzy();
    on_database(&mut command, url).envs(settings.iter().copied());
    command
}

fn start(mut command: Command) -> Node {
    Node::start(command.arg("serve"))
}

#[track_caller]
fn run(mut command: Command, arguments: &[&str], code: i32) -> (String, String) {
    let output: Output = command.args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, told) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {out}{told}");
    (out, told)
}

/// What `keys list` says, in both forms, and that it shows none of the secrets.
#[track_caller]
fn list(command: impl Fn() -> Command, code: i32, secrets: &[&str]) -> Value {
    let (table, told) = run(command(), &["keys", "list"], code);
    let (json, told_too) = run(command(), &["keys", "list", "--json"], code);
    for secret in secrets.iter().flat_map(|secret| secret.split(',')) {
        for text in [&table, &told, &json, &told_too] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    serde_json::from_str(&json).unwrap()
}

fn keys_of(listed: &Value, kind: &str) -> Vec<Value> {
    let keys = listed["keys"].as_array().unwrap().iter();
    keys.filter(|key| key["kind"] == kind).cloned().collect()
}

/// The value of a line `NAME=value`.
#[track_caller]
fn value_of<'a>(out: &'a str, name: &str) -> &'a str {
    let line = out.strip_prefix(name).and_then(|rest| rest.strip_prefix('='));
    let value = line.unwrap_or_else(|| panic!("{name} in {out}")).trim_end();
    assert!(!value.contains('\n'), "{out}");
    value
}

#[test]
fn generated_keys_are_good_enough_for_production() {
    let (out, _) = run(vinzy(), &["keys", "generate"], 0);
    let settings: Vec<(&str, &str)> = out.lines().map(|line| line.split_once('=').unwrap()).collect();
    assert_eq!(settings.len(), 5);
    let mut command = Command::new(env!("CARGO_BIN_EXE_vinzy"));
    command
        .env("VINZY_ENVIRONMENT", "production")
        .envs(settings.iter().copied());
    let (out, _) = run(command, &["keys", "list", "--offline"], 0);
    assert!(settings.iter().all(|(_, secret)| !out.contains(secret)));
    let (one, _) = run(vinzy(), &["keys", "generate", "super-admin"], 0);
    assert!(value_of(&one, "VINZY_SUPER_ADMIN_KEY").starts_with("vzs_"));
}

#[test]
fn weak_and_missing_keys_are_listed_as_such() {
    let settings = [
        ("VINZY_ENVIRONMENT", "production"),
        (
            "VINZY_SECRET_KEY",
            "changeme,Vt7wqLz3nXk9pRb5mYc2sHd8fGj4aQe6uTo1iPl0",
        ),
        (
            "VINZY_HMAC_KEYS",
            r#"{"0":"shorty","7":"Vt7wqLz3nXk9pRb5mYc2sHd8fGj4aQe6"}"#,
        ),
        ("VINZY_API_KEY", ""),
    ];
    let command = || on("postgres://nobody@127.0.0.1:9/x", &settings);
    let listed = list(command, 1, &["changeme", "shorty", SECRET, SIGNING_KEY]);
    assert_eq!(listed["missing"], json!(["VINZY_API_KEY"]));
    let master = keys_of(&listed, "master");
    assert_eq!(
        master.iter().map(|key| &key["role"]).collect::<Vec<_>>(),
        ["wraps", "opens"]
    );
    assert_eq!(
        master[0]["source"],
        json!({"from": "environment", "name": "VINZY_SECRET_KEY"})
    );
    assert!(master[0]["weakness"].as_str().unwrap().contains("placeholder"));
    assert_eq!(master[1]["weakness"], Value::Null);
    let hmac = keys_of(&listed, "hmac");
    assert_eq!(
        (&hmac[0]["id"], &hmac[0]["role"]),
        (&json!("0"), &json!("verifies"))
    );
    assert_eq!((&hmac[1]["id"], &hmac[1]["role"]), (&json!("7"), &json!("signs")));
}

#[test]
fn keys_of_a_settings_file_are_printed_as_it_has_them() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("v.toml");
    std::fs::write(&file, "hmac_keys = { 0 = \"Qe6uTo1iPl0Vt7wqLz3nXk9pRb5mYc2s\" }").unwrap();
    let command = || {
        let mut command = vinzy();
        command
            .env_remove("VINZY_HMAC_KEY")
            .env("VINZY_CONFIG", &file)
            .env("VINZY_DB_URL", "postgres://nobody@127.0.0.1:9/x");
        command
    };
    let (out, _) = run(command(), &["keys", "rotate", "hmac"], 0);
    std::fs::write(&file, out).unwrap();
    let listed = list(command, 0, &["Qe6uTo1iPl0Vt7wqLz3nXk9pRb5mYc2s"]);
    let hmac = keys_of(&listed, "hmac");
    assert_eq!(hmac.len(), 2);
    assert_eq!(hmac[1]["source"]["path"], file.to_str().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn in_development_every_kind_of_key_rotates_in_its_file() {
    let (_directory, data_dir) = place();
    let dev = || in_development(&data_dir);
    let node = start(dev());
    let before = Made::with(&node.client, "a").await;
    let old_kid = jwks(&node.client).await.keys[0].kid.clone();
    let kept = Kept::read(&data_dir).unwrap();
    let (_, told) = run(dev(), &["keys", "rotate", "master"], 2);
    assert!(told.contains("in use by another server"), "{told}");
    assert!(Kept::read(&data_dir).unwrap() == kept, "nothing is changed");
    assert!(node.terminate().success());

    for kind in ["hmac", "signing", "master"] {
        let (out, _) = run(dev(), &["keys", "rotate", kind], 0);
        assert_eq!(out, "", "secrets in a file are not shown");
    }
    let rotated = Kept::read(&data_dir).unwrap();
    let mode = std::fs::metadata(data_dir.join("secrets.toml"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let (masters, seeds) = (rotated.secret_key.unwrap(), rotated.signing_key.unwrap());
    assert!(masters.ends_with(&format!(",{}", kept.secret_key.unwrap())));
    assert!(seeds.ends_with(&format!(",{}", kept.signing_key.unwrap())));
    let ring = rotated.hmac_keys.unwrap();
    assert_eq!(ring["0"], kept.hmac_key.unwrap());

    let listed = list(
        dev,
        0,
        &[
            &masters,
            &seeds,
            &ring["0"],
            &ring["1"],
            ADMIN_KEY,
            SUPER_ADMIN_KEY,
        ],
    );
    let master = keys_of(&listed, "master");
    assert_eq!(
        master[0]["wraps"],
        json!({"data_keys": 1, "endpoint_secrets": 0, "server_keys": 2})
    );
    assert_eq!(
        master[1]["wraps"],
        json!({"data_keys": 0, "endpoint_secrets": 0, "server_keys": 0})
    );
    let signing = keys_of(&listed, "signing");
    assert_eq!(signing[1]["id"], old_kid);
    assert_eq!(signing[0]["signs_checkpoints_of"], json!([]));
    assert_eq!(
        signing[1]["signs_checkpoints_of"],
        json!(["vinzy.local/system", "vinzy.local/t/default"])
    );

    let node = start(dev());
    before.check(&node.client).await;
    let after = Made::with(&node.client, "b").await;
    let key = after.license["key"].as_str().unwrap();
    assert!(key.starts_with("PRD-B"), "version 1: {key}");
    let known = jwks(&node.client).await;
    assert_eq!(known.keys[1].kid, old_kid);
    let only_old = JwkSet {
        keys: vec![known.keys[1].clone()],
    };
    assert!(verify(&after.lease, &only_old, Clock::System.now()).is_err());
    assert!(node.terminate().success());

    // The old master key goes at the next rotation.
    run(dev(), &["keys", "rotate", "master"], 0);
    let last = Kept::read(&data_dir).unwrap().secret_key.unwrap();
    let first = masters.split(',').next().unwrap();
    assert!(last.ends_with(&format!(",{first}")) && last.matches(',').count() == 1);
    let node = start(dev());
    before.check(&node.client).await;
    after.check(&node.client).await;
    let (offline, _) = run(dev(), &["validate", key], 0);
    assert!(offline.contains("key version 1"), "{offline}");
    assert!(node.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_master_key_of_an_environment_rotates_beside_running_servers() {
    let database = TestDatabase::create().await;
    let url = database.url();
    // Two nodes on a new database: its keys are made once.
    let starting = {
        let url = url.clone();
        std::thread::spawn(move || start(on(&url, &[])))
    };
    let (one, two) = (start(on(&url, &[])), starting.join().unwrap());
    assert_eq!(database.count("SELECT count(*) FROM server_keys").await, 2);
    let before = Made::with(&one.client, "a").await;
    before.check(&two.client).await;
    assert!(one.terminate().success() && two.terminate().success());

    let (out, _) = run(on(&url, &[]), &["keys", "rotate", "master"], 0);
    let both = value_of(&out, "VINZY_SECRET_KEY").to_owned();
    let (new, old) = both.split_once(',').unwrap();
    assert_eq!(old, SECRET);

    let with_both = [("VINZY_SECRET_KEY", both.as_str())];
    let (one, two) = (start(on(&url, &with_both)), start(on(&url, &with_both)));
    let between = Made::with(&one.client, "b").await;
    let listed = list(|| on(&url, &with_both), 0, &[&both]);
    let master = keys_of(&listed, "master");
    assert_eq!(
        master[0]["wraps"],
        json!({"data_keys": 1, "endpoint_secrets": 0, "server_keys": 0})
    );
    assert_eq!(
        master[1]["wraps"],
        json!({"data_keys": 1, "endpoint_secrets": 0, "server_keys": 2})
    );

    let (out, told) = run(on(&url, &with_both), &["keys", "rotate", "master"], 0);
    assert_eq!(value_of(&out, "VINZY_SECRET_KEY"), new);
    assert!(
        told.contains("Wrapped 1 data keys, 0 webhook secrets and 2 server keys"),
        "{told}"
    );
    for node in [&one, &two] {
        before.check(&node.client).await;
        between.check(&node.client).await;
    }
    assert!(one.terminate().success() && two.terminate().success());

    let (_, told) = run(on(&url, &[]), &["serve"], 2);
    assert!(told.contains("does not belong to this database"), "{told}");
    let with_new = [("VINZY_SECRET_KEY", new)];
    let node = start(on(&url, &with_new));
    for made in [&before, &between, &Made::with(&node.client, "c").await] {
        made.check(&node.client).await;
    }
    assert!(node.terminate().success());
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_licenses_and_leases_of_an_environment_rotate() {
    let database = TestDatabase::create().await;
    let url = database.url();
    let node = start(on(&url, &[]));
    let before = Made::with(&node.client, "a").await;
    assert!(node.terminate().success());

    let (out, _) = run(on(&url, &[]), &["keys", "rotate", "hmac"], 0);
    let ring = value_of(&out, "VINZY_HMAC_KEYS").to_owned();
    assert_eq!(serde_json::from_str::<Value>(&ring).unwrap()["0"], HMAC_KEY);
    let (out, _) = run(on(&url, &[]), &["keys", "rotate", "signing"], 0);
    let seeds = value_of(&out, "VINZY_SIGNING_KEY").to_owned();
    let settings = [("VINZY_HMAC_KEYS", ring.as_str()), ("VINZY_SIGNING_KEY", &seeds)];
    let new_seed = seeds.split(',').next().unwrap();
    let only_new = [
        ("VINZY_HMAC_KEYS", ring.as_str()),
        ("VINZY_SIGNING_KEY", new_seed),
    ];
    let (_, told) = run(on(&url, &only_new), &["serve"], 2);
    assert!(told.contains("signing key does not belong"), "{told}");
    list(|| on(&url, &settings), 0, &[SECRET, &seeds, HMAC_KEY, ADMIN_KEY]);

    let node = start(on(&url, &settings));
    before.check(&node.client).await;
    let after = Made::with(&node.client, "b").await;
    assert!(after.license["key"].as_str().unwrap().starts_with("PRD-B"));
    after.check(&node.client).await;
    assert!(node.terminate().success());

    // The ledgers were handed over to the new seed, so the old one may go.
    let node = start(on(&url, &only_new));
    after.check(&node.client).await;
    assert!(node.terminate().success());
    database.drop().await;
}

fn masters(secrets: &[&str]) -> MasterKeys {
    let mut keys = secrets.iter().map(|secret| MasterKey::from_secret(secret));
    MasterKeys::new(keys.next().unwrap(), keys.collect())
}

/// Data keys of customers that there are not: nothing else is as quickly made by the thousand.
async fn many_data_keys(pool: &sqlx::PgPool, count: u64, masters: &MasterKeys) {
    let ids: Vec<uuid::Uuid> = (0..count).map(|n| uuid::Uuid::from_u64_pair(n, n)).collect();
    let wrap = |id: &uuid::Uuid| {
        let key = DataKey::new("k", Entropy::System.bytes());
        key.wrap(masters, "default", (*id).into(), Entropy::System.bytes())
    };
    let wrapped: Vec<Vec<u8>> = ids.iter().map(wrap).collect();
    sqlx::query(
        "INSERT INTO data_keys (ledger_id, customer_id, key_id, wrapped_key)
         SELECT 'default', x.id, 'k', x.wrapped FROM unnest($1::uuid[], $2::bytea[]) AS x(id, wrapped)",
    )
    .bind(&ids)
    .bind(&wrapped)
    .execute(pool)
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn wrapping_anew_can_be_killed_and_goes_on() {
    const COUNT: u64 = 20_000;
    let database = TestDatabase::create().await;
    let url = database.url();
    let pool = connect(database.options(), 4).await.unwrap();
    ServerKeys::open_or_make(&pool, &masters(&[SECRET]), &Entropy::System)
        .await
        .unwrap();
    many_data_keys(&pool, COUNT, &masters(&[SECRET])).await;
    let both = format!("{NEW_SECRET},{SECRET}");
    let settings = [("VINZY_SECRET_KEY", both.as_str())];
    let of_new = format!(
        "SELECT count(*) FROM data_keys WHERE substr(wrapped_key, 1, 8) = '\\x{}'",
        MasterKey::from_secret(NEW_SECRET).id()
    );
    let done = async || u64::try_from(database.count(&of_new).await).unwrap();
    disconnect(&pool).await;

    let mut running = on(&url, &settings)
        .args(["keys", "rotate", "master"])
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while done().await == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    running.kill().unwrap();
    running.wait().unwrap();
    database.wait_until_left().await;
    let killed_at = done().await;
    assert!((1..COUNT).contains(&killed_at), "{killed_at} of {COUNT}");
    assert_eq!(killed_at % 500, 0, "a batch is done as a whole or not at all");

    let (out, told) = run(on(&url, &settings), &["keys", "rotate", "master"], 0);
    assert_eq!(value_of(&out, "VINZY_SECRET_KEY"), NEW_SECRET);
    assert!(
        told.contains(&format!("Wrapped {} data keys", COUNT - killed_at)),
        "{told}"
    );
    assert_eq!(done().await, COUNT);
    let pool = connect(database.options(), 4).await.unwrap();
    ServerKeys::open(&pool, &masters(&[NEW_SECRET])).await.unwrap();
    let rows: Vec<(uuid::Uuid, Vec<u8>)> = sqlx::query_as("SELECT customer_id, wrapped_key FROM data_keys")
        .fetch_all(&pool)
        .await
        .unwrap();
    for (id, wrapped) in rows {
        assert!(DataKey::unwrap(&masters(&[NEW_SECRET]), "default", id.into(), "k", &wrapped).is_ok());
    }
    disconnect(&pool).await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_nothing_opens_is_left_and_told_of() {
    let database = TestDatabase::create().await;
    let pool = connect(database.options(), 4).await.unwrap();
    let both = masters(&[NEW_SECRET, SECRET]);
    ServerKeys::open_or_make(&pool, &masters(&[SECRET]), &Entropy::System)
        .await
        .unwrap();
    many_data_keys(&pool, 3, &masters(&["lost"])).await;
    let done = rewrap(&pool, &both, &Entropy::System).await.unwrap();
    assert_eq!(
        (done.data_keys, done.server_keys, done.unopenable.len()),
        (0, 2, 3)
    );
    let settings = [("VINZY_SECRET_KEY", &*format!("{NEW_SECRET},{SECRET}"))];
    let (out, told) = run(on(&database.url(), &settings), &["keys", "rotate", "master"], 1);
    assert_eq!(out, "");
    assert!(
        told.contains("3 data keys open with none of the master keys"),
        "{told}"
    );
    disconnect(&pool).await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_from_before_server_keys_keeps_its_hashes() {
    let database = TestDatabase::create().await;
    let url = database.url();
    let node = start(on(&url, &[]));
    let made = Made::with(&node.client, "a").await;
    assert!(node.terminate().success());
    database
        .execute("DELETE FROM server_keys; UPDATE data_keys SET wrapped_key = substr(wrapped_key, 9)")
        .await;

    let (_, told) = run(on(&url, &[("VINZY_SECRET_KEY", NEW_SECRET)]), &["serve"], 2);
    assert!(told.contains("does not belong to this database"), "{told}");
    assert_eq!(database.count("SELECT count(*) FROM server_keys").await, 0);

    let both = format!("{NEW_SECRET},{SECRET}");
    let settings = [("VINZY_SECRET_KEY", both.as_str())];
    let (_, told) = run(on(&url, &settings), &["keys", "rotate", "master"], 2);
    assert!(told.contains("start the server on it once"), "{told}");
    let node = start(on(&url, &settings));
    made.check(&node.client).await;
    assert!(node.terminate().success());
    run(on(&url, &settings), &["keys", "rotate", "master"], 0);
    let node = start(on(&url, &[("VINZY_SECRET_KEY", NEW_SECRET)]));
    made.check(&node.client).await;
    assert!(node.terminate().success());
    database.drop().await;
}
