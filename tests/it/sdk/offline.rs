//! What a lease is good for when there is no server, and what it is not believed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use tempfile::TempDir;
use vinzy_client::calls::{applications, licenses, products};
use vinzy_client::client::LicenseClientBuilder;
use vinzy_client::lease::{self, KeySet};
use vinzy_client::licenses::{CreateLicense, Reason};
use vinzy_client::products::CreateProduct;
use vinzy_client::store::MemoryStore;
use vinzy_client::validation::ValidateRequest;
use vinzy_client::{Error, LicenseClient, Validation};

use super::proxy::{Fault, Proxy, reply};
use super::{DAY, NOWHERE, Stage};
use crate::support::{SIGNING_KEY, TestApp, secrets_with, server_config};

const NEW_SEED: &str = "7f3b5c1d9e8a26407b5d1f3e9c8a6b4d2f0e1c3a5b7d9f8e6c4a2b0d1e3f5a79";

/// Where a lease is kept.
fn cache() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state/lease.json");
    (directory, path)
}

fn document(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Changes what the only lease in the file is.
fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut document = document(path);
    let leases = document["leases"].as_object_mut().unwrap();
    assert_eq!(leases.len(), 1);
    change(leases.values_mut().next().unwrap());
    fs::write(path, document.to_string()).unwrap();
}

/// Changes what the lease in the file says, without its signature.
fn forge(path: &Path, name: &str, value: &Value) {
    edit(path, |stored| {
        let token = stored["token"].as_str().unwrap().to_owned();
        let parts: Vec<&str> = token.split('.').collect();
        let claims = BASE64URL_NOPAD.decode(parts[1].as_bytes()).unwrap();
        let mut claims: Value = serde_json::from_slice(&claims).unwrap();
        claims[name] = value.clone();
        let claims = BASE64URL_NOPAD.encode(claims.to_string().as_bytes());
        stored["token"] = format!("{}.{claims}.{}", parts[0], parts[2]).into();
    });
}

async fn code(client: &LicenseClient, fingerprint: Option<&str>) -> String {
    let license = client.validate(fingerprint).await.unwrap();
    assert!(license.offline);
    assert_eq!(
        license.valid,
        ["OK", "LEASE_GRACE"].contains(&license.code.as_str())
    );
    license.code
}

async fn online(client: &LicenseClient, fingerprint: Option<&str>) -> Validation {
    let license = client.validate(fingerprint).await.unwrap();
    assert_eq!((license.code.as_str(), license.offline), ("OK", false));
    license
}

/// Another license of a customer of its own.
async fn another(stage: &Stage, product_code: &str, days_valid: Option<u32>) -> String {
    let first = stage.admin().send(&licenses::get(&stage.id, None)).await.unwrap();
    let license = CreateLicense {
        product_code: product_code.into(),
        customer_id: first.customer_id,
        days_valid: days_valid.map(Some),
        ..CreateLicense::default()
    };
    stage.admin().send(&licenses::issue(&license)).await.unwrap().key
}

#[tokio::test]
async fn a_lease_goes_on_when_the_server_has_stopped() {
    let stage = Stage::set().await;
    let (_directory, path) = cache();
    let settings = stage.at(stage.url()).lease_store(&path).max_retries(1);
    let before = settings.clone().build().unwrap();
    let said = online(&before, Some("laptop")).await;
    let asked = before.validate_offline(None).await;
    assert_eq!(
        (asked.code.as_str(), asked.offline, asked.cause.is_none()),
        ("OK", true, true)
    );
    let database = stage.app.stop().await;

    // The client that has asked, and a process that starts when the server is gone.
    for client in [before, settings.build().unwrap()] {
        let license = client.validate(Some("laptop")).await.unwrap();
        assert_eq!(
            (license.valid, license.code.as_str(), license.offline),
            (true, "OK", true)
        );
        assert_eq!((&license.tier, &license.features), (&said.tier, &said.features));
        assert_eq!(
            (&license.agents, &license.entitlements),
            (&said.agents, &said.entitlements)
        );
        assert_eq!(
            (&license.lease, license.offline_until),
            (&said.lease, said.offline_until)
        );
        assert!(matches!(*license.cause.unwrap(), Error::Unreachable { .. }));
        assert_eq!(client.entitled_agents(Some("laptop")).await.unwrap(), ["CTO"]);
        assert!(client.record_usage("api_calls", 1).await.is_err());
    }
    database.drop().await;
}

