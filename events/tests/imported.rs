//! What is imported becomes what it would be, had it been made here.

use serde_json::{Map, json};
use vinzy_events::anomaly::{Anomaly, AnomalyCommand, AnomalyDetected, AnomalyImported, Severity};
use vinzy_events::key::KeyDigest;
use vinzy_events::license::{
    Activate, ActivationImported, CreateLicense, License, LicenseCommand, LicenseError, LicenseImported,
    LicenseStatus, Standing,
};
use vinzy_events::meter::{ImportUsage, Meter, MeterCommand, MeterError, RecordUsage};
use vinzy_events::product::{CreateProduct, Product, ProductCode, ProductCommand, ProductImported, Tiers};
use vinzy_events::stream::StreamAggregate;
use vinzy_events::{Decimal, Period, Timestamp};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn then() -> Timestamp {
    at("2025-05-05T00:00:00Z")
}

fn now() -> Timestamp {
    at("2026-03-01T12:00:00Z")
}

fn object(value: serde_json::Value) -> Map<String, serde_json::Value> {
    value.as_object().unwrap().clone()
}

const ID: &str = "0197f0a2-0000-7000-8000-000000000001";

fn license_imported() -> LicenseImported {
    LicenseImported {
        product_id: ID.parse().unwrap(),
        product_code: ProductCode::parse("PRD").unwrap(),
        customer_id: ID.parse().unwrap(),
        tier: "pro".into(),
        machines_limit: Some(1),
        expires_at: None,
        features: object(json!({"export": true})),
        entitlements: Map::new(),
        metadata: Map::new(),
        standing: Standing::Active,
        key_digest: KeyDigest::of("x"),
        created_at: then(),
        updated_at: None,
        deleted_at: None,
    }
}

fn apply<A: StreamAggregate>(aggregate: &mut A, command: A::Command, at: Timestamp) {
    let events = aggregate
        .decide(command, at)
        .unwrap_or_else(|error| panic!("{error}"));
    events.into_iter().for_each(|event| aggregate.apply(event));
}

fn imported(change: impl FnOnce(&mut LicenseImported)) -> License {
    let mut license = License::default();
    let mut imported = license_imported();
    change(&mut imported);
    apply(&mut license, LicenseCommand::Import(Box::new(imported)), now());
    license
}

fn machine(fingerprint: &str) -> ActivationImported {
    ActivationImported {
        machine_id: ID.parse().unwrap(),
        fingerprint: fingerprint.into(),
        hostname: String::new(),
        platform: String::new(),
        version: None,
        metadata: Map::new(),
        activated_at: then(),
        last_heartbeat_at: None,
        removed_at: None,
    }
}

#[test]
fn an_imported_license_is_the_one_that_would_have_been_issued_then() {
    let mut issued = License::default();
    let content = license_imported();
    let create = CreateLicense {
        product_id: content.product_id,
        product_code: content.product_code,
        customer_id: content.customer_id,
        tier: content.tier,
        machines_limit: content.machines_limit,
        expires_at: content.expires_at,
        features: content.features,
        entitlements: content.entitlements,
        metadata: content.metadata,
        key_digest: content.key_digest,
        key_version: 0,
    };
    apply(&mut issued, LicenseCommand::Create(Box::new(create)), then());
    assert_eq!(imported(|_| ()), issued);

    apply(&mut issued, LicenseCommand::Suspend { reason: None }, now());
    assert_eq!(imported(|license| license.standing = Standing::Suspended), issued);
    apply(&mut issued, LicenseCommand::Revoke { reason: None }, now());
    assert_eq!(imported(|license| license.standing = Standing::Revoked), issued);
    apply(&mut issued, LicenseCommand::Delete, now());
    let deleted = |license: &mut LicenseImported| {
        license.standing = Standing::Revoked;
        license.deleted_at = Some(then());
    };
    assert_eq!(imported(deleted), issued);
}

#[test]
fn an_end_in_the_past_is_taken_and_a_second_import_is_not() {
    let ended = imported(|license| license.expires_at = Some(then()));
    assert_eq!(ended.live().unwrap().status(now()), LicenseStatus::Expired);
    let again = ended.decide(LicenseCommand::Import(Box::new(license_imported())), now());
    assert_eq!(again, Err(LicenseError::AlreadyExists));
}

#[test]
fn imported_machines_keep_their_seats_beyond_the_limit_and_no_more_get_one() {
    let mut license = imported(|_| ());
    for fingerprint in ["a", "b", "a"] {
        apply(
            &mut license,
            LicenseCommand::ImportMachine(Box::new(machine(fingerprint))),
            now(),
        );
    }
    let gone = ActivationImported {
        removed_at: Some(then()),
        ..machine("c")
    };
    apply(&mut license, LicenseCommand::ImportMachine(Box::new(gone)), now());
    assert_eq!(
        license.machines().count(),
        2,
        "a second one with a fingerprint, and one that is gone, have no seat"
    );
    let activate = Activate {
        machine_id: ID.parse().unwrap(),
        fingerprint: "d".into(),
        hostname: String::new(),
        platform: String::new(),
        metadata: Map::new(),
    };
    let refused = license.decide(LicenseCommand::Activate(Box::new(activate)), now());
    assert_eq!(refused, Err(LicenseError::MachineLimitReached { limit: 1 }));

    let mut deleted = imported(|license| license.deleted_at = Some(then()));
    apply(
        &mut deleted,
        LicenseCommand::ImportMachine(Box::new(machine("a"))),
        now(),
    );
    assert_eq!(deleted.machines().count(), 0);
    let none = License::default().decide(LicenseCommand::ImportMachine(Box::new(machine("a"))), now());
    assert_eq!(none, Err(LicenseError::NotFound));
}

