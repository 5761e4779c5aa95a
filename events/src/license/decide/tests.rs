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

fn machine(number: u8) -> crate::MachineId {
    format!("0197f0a2-0000-7000-8000-0000000001{number:02}")
        .parse()
        .unwrap()
}

fn activate(fingerprint: &str, number: u8) -> LicenseCommand {
    LicenseCommand::Activate(Box::new(Activate {
        machine_id: machine(number),
        fingerprint: fingerprint.into(),
        hostname: "host".into(),
        platform: "linux".into(),
        metadata: Map::new(),
    }))
}

fn activated(fingerprint: &str, number: u8) -> LicenseEvent {
    LicenseEvent::ActivationCreated(ActivationCreated {
        machine_id: machine(number),
        fingerprint: fingerprint.into(),
        hostname: "host".into(),
        platform: "linux".into(),
        metadata: Map::new(),
        activated_at: at(),
    })
}

fn removed(fingerprint: &str, number: u8) -> LicenseEvent {
    LicenseEvent::ActivationRemoved(ActivationRemoved {
        machine_id: machine(number),
        fingerprint: fingerprint.into(),
    })
}

fn beat(at: Timestamp, version: Option<&str>) -> LicenseEvent {
    LicenseEvent::Heartbeat(ActivationHeartbeat {
        machine_id: machine(1),
        fingerprint: "m1".into(),
        version: version.map(str::to_owned),
        at,
    })
}

fn heartbeat(fingerprint: &str, version: Option<&str>) -> LicenseCommand {
    LicenseCommand::Heartbeat {
        fingerprint: fingerprint.into(),
        version: version.map(str::to_owned),
    }
}

#[test]
fn seats_are_taken_up_to_the_limit_and_once_per_machine() {
    given([issued()])
        .when(activate("m1", 1))
        .then_expect_events(vec![activated("m1", 1)]);
    let full = || {
        [
            issued(),
            activated("m1", 1),
            activated("m2", 2),
            activated("m3", 3),
        ]
    };
    given(full())
        .when(activate("m4", 4))
        .then_expect_error(LicenseError::MachineLimitReached { limit: 3 });
    given(full()).when(activate("m1", 4)).then_expect_events(vec![]);
    let one_left = [&full()[..], &[removed("m2", 2)]].concat();
    given(one_left)
        .when(activate("m4", 4))
        .then_expect_events(vec![activated("m4", 4)]);
}

#[test]
fn a_lower_limit_takes_no_seat_away_but_gives_none() {
    let lowered = LicenseEvent::Updated(LicenseUpdated {
        machines_limit: Some(Some(1)),
        ..LicenseUpdated::default()
    });
    let events = || vec![issued(), activated("m1", 1), activated("m2", 2), lowered.clone()];
    given(events()).when(activate("m2", 9)).then_expect_events(vec![]);
    given(events())
        .when(activate("m3", 3))
        .then_expect_error(LicenseError::MachineLimitReached { limit: 1 });
}

#[test]
fn a_license_that_is_not_in_force_takes_no_activation_and_no_heartbeat() {
    let deleted = || LicenseEvent::Deleted(LicenseDeleted {});
    for (event, error) in [
        (suspended(), LicenseError::Suspended),
        (revoked(), LicenseError::Revoked),
        (renewed("2026-01-01T00:00:00Z"), LicenseError::Expired),
        (deleted(), LicenseError::NotFound),
    ] {
        let events = || vec![issued(), activated("m1", 1), event.clone()];
        given(events()).when(activate("m1", 2)).then_expect_error(error);
        given(events()).when(activate("m2", 2)).then_expect_error(error);
        given(events())
            .when(heartbeat("m1", None))
            .then_expect_error(error);
        let give_up = LicenseCommand::Deactivate {
            fingerprint: "m1".into(),
        };
        match error {
            LicenseError::NotFound => given(events()).when(give_up).then_expect_error(error),
            _ => given(events())
                .when(give_up)
                .then_expect_events(vec![removed("m1", 1)]),
        }
    }
}

#[test]
fn a_seat_is_given_up_by_fingerprint_or_taken_away_by_id() {
    let events = || [issued(), activated("m1", 1)];
    let remove = |number| LicenseCommand::RemoveMachine {
        machine_id: machine(number),
    };
    given(events())
        .when(remove(1))
        .then_expect_events(vec![removed("m1", 1)]);
    given(events())
        .when(remove(2))
        .then_expect_error(LicenseError::MachineNotActivated);
    given(events())
        .when(LicenseCommand::Deactivate {
            fingerprint: "m2".into(),
        })
        .then_expect_error(LicenseError::MachineNotActivated);
}

#[test]
fn heartbeats_are_noted_once_a_minute_or_when_the_version_changes() {
    let ago = |seconds: i64| Timestamp::from_micros(at().as_micros() - seconds * 1_000_000).unwrap();
    let with = |event| vec![issued(), activated("m1", 1), event];
    given([issued(), activated("m1", 1)])
        .when(heartbeat("m1", Some("1.0")))
        .then_expect_events(vec![beat(at(), Some("1.0"))]);
    given(with(beat(ago(59), Some("1.0"))))
        .when(heartbeat("m1", Some("1.0")))
        .then_expect_events(vec![]);
    given(with(beat(ago(59), Some("1.0"))))
        .when(heartbeat("m1", Some("1.1")))
        .then_expect_events(vec![beat(at(), Some("1.1"))]);
    given(with(beat(ago(60), Some("1.0"))))
        .when(heartbeat("m1", None))
        .then_expect_events(vec![beat(at(), None)]);
    given([issued(), activated("m1", 1)])
        .when(heartbeat("m2", None))
        .then_expect_error(LicenseError::MachineNotActivated);
}

#[test]
fn a_snapshot_of_an_older_shape_is_not_mistaken_for_an_empty_license() {
    let mut license = License::default();
    license.evolve(issued());
    license.evolve(activated("m1", 1));
    let snapshot = serde_json::to_value(&license).unwrap();
    assert_eq!(
        serde_json::from_value::<License>(snapshot.clone()).unwrap(),
        license
    );
    assert!(serde_json::from_value::<License>(snapshot["state"].clone()).is_err());
}

proptest::proptest! {
    /// Whatever comes in whatever order: never more machines than the limit, and none twice.
    #[test]
    fn the_limit_holds(steps in proptest::collection::vec((0_u8..12, proptest::bool::weighted(0.7)), 1..200)) {
        let mut license = License::default();
        license.evolve(issued());
        let mut seats = std::collections::BTreeSet::new();
        for (number, comes) in steps {
            let fingerprint = format!("m{number}");
            let command = if comes {
                activate(&fingerprint, number)
            } else {
                LicenseCommand::Deactivate { fingerprint: fingerprint.clone() }
            };
            let decided = license.decide(command, at());
            if comes {
                proptest::prop_assert_eq!(decided.is_ok(), seats.contains(&number) || seats.len() < 3);
            }
            for event in decided.unwrap_or_default() {
                if comes { seats.insert(number); } else { seats.remove(&number); }
                license.evolve(event);
            }
            proptest::prop_assert_eq!(license.machines().count() as usize, seats.len());
            proptest::prop_assert!(seats.len() <= 3);
        }
    }
}
