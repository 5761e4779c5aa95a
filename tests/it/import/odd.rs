//! Rows that nobody would make today: each is taken as it is, mended, or not taken with a reason.

use serde_json::{Value, json};
use uuid::Uuid;

use super::old::Old;
use super::{TENANT_KEY, counts, new_database, report, serve};
use crate::support::check_everything;
use crate::support::node::{on_database, vinzy};

/// What is said of a row, by kind.
fn said(report: &Value, kind: &str, id: &str) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["kind"] == kind && finding["id"].as_str().unwrap().starts_with(id))
        .map(|finding| finding["reason"].as_str().unwrap().to_owned())
        .collect()
}

#[track_caller]
fn expect(report: &Value, kind: &str, id: impl ToString, reason: &str) {
    let said = said(report, kind, &id.to_string());
    assert!(
        said.iter().any(|one| one.contains(reason)),
        "{reason}: {said:?} of {report:#}"
    );
}

struct Licenses<'a> {
    old: &'a Old,
    product: Uuid,
    customer: String,
}

impl Licenses<'_> {
    /// A license with its key, changed by an assignment.
    fn with(&self, change: &str) -> (Uuid, Value) {
        let key = self.old.key("PRD", 1);
        let id = self.old.license(&key, self.product, &self.customer, None);
        self.old
            .execute(&format!("UPDATE licenses SET {change} WHERE id = '{id}'"));
        (id, json!(key))
    }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one database with rows of all kinds")]
