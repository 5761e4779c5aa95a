use std::collections::BTreeMap;

use cqrs_es::test::TestFramework;
use serde_json::Map;

use super::*;
use crate::key::KeyDigest;
use crate::license::LicenseStatus;
use crate::product::ProductCode;
use crate::stream::StreamEvent;

type LicenseTest = TestFramework<License>;

fn at() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn content(expires_at: Option<Timestamp>) -> CreateLicense {
    CreateLicense {
        product_id: "0197f0a2-0000-7000-8000-000000000001".parse().unwrap(),
        product_code: ProductCode::parse("PRD").unwrap(),
        customer_id: "0197f0a2-0000-7000-8000-000000000002".parse().unwrap(),
        tier: "standard".into(),
        machines_limit: Some(3),
        expires_at,
        features: Map::new(),
        entitlements: Map::new(),
        metadata: Map::new(),
        key_digest: KeyDigest::of("PRD-A"),
        key_version: 0,
    }
}

fn issued_until(expires_at: Option<Timestamp>) -> LicenseEvent {
    let [event] = <[_; 1]>::try_from(
        License::default()
            .decide(LicenseCommand::Create(Box::new(content(expires_at))), at())
            .unwrap(),
    )
    .unwrap();
    event
}

fn issued() -> LicenseEvent {
    issued_until(Some(time("2027-01-01T00:00:00Z")))
}

fn suspended() -> LicenseEvent {
    LicenseEvent::Suspended(LicenseSuspended { reason: None })
}

fn revoked() -> LicenseEvent {
    LicenseEvent::Revoked(LicenseRevoked { reason: None })
}

fn renewed(expires_at: &str) -> LicenseEvent {
    LicenseEvent::Renewed(LicenseRenewed {
        expires_at: Some(time(expires_at)),
    })
}

fn update(changes: UpdateLicense) -> LicenseCommand {
    LicenseCommand::Update(Box::new(changes))
}

fn given(events: impl Into<Vec<LicenseEvent>>) -> cqrs_es::test::AggregateTestExecutor<License> {
    LicenseTest::with(at()).given(events.into())
}

#[test]
fn a_license_cannot_be_born_expired() {
    LicenseTest::with(at())
        .given_no_previous_events()
        .when(LicenseCommand::Create(Box::new(content(Some(at())))))
        .then_expect_error(LicenseError::ExpiryNotInFuture { expires_at: at() });
}

#[test]
fn suspending_twice_is_said_once() {
    let suspend = || LicenseCommand::Suspend { reason: None };
    given([issued()])
        .when(suspend())
        .then_expect_events(vec![suspended()]);
    given([issued(), suspended()])
        .when(suspend())
        .then_expect_events(vec![]);
}

#[test]
fn reinstating_lifts_a_suspension_only() {
    let reinstate = || LicenseCommand::Reinstate {
        reason: Some("paid".into()),
    };
    let lifted = LicenseEvent::Reinstated(LicenseReinstated {
        reason: Some("paid".into()),
    });
    given([issued(), suspended()])
        .when(reinstate())
        .then_expect_events(vec![lifted]);
    given([issued()]).when(reinstate()).then_expect_events(vec![]);
}

#[test]
fn revocation_is_final() {
    for command in [
        LicenseCommand::Suspend { reason: None },
        LicenseCommand::Reinstate { reason: None },
        LicenseCommand::Renew { expires_at: None },
        LicenseCommand::Extend { days: 1 },
        update(UpdateLicense {
            status: Some(StatusChange::Active),
            ..UpdateLicense::default()
        }),
    ] {
        given([issued(), revoked()])
            .when(command)
            .then_expect_error(LicenseError::Revoked);
    }
    given([issued(), revoked()])
        .when(LicenseCommand::Revoke { reason: None })
        .then_expect_events(vec![]);
}

#[test]
fn extending_counts_from_the_expiry_or_from_now() {
    given([issued()])
        .when(LicenseCommand::Extend { days: 30 })
        .then_expect_events(vec![renewed("2027-01-31T00:00:00Z")]);

    let lapsed = LicenseUpdated {
        expires_at: Some(Some(time("2025-06-01T00:00:00Z"))),
        ..LicenseUpdated::default()
    };
    given([issued(), LicenseEvent::Updated(lapsed)])
        .when(LicenseCommand::Extend { days: 30 })
        .then_expect_events(vec![renewed("2026-01-31T00:00:00Z")]);
    given([issued_until(None)])
        .when(LicenseCommand::Extend { days: 30 })
        .then_expect_events(vec![]);
}

#[test]
fn an_update_records_only_what_changed() {
    let changes = UpdateLicense {
        tier: Some("standard".into()),
        machines_limit: Some(None),
        ..UpdateLicense::default()
    };
    let change = LicenseUpdated {
        machines_limit: Some(None),
        ..LicenseUpdated::default()
    };
    given([issued()])
        .when(update(changes))
        .then_expect_events(vec![LicenseEvent::Updated(change.clone())]);

    let stored = LicenseEvent::Updated(change.clone()).payload();
    assert_eq!(stored, serde_json::json!({"machines_limit": null}));
    let read = LicenseEvent::from_stored("license.updated", 1, stored).unwrap();
    assert_eq!(
        read,
        LicenseEvent::Updated(change),
        "null is unlimited, not absent"
    );
}

#[test]
fn an_update_can_change_fields_and_standing_together() {
    let changes = UpdateLicense {
        tier: Some("gold".into()),
        status: Some(StatusChange::Suspended),
        ..UpdateLicense::default()
    };
    let change = LicenseUpdated {
        tier: Some("gold".into()),
        ..LicenseUpdated::default()
    };
    given([issued()])
        .when(update(changes))
        .then_expect_events(vec![LicenseEvent::Updated(change), suspended()]);
}

#[test]
fn a_deleted_license_takes_no_command() {
    for command in [
        LicenseCommand::Delete,
        LicenseCommand::Revoke { reason: None },
        LicenseCommand::Suspend { reason: None },
        update(UpdateLicense::default()),
        LicenseCommand::RecordValidations {
            outcomes: BTreeMap::new(),
            first_at: at(),
            last_at: at(),
        },
    ] {
        given([issued(), LicenseEvent::Deleted(LicenseDeleted {})])
            .when(command)
            .then_expect_error(LicenseError::NotFound);
    }
}

#[test]
fn validations_are_counted_over_all_outcomes() {
    let outcomes = BTreeMap::from([("OK".to_owned(), 3), ("SUSPENDED".to_owned(), 1)]);
    let command = LicenseCommand::RecordValidations {
        outcomes: outcomes.clone(),
        first_at: at(),
        last_at: at(),
    };
    given([issued()])
        .when(command)
        .then_expect_events(vec![LicenseEvent::Validated(LicenseValidated {
            count: 4,
            outcomes,
            first_at: at(),
            last_at: at(),
        })]);
}

#[test]
fn expiry_is_a_fact_of_time() {
    let expiry = Some(time("2027-01-01T00:00:00Z"));
    let (before, then) = (time("2026-12-31T23:59:59.999999Z"), time("2027-01-01T00:00:00Z"));
    let status = |standing, at| LicenseStatus::of(standing, expiry, at);
    assert_eq!(status(Standing::Active, before), LicenseStatus::Active);
    assert_eq!(status(Standing::Active, then), LicenseStatus::Expired);
    assert_eq!(status(Standing::Suspended, before), LicenseStatus::Suspended);
    assert_eq!(status(Standing::Suspended, then), LicenseStatus::Expired);
    assert_eq!(status(Standing::Revoked, then), LicenseStatus::Revoked);
}