#[tokio::test]
async fn without_a_lease_nothing_is_valid() {
    let (_directory, path) = cache();
    let settings = LicenseClient::builder(NOWHERE).retry_backoff_base(Duration::ZERO);
    let client = || settings.clone().lease_store(&path).build().unwrap();
    assert_eq!(client().validate_offline(None).await.code, "LEASE_MISSING");
    let license = client().validate(None).await.unwrap();
    assert_eq!(
        (license.valid, license.code.as_str(), license.offline),
        (false, "LEASE_MISSING", true)
    );
    assert!(client().entitled_agents(None).await.unwrap().is_empty());
    fs::create_dir(path.parent().unwrap()).unwrap();
    for damaged in [
        "",
        "null",
        r#"{"format":1,"seen":0,"leases":{"a":{}},"jwks":null}"#,
        "\0",
    ] {
        fs::write(&path, damaged).unwrap();
        assert_eq!(code(&client(), None).await, "LEASE_MISSING", "{damaged}");
    }
}

#[tokio::test]
async fn an_edited_lease_is_refused() {
    let stage = Stage::set().await;
    let jwks = stage.jwks().await;
    for pinned in [true, false] {
        for (name, value) in [
            ("tier", json!("enterprise")),
            ("exp", json!(4_000_000_000_u64)),
            ("fingerprint", json!("phone")),
            ("features", json!(["sso"])),
        ] {
            let (_directory, path) = cache();
            let pin = |settings: LicenseClientBuilder| {
                if pinned {
                    settings.pinned_jwks(&jwks)
                } else {
                    settings
                }
            };
            let (client, offline) = stage.pair_with(&path, pin);
            online(&client, Some("laptop")).await;
            assert_eq!(code(&offline, Some("laptop")).await, "OK");
            forge(&path, name, &value);
            for fingerprint in ["laptop", "phone"] {
                let (_, offline) = stage.pair_with(&path, pin);
                let license = offline.validate(Some(fingerprint)).await.unwrap();
                assert_eq!(
                    (license.valid, license.code.as_str()),
                    (false, "LEASE_INVALID"),
                    "{name}"
                );
                assert!(license.features.is_empty() && license.tier.is_empty());
            }
        }
    }
    stage.app.finish().await;
}

#[tokio::test]
async fn what_stands_beside_the_lease_is_not_believed() {
    let stage = Stage::set().await;
    let (_directory, path) = cache();
    let said = online(&stage.pair(&path).0, None).await;
    edit(&path, |stored| {
        stored["payload"]["tier"] = "enterprise".into();
        stored["payload"]["features"] = json!(["sso"]);
        stored["lease_expires_at"] = "2999-01-01T00:00:00Z".into();
        stored["license_ends"] = Value::Null;
    });
    let license = stage.pair(&path).1.validate(None).await.unwrap();
    assert_eq!(
        (license.tier.as_str(), &license.features),
        ("standard", &said.features)
    );
    assert_eq!(license.offline_until, said.offline_until);
    stage.app.finish().await;
}