async fn odd_licenses_keep_their_keys_valid_wherever_that_can_be() {
    let old = Old::empty();
    let product = old.product("PRD", None);
    let customer = old.customer("jane@example.com", None).to_string();
    let licenses = Licenses {
        old: &old,
        product,
        customer,
    };
    let banana = licenses.with("status = 'banana'");
    let orphan = licenses.with("customer_id = '00000000-0000-0000-0000-000000000000'");
    let named = licenses.with("customer_id = 'x'");
    let nobodys = licenses.with("customer_id = NULL");
    let zero = licenses.with("machines_limit = 0");
    let listed =
        licenses.with("features = '[\"export\", \"sso\"]', entitlements = '5', metadata = '{\"a\": NaN}'");
    let scalar = licenses.with("features = '{\"seats\": 5}'");
    let ended = licenses.with("status = 'expired', expires_at = NULL, updated_at = '2025-05-05 00:00:00'");
    let when = licenses.with("expires_at = 'next summer'");
    let lost = licenses.with("product_id = '00000000-0000-0000-0000-000000000001'");
    let plain = licenses.with("key_hash = 'PRD-AAAAA'");
    let upper = licenses.with("key_hash = upper(key_hash), status = 'ACTIVE', tier = ''");
    let twin = licenses.with(&format!(
        "created_at = '2025-12-31 00:00:00', key_hash = (SELECT key_hash FROM licenses WHERE id = '{}')",
        banana.0
    ));
    let crowded = licenses.with("machines_limit = 2");
    (0..4).for_each(|number| {
        old.machine(crowded.0, &format!("machine-{number}"));
    });
    let number = licenses.with("tier = 'x' || char(0) || 'y'");
    old.execute(&format!("UPDATE licenses SET id = 17 WHERE id = '{}'", number.0));
    let (huge, _) = licenses.with(&format!("metadata = '{{\"a\": \"{}\"}}'", "x".repeat(70_000)));

    let database = new_database().await;
    let from = format!("sqlite:{}", old.path.display());
    let dry = report(&database, &from, &["--dry-run"], 1).await;
    let done = report(&database, &from, &[], 1).await;
    assert_eq!(dry["findings"], done["findings"]);
    assert_eq!(done["all_taken"], false);
    expect(
        &done,
        "mended",
        banana.0,
        "its status \"banana\" is unknown: it is active",
    );
    expect(
        &done,
        "mended",
        orphan.0,
        "its customer 00000000-0000-0000-0000-000000000000 is not there: one was made",
    );
    expect(
        &done,
        "mended",
        named.0,
        "is not there: one was made in its place",
    );
    expect(&done, "mended", nobodys.0, "it has no customer");
    expect(&done, "mended", zero.0, "its machines_limit 0 is 1");
    expect(&done, "mended", listed.0, "its features are a list");
    expect(
        &done,
        "mended",
        listed.0,
        "its entitlements are no object, and were left out",
    );
    expect(&done, "mended", listed.0, "its metadata is not JSON");
    expect(
        &done,
        "mended",
        scalar.0,
        "\"seats\" is neither true, false nor an object: it is on",
    );
    expect(
        &done,
        "mended",
        ended.0,
        "its status was expired although its end was not reached",
    );
    expect(&done, "noted", crowded.0, "more machines than it allows");
    expect(&done, "mended", "17", "its id is no UUID");
    expect(&done, "mended", "17", "its tier held U+0000");
    expect(&done, "not_taken", when.0, "its expires_at is not a time");
    expect(
        &done,
        "not_taken",
        lost.0,
        "its product 00000000-0000-0000-0000-000000000001 is not known",
    );
    expect(&done, "not_taken", plain.0, "its key is not stored as SHA-256");
    expect(
        &done,
        "not_taken",
        twin.0,
        &format!("its key is that of license {}", banana.0),
    );
    expect(&done, "not_taken", huge, "larger than an event");
    assert_eq!(
        (
            counts(&done, "not_taken")["licenses"],
            counts(&done, "made")["customers"]
        ),
        (5, 3)
    );

    let mut people = vinzy();
    on_database(&mut people, &database.url()).args(["import", "--from", &from]);
    let output = super::output(people).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains(&format!(
            "Not taken:\n  licenses {}",
            when.0.min(lost.0).min(plain.0).min(twin.0).min(huge)
        )) || text.contains("Not taken:\n"),
        "{text}"
    );

    let node = serve(&database);
    for (license, code) in [
        (&banana, "OK"),
        (&orphan, "OK"),
        (&named, "OK"),
        (&nobodys, "OK"),
        (&zero, "OK"),
        (&listed, "OK"),
        (&scalar, "OK"),
        (&ended, "EXPIRED"),
        (&upper, "OK"),
        (&crowded, "OK"),
        (&number, "OK"),
        (&when, "NOT_FOUND"),
    ] {
        let answer = node.client.validate(&license.1).await;
        assert_eq!(answer["code"], code, "{}: {answer}", license.0);
    }
    let listed = node.client.validate(&listed.1).await;
    assert_eq!(listed["features"], json!(["export", "sso"]));
    assert_eq!(listed["license"]["metadata"], json!({"imported": "{\"a\": NaN}"}));
    assert_eq!(node.client.validate(&number.1).await["license"]["tier"], "xy");
    assert_eq!(
        node.client.validate(&upper.1).await["license"]["tier"],
        "standard"
    );
    assert_eq!(node.client.activate(&zero.1, "one").await["code"], "ACTIVATED");
    assert_eq!(
        node.client.activate(&zero.1, "two").await["code"],
        "ACTIVATION_LIMIT"
    );
    let crowd = node.client.validate(&crowded.1).await;
    assert_eq!(crowd["license"]["machines_used"], 4);
    assert_eq!(
        node.client.activate(&crowded.1, "machine-3").await["code"],
        "ALREADY_ACTIVATED"
    );
    assert_eq!(
        node.client.activate(&crowded.1, "machine-4").await["code"],
        "ACTIVATION_LIMIT"
    );
    assert!(node.terminate().success());
    check_everything(&database).await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one database with rows of all kinds")]