#[test]
fn an_imported_product_is_the_one_that_would_have_been_made_then() {
    let code = ProductCode::parse("PRD").unwrap();
    let mut made = Product::default();
    let create = CreateProduct {
        code: code.clone(),
        name: "P".into(),
        description: String::new(),
        default_tier: "pro".into(),
        features: Map::new(),
        tiers: Tiers::default(),
        metadata: Map::new(),
    };
    apply(&mut made, ProductCommand::Create(create), then());
    let content = |deleted_at| ProductImported {
        code: code.clone(),
        name: "P".into(),
        description: String::new(),
        default_tier: "pro".into(),
        features: Map::new(),
        metadata: Map::new(),
        created_at: then(),
        updated_at: None,
        deleted_at,
    };
    let import = |deleted_at| {
        let mut product = Product::default();
        apply(
            &mut product,
            ProductCommand::Import(Box::new(content(deleted_at))),
            now(),
        );
        product
    };
    assert_eq!(import(None), made);
    apply(&mut made, ProductCommand::Delete, now());
    assert_eq!(import(Some(then())), made);
}

fn usage(value: &str, recorded_at: &str) -> MeterCommand {
    MeterCommand::Import(Box::new(ImportUsage {
        record_id: "1".into(),
        license_id: ID.parse().unwrap(),
        metric: "calls".into(),
        value: value.parse().unwrap(),
        metadata: Map::new(),
        recorded_at: at(recorded_at),
    }))
}

#[test]
fn imported_use_counts_in_the_periods_in_which_it_was_recorded() {
    let mut meter = Meter::default();
    let decimal = |text: &str| text.parse::<Decimal>().unwrap();
    apply(&mut meter, usage("1.5", "2026-02-27T00:00:00Z"), now());
    apply(&mut meter, usage("0.1", "2026-03-01T00:00:00Z"), now());
    assert_eq!(meter.used(Some(Period::Month), now()), decimal("0.1"));
    assert_eq!(meter.used(Some(Period::Year), now()), decimal("1.6"));
    let record = RecordUsage {
        license_id: ID.parse().unwrap(),
        metric: "calls".into(),
        value: decimal("2"),
        metadata: Map::new(),
        limits: vec![],
    };
    apply(&mut meter, MeterCommand::Record(Box::new(record)), now());
    // Found late: it belongs to a month that is over.
    apply(&mut meter, usage("10", "2026-02-28T00:00:00Z"), now());
    assert_eq!(meter.used(Some(Period::Month), now()), decimal("2.1"));
    assert_eq!(meter.used(Some(Period::Year), now()), decimal("13.6"));
    assert_eq!((meter.total(), meter.record_count()), (&decimal("13.6"), 4));
    for value in ["0", "-1"] {
        assert_eq!(
            meter.decide(usage(value, "2026-03-01T00:00:00Z"), now()),
            Err(MeterError::NotPositive)
        );
    }
}

#[test]
fn an_imported_anomaly_is_the_one_that_would_have_been_found_but_for_its_cause() {
    let imported = AnomalyImported {
        anomaly_id: ID.parse().unwrap(),
        license_id: ID.parse().unwrap(),
        anomaly_type: "usage_spike".into(),
        severity: Severity::High,
        metric: "calls".into(),
        observed_value: 16.into(),
        baseline_mean: 10.into(),
        baseline_stddev: 2.into(),
        z_score: 3.into(),
        detected_at: then(),
        resolved: None,
    };
    let detected = AnomalyDetected {
        anomaly_id: imported.anomaly_id,
        license_id: imported.license_id,
        anomaly_type: imported.anomaly_type.clone(),
        severity: imported.severity,
        metric: imported.metric.clone(),
        observed_value: imported.observed_value.clone(),
        baseline_mean: imported.baseline_mean.clone(),
        baseline_stddev: imported.baseline_stddev.clone(),
        z_score: imported.z_score.clone(),
        usage_event_id: ID.parse().unwrap(),
        detected_at: then(),
    };
    let (mut one, mut other) = (Anomaly::default(), Anomaly::default());
    apply(&mut one, AnomalyCommand::Import(Box::new(imported)), now());
    apply(&mut other, AnomalyCommand::Detect(Box::new(detected)), now());
    let mut found = other.state().unwrap().clone();
    found.detected.usage_event_id = None;
    assert_eq!(one.state(), Some(&found));
}