#[tokio::test]
async fn a_lease_is_for_one_machine_one_key_and_one_product() {
    let stage = Stage::set().await;
    let (_directory, path) = cache();
    let (client, _) = stage.pair(&path);
    online(&client, Some("laptop")).await;
    let offline = || stage.pair(&path).1;
    assert_eq!(code(&offline(), Some("phone")).await, "FINGERPRINT_MISMATCH");
    assert_eq!(
        offline().validate_offline(None).await.code,
        "FINGERPRINT_MISMATCH"
    );
    assert_eq!(code(&offline(), Some("laptop")).await, "OK");
    // A lease of no machine replaces none of a machine, and is none.
    online(&client, None).await;
    assert_eq!(code(&offline(), Some("laptop")).await, "OK");
    assert_eq!(code(&offline(), None).await, "OK");
    assert_eq!(code(&offline(), Some("phone")).await, "FINGERPRINT_MISMATCH");

    let other = another(&stage, "PRD", None).await;
    assert_eq!(code(&offline().with_key(&other), None).await, "LEASE_MISSING");
    // Copied to where the lease of another product's key would stand.
    let product = CreateProduct {
        code: "OT".into(),
        name: "x".into(),
        ..CreateProduct::default()
    };
    stage.admin().send(&products::create(&product)).await.unwrap();
    let others_key = another(&stage, "OT", None).await;
    fs::remove_file(&path).unwrap();
    online(&stage.pair(&path).0, None).await;
    let mine = document(&path)["leases"]
        .as_object()
        .unwrap()
        .values()
        .next()
        .unwrap()
        .clone();
    fs::remove_file(&path).unwrap();
    online(&stage.pair(&path).0.with_key(&others_key), None).await;
    edit(&path, |stored| *stored = mine);
    assert_eq!(
        code(&offline().with_key(&others_key), None).await,
        "LEASE_INVALID"
    );
    stage.app.finish().await;
}

#[tokio::test]
async fn a_lease_expires_and_grace_lets_it_go_on_until_the_license_ends() {
    let stage = Stage::set().await;
    let (_directory, path) = cache();
    let (client, offline) = stage.pair(&path);
    let graceful = |settings: LicenseClientBuilder| settings.offline_grace(7 * DAY);
    let (graceful_client, graceful) = stage.pair_with(&path, graceful);
    let until = online(&graceful_client, None).await.offline_until;
    let week_later = online(&client, None).await.offline_until.unwrap() + 7 * DAY;
    assert_eq!(until, Some(week_later));
    let short = another(&stage, "PRD", Some(3)).await;
    online(&client.with_key(&short), None).await;

    stage.sleep(Duration::from_mins(24 * 60 - 1));
    assert_eq!(code(&offline, None).await, "OK");
    stage.sleep(Duration::from_mins(2));
    let license = offline.validate(None).await.unwrap();
    assert_eq!(
        (license.code.as_str(), license.offline_until),
        ("LEASE_EXPIRED", None::<SystemTime>)
    );
    let license = graceful.validate(None).await.unwrap();
    assert_eq!(
        (license.code.as_str(), license.offline_until),
        ("LEASE_GRACE", until)
    );
    assert_eq!(code(&graceful.with_key(&short), None).await, "LEASE_GRACE");
    stage.sleep(2 * DAY);
    assert_eq!(code(&graceful, None).await, "LEASE_GRACE");
    assert_eq!(code(&graceful.with_key(&short), None).await, "LEASE_EXPIRED");
    stage.sleep(5 * DAY);
    assert_eq!(code(&graceful, None).await, "LEASE_EXPIRED");
    stage.app.finish().await;
}

#[tokio::test]
async fn a_clock_that_was_set_back_is_noticed() {
    let stage = Stage::set().await;
    let (_directory, path) = cache();
    let offline = || stage.pair(&path).1;
    let start = stage.clock.now();
    online(&stage.pair(&path).0, None).await;
    stage.sleep(DAY / 2);
    assert_eq!(code(&offline(), None).await, "OK");
    stage.set_back(Duration::from_mins(10));
    assert_eq!(code(&offline(), None).await, "CLOCK_SET_BACK");
    stage.sleep(Duration::from_mins(9));
    assert_eq!(
        code(&offline(), None).await,
        "OK",
        "as far behind as a clock may be"
    );
    // Once it was seen to have expired, an earlier time is no excuse.
    stage.sleep(2 * DAY);
    assert_eq!(code(&offline(), None).await, "LEASE_EXPIRED");
    stage.set_back(2 * DAY);
    assert_eq!(code(&offline(), None).await, "CLOCK_SET_BACK");
    // The server knows better.
    stage.clock.set(start);
    online(&stage.pair(&path).0, None).await;
    assert_eq!(code(&offline(), None).await, "OK");
    // The note of the latest time can be edited; the time in the lease is signed.
    stage.set_back(DAY);
    let mut edited = document(&path);
    edited["seen"] = 0.into();
    fs::write(&path, edited.to_string()).unwrap();
    assert_eq!(code(&offline(), None).await, "CLOCK_SET_BACK");
    stage.app.finish().await;
}