async fn odd_rows_of_other_tables_are_mended_or_told() {
    let old = Old::empty();
    let tenant = old.tenant("Acme_Inc", TENANT_KEY);
    let hashless = old.tenant("other", "");
    old.execute(&format!(
        "UPDATE tenants SET api_key_hash = 'bcrypt$2b$', hmac_key_version = 9 WHERE id = '{hashless}'"
    ));
    let product = old.product("PRD", None);
    let lower = old.product("abcd", None);
    let second = old.product("PRD", None);
    old.execute(&format!(
        "UPDATE products SET created_at = '2026-01-01 00:00:00' WHERE id = '{second}'"
    ));
    let numbered = old.product("P1", None);
    let foreign = old.product("PRD", Some(old.id()));
    let jane = old.customer("jane@example.com", None);
    let again = old.customer("JANE@Example.com", None);
    old.execute(&format!(
        "UPDATE customers SET created_at = '2026-01-01 00:00:00' WHERE id = '{again}'"
    ));
    let nowhere = old.customer("not-an-email", None);
    let theirs = old.customer("jane@example.com", Some(tenant));
    let key = old.key("PRD", 0);
    let license = old.license(&key, product, &jane.to_string(), None);
    let late = old.license(&old.key("PRD", 0), product, &nowhere.to_string(), None);
    old.execute(&format!(
        "UPDATE licenses SET deleted_at = '2025-08-01 00:00:00' WHERE id = '{late}'"
    ));
    let desk = old.machine(license, "desk");
    let copy = old.machine(license, "desk");
    old.execute(&format!(
        "UPDATE machines SET created_at = '2025-09-01 00:00:00' WHERE id = '{copy}'"
    ));
    let faceless = old.machine(license, "");
    let stray = old.machine(old.id(), "stray");
    let left = old.machine(late, "left");
    for (value, seconds) in [
        ("0.1", 1),
        ("0.2", 2),
        ("0", 3),
        ("-1", 4),
        ("9e999", 5),
        ("'many'", 6),
    ] {
        old.execute(&format!(
            "INSERT INTO usage_records VALUES ('u{seconds}', '{license}', 'gb', {value}, NULL, '2025-03-0{seconds} 00:00:00')"
        ));
    }
    old.execute(&format!(
        "INSERT INTO anomalies VALUES
             ('{one}', '{license}', 'usage_spike', 'critical', 'gb', 999.0, 10.0, 0.0, 1000.0, '{{}}', 1, 'ops',
              '2025-03-03 00:00:00', '2025-03-02 00:00:00'),
             ('{two}', '{license}', 'usage_spike', 'enormous', 'gb', 2.5, 10.0, 2.0, 15.0, '{{}}', 0, NULL, NULL,
              '2025-03-04 00:00:00');
         INSERT INTO webhook_endpoints VALUES
             ('{three}', NULL, 'https://hooks.example.com/a', '0123456789abcdef', 'd', '[\"license.created\", \"license.sneezed\"]',
              'active', 0, 2, '2025-01-01', '2025-01-02'),
             ('{four}', '{tenant}', 'https://hooks.example.com/b', 'short', 'd', '[]', 'active', 99, 999, '2025-01-01', NULL),
             ('{five}', NULL, 'ftp://hooks.example.com/c', '0123456789abcdef', 'd', '[]', 'active', 0, 2, '2025-01-01', NULL),
             ('{six}', NULL, 'https://hooks.example.com/d', '0123456789abcdef', 'd', '[\"nope\"]', 'inactive', 0, 2, '2025-01-01',
              NULL);",
        one = Uuid::from_u128(1), two = Uuid::from_u128(2), three = Uuid::from_u128(3),
        four = Uuid::from_u128(4), five = Uuid::from_u128(5), six = Uuid::from_u128(6),
    ));
    let database = new_database().await;
    let from = format!("sqlite:{}", old.path.display());
    let dry = report(&database, &from, &["--dry-run"], 1).await;
    let done = report(&database, &from, &[], 1).await;
    assert_eq!(dry["findings"], done["findings"]);
    for (kind, id, reason) in [
        ("mended", tenant, "its slug \"Acme_Inc\" is acme-inc here"),
        ("mended", hashless, "its API key is not stored as SHA-256"),
        ("mended", hashless, "there is no HMAC key of its version 9"),
        ("mended", lower, "its code \"abcd\" is ABC here"),
        ("not_taken", second, "its code PRD belongs to another product"),
        (
            "not_taken",
            numbered,
            "its code \"P1\" must be one to three letters",
        ),
        ("not_taken", foreign, "is not known"),
        ("mended", again, "another customer has its e-mail address"),
        ("mended", nowhere, "its e-mail address is none"),
        (
            "mended",
            copy,
            &*format!("machine {desk} of its license has the same fingerprint"),
        ),
        (
            "not_taken",
            faceless,
            "its fingerprint must have 1 to 255 characters",
        ),
        ("not_taken", stray, "its license is not known"),
        ("mended", left, "its license is deleted"),
        (
            "mended",
            Uuid::from_u128(2),
            "its severity \"enormous\" is unknown: it is high",
        ),
        (
            "mended",
            Uuid::from_u128(3),
            "there are no events \"license.sneezed\"",
        ),
        ("mended", Uuid::from_u128(4), "its secret cannot sign"),
        ("mended", Uuid::from_u128(4), "its timeout_seconds 999 is 60"),
        ("not_taken", Uuid::from_u128(5), "its URL must begin with http"),
        (
            "not_taken",
            Uuid::from_u128(6),
            "it is subscribed to nothing that there is",
        ),
    ] {
        expect(&done, kind, id, reason);
    }
    for (record, reason) in [
        ("u3", "not more than 0"),
        ("u4", "not more than 0"),
        ("u5", "finite"),
        ("u6", "finite"),
    ] {
        expect(&done, "not_taken", record, reason);
    }
    assert!(!done.to_string().contains("jane@example.com") && !done.to_string().contains("not-an-email"));

    let node = serve(&database);
    let usage = node.client.get(&format!("/usage/{license}")).await.expect(200);
    assert_eq!(usage[0]["total_value"], 0.3, "exact decimals");
    assert_eq!(usage[0]["record_count"], 2);
    let customers = node.client.get("/customers").await.expect(200);
    let mut emails: Vec<_> = customers
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["email"].clone())
        .collect();
    emails.sort_by_key(ToString::to_string);
    let mut expected = vec![
        json!("jane@example.com"),
        json!(format!("{again}@import.invalid")),
        json!(format!("{nowhere}@import.invalid")),
    ];
    expected.sort_by_key(ToString::to_string);
    assert_eq!(emails, expected);
    let again = node.client.get(&format!("/customers/{again}")).await.expect(200);
    assert_eq!(again["metadata"], json!({"imported_email": "JANE@Example.com"}));
    let leaves = "SELECT count(*) FROM events WHERE convert_from(leaf, 'UTF8') ILIKE '%jane@%'";
    assert_eq!(database.count(leaves).await, 0, "no address stands in a ledger");

    let machines = node
        .client
        .get(&format!("/licenses/{license}/machines"))
        .await
        .expect(200);
    assert_eq!(machines.as_array().unwrap().len(), 1);
    assert_eq!(machines[0]["id"], desk.to_string());
    let anomalies = node.client.get("/anomalies").await.expect(200);
    let found: Vec<_> = anomalies
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (&one["severity"], &one["resolved"]))
        .collect();
    assert_eq!(
        found,
        [
            (&json!("high"), &json!(false)),
            (&json!("critical"), &json!(true))
        ]
    );
    assert_eq!(anomalies[1]["resolved_by"], "ops");
    let context = format!("/anomalies/{}/context", Uuid::from_u128(2));
    assert_eq!(node.client.get(&context).await.expect(200)["values"], json!([]));
    let resolved = format!("/anomalies/{}/resolve", Uuid::from_u128(2));
    node.client
        .post(&resolved, &json!({"resolved_by": "me"}))
        .await
        .expect(200);

    let hooks = node.client.get("/webhooks").await.expect(200);
    assert_eq!(hooks.as_array().unwrap().len(), 1);
    assert_eq!(
        (&hooks[0]["event_types"], &hooks[0]["status"]),
        (&json!(["license.created"]), &json!("active"))
    );
    let of_tenant = node.client.with_key(&json!(TENANT_KEY));
    let hooks = of_tenant.get("/webhooks").await.expect(200);
    assert_eq!(
        (&hooks[0]["status"], &hooks[0]["max_retries"]),
        (&json!("paused"), &json!(50))
    );
    assert_eq!(
        of_tenant.get(&format!("/customers/{theirs}")).await.expect(200)["email"],
        "jane@example.com"
    );
    assert!(node.terminate().success());
    check_everything(&database).await;
    database.drop().await;
}