#[tokio::test]
async fn a_refusal_of_the_server_ends_the_lease() {
    let stage = Stage::set().await;
    let (_directory, path) = cache();
    online(&stage.pair(&path).0, None).await;
    stage
        .admin()
        .send(&licenses::suspend(&stage.id, &Reason::default()))
        .await
        .unwrap();
    let refused = stage.pair(&path).0.validate(None).await.unwrap();
    assert_eq!(
        (refused.valid, refused.code.as_str(), refused.offline),
        (false, "SUSPENDED", false)
    );
    assert_eq!(code(&stage.pair(&path).1, None).await, "LEASE_MISSING");
    stage.app.finish().await;
}

#[tokio::test]
async fn a_store_holds_no_key_and_is_its_owners() {
    let stage = Stage::set().await;
    let (_directory, path) = cache();
    online(&stage.pair(&path).0, Some("laptop of Jane")).await;
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains(&stage.key), "{text}");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    // Where there are no files, or they cannot be written, the application goes on.
    let store = Arc::new(MemoryStore::default());
    let on = |url: &str| {
        stage
            .at(url)
            .lease_store_in(Arc::clone(&store) as _)
            .build()
            .unwrap()
    };
    online(&on(stage.url()), None).await;
    assert_eq!(code(&on(NOWHERE), None).await, "OK");
    let (client, _) = stage.pair(&path.join("below a file"));
    online(&client, None).await;
    assert_eq!(client.validate_offline(None).await.code, "OK");
    stage.app.finish().await;
}

#[tokio::test]
async fn pinned_keys_unmask_whoever_is_not_the_vendors_server() {
    let stage = Stage::set().await;
    let jwks = stage.jwks().await;
    let (_directory, path) = cache();
    let mut other: Value = serde_json::from_str(&jwks).unwrap();
    other["keys"][0]["kid"] = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k".into();
    let (client, _) = stage.pair_with(&path, |settings| settings.pinned_jwks(other.to_string()));
    let license = client.validate(None).await.unwrap();
    assert_eq!((license.valid, license.code.as_str()), (false, "LEASE_INVALID"));
    assert!(license.features.is_empty() && !path.exists());

    // What answers say is what was signed.
    let request = ValidateRequest {
        key: stage.key.clone(),
        fingerprint: None,
    };
    let genuine = stage
        .admin()
        .send(&applications::validate(&request))
        .await
        .unwrap();
    let mut forged = genuine.clone();
    forged.features = vec!["sso".into()];
    forged.agents.clear();
    let between = Proxy::start(stage.url()).await;
    let answer = |body: &_| Fault::Reply(200, vec![], serde_json::to_vec(body).unwrap());
    let pinned = stage.at(&between.url).pinned_jwks(&jwks).build().unwrap();
    between.fail([answer(&forged)]);
    let license = pinned.validate(None).await.unwrap();
    assert_eq!((&license.features, license.agents.len()), (&genuine.features, 2));
    // And an old lease is not shown for ever.
    stage.sleep(2 * DAY);
    between.fail([answer(&genuine)]);
    assert_eq!(pinned.validate(None).await.unwrap().code, "LEASE_EXPIRED");

    stage.set_back(2 * DAY);
    let issued_by = |issuer: &str| {
        let settings = stage.at(stage.url()).pinned_jwks(&jwks).issuer(issuer);
        settings.build().unwrap()
    };
    assert_eq!(
        issued_by("test.example/t/default")
            .validate(None)
            .await
            .unwrap()
            .code,
        "OK"
    );
    assert_eq!(
        issued_by("test.example/t/other")
            .validate(None)
            .await
            .unwrap()
            .code,
        "LEASE_INVALID"
    );

    // Whoever has keys and a token can check it without a client.
    let token = genuine.lease.unwrap().token;
    let claims = lease::verify(&token, &KeySet::parse(&jwks).unwrap()).unwrap();
    assert_eq!((claims.sub, claims.aud.as_str()), (stage.id.clone(), "PRD"));
    stage.app.finish().await;
}

#[tokio::test]
async fn new_keys_of_the_server_are_fetched_when_a_lease_names_them() {
    let mut stage = Stage::set().await;
    let (_directory, path) = cache();
    let way = Proxy::start(stage.url()).await;
    let jwks = stage.jwks().await;
    let client = stage.at(&way.url).lease_store(&path).build().unwrap();
    let pinned = stage.at(&way.url).pinned_jwks(jwks).build().unwrap();
    for _ in 0..3 {
        online(&client, None).await;
    }
    assert_eq!(way.count("/.well-known/jwks.json"), 1);

    let database = stage.app.stop().await;
    let secrets = secrets_with(&format!("{NEW_SEED},{SIGNING_KEY}"));
    stage.app = TestApp::start_as(database, server_config(), &secrets).await;
    way.lead_to(stage.url());
    for _ in 0..3 {
        online(&client, None).await;
    }
    assert_eq!(way.count("/.well-known/jwks.json"), 2);
    // It is the new lease, and after a restart it verifies with what was kept.
    let offline = stage.at(NOWHERE).lease_store(&path).build().unwrap();
    assert_eq!(code(&offline, None).await, "OK");
    let kept = document(&path)["jwks"]["keys"].as_array().unwrap().len();
    assert_eq!(kept, 2);
    // Who was given the old key only has to be given the new one.
    assert_eq!(pinned.validate(None).await.unwrap().code, "LEASE_INVALID");
    stage.app.finish().await;
}

#[tokio::test]
async fn without_public_keys_the_servers_word_holds() {
    let stage = Stage::set().await;
    let flaky = Proxy::start(stage.url()).await;
    flaky.break_path("/.well-known/jwks.json", reply(404));
    let client = stage.at(&flaky.url).build().unwrap();
    let license = online(&client, None).await;
    assert_eq!((license.valid, license.offline_until), (true, None));
    assert_eq!(client.validate_offline(None).await.code, "LEASE_MISSING");
    stage.app.finish().await;
}

#[tokio::test]
async fn a_store_is_shared_with_the_python_client() {
    let vector = include_str!("../../../sdk/python/tests/vectors/lease_store.json");
    let vector: Value = serde_json::from_str(vector).unwrap();
    let (_directory, path) = cache();
    fs::create_dir(path.parent().unwrap()).unwrap();
    fs::write(&path, vector["document"].to_string()).unwrap();
    let later = vector["document"]["seen"].as_f64().unwrap() + 120.0;
    for writer in ["rust", "python"] {
        let settings =
            LicenseClient::builder(NOWHERE).license_key(vector[writer]["license_key"].as_str().unwrap());
        let settings = settings
            .clock(move || Duration::from_secs_f64(later))
            .lease_store(&path);
        let fingerprint = vector[writer]["fingerprint"].as_str();
        let license = settings.build().unwrap().validate_offline(fingerprint).await;
        assert_eq!(
            (license.code.as_str(), license.allows("export")),
            ("OK", true),
            "{writer}"
        );
        assert!(license.lease.is_some());
    }
    // What it writes itself is the same but for the time.
    let (mut written, mut read) = (document(&path), vector["document"].clone());
    assert!((written["seen"].take().as_f64().unwrap() - later).abs() < 0.001);
    read["seen"].take();
    assert_eq!(written, read);
}
