use std::collections::BTreeSet;

use cqrs_es::test::TestFramework;
use uuid::Uuid;

use super::*;
use crate::SecretId;
use crate::endpoint::EventPattern;

type EndpointTest = TestFramework<Endpoint>;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn start() -> Timestamp {
    at("2026-01-01T00:00:00Z")
}

fn secret(number: u128) -> SecretId {
    Uuid::from_u128(number).into()
}

fn patterns(texts: &[&str]) -> BTreeSet<EventPattern> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn content() -> CreateEndpoint {
    CreateEndpoint {
        url: "https://example.com/hook".into(),
        description: "shop".into(),
        event_types: patterns(&["license.*"]),
        max_retries: Some(3),
        timeout_seconds: 10,
        secret_id: secret(1),
    }
}

fn created() -> EndpointEvent {
    EndpointEvent::Created(EndpointCreated {
        url: "https://example.com/hook".into(),
        description: "shop".into(),
        event_types: patterns(&["license.*"]),
        max_retries: Some(3),
        timeout_seconds: 10,
        secret_id: secret(1),
        created_at: start(),
    })
}

fn status(status: EndpointStatus) -> UpdateEndpoint {
    UpdateEndpoint {
        status: Some(status),
        ..UpdateEndpoint::default()
    }
}

fn updated_to(status: EndpointStatus) -> EndpointEvent {
    EndpointEvent::Updated(EndpointUpdated {
        status: Some(status),
        ..nothing(start())
    })
}

fn disabled(reason: DisableReason) -> EndpointEvent {
    EndpointEvent::Disabled(EndpointDisabled {
        reason,
        disabled_at: start(),
    })
}

fn rotated(number: u128, until: &str) -> EndpointEvent {
    EndpointEvent::SecretRotated(EndpointSecretRotated {
        secret_id: secret(number),
        previous_valid_until: at(until),
        rotated_at: start(),
    })
}

fn deleted() -> EndpointEvent {
    EndpointEvent::Deleted(EndpointDeleted { deleted_at: start() })
}

fn after(events: impl IntoIterator<Item = EndpointEvent>) -> EndpointState {
    let mut endpoint = Endpoint::default();
    events.into_iter().for_each(|event| endpoint.evolve(event));
    endpoint.state().unwrap().clone()
}

#[test]
fn a_new_endpoint_is_set_up_once_and_is_active() {
    EndpointTest::with(start())
        .given_no_previous_events()
        .when(EndpointCommand::Create(content()))
        .then_expect_events(vec![created()]);
    EndpointTest::with(start())
        .given(vec![created()])
        .when(EndpointCommand::Create(content()))
        .then_expect_error(EndpointError::AlreadyExists);
    assert_eq!(after([created()]).status, EndpointStatus::Active);
}

#[test]
fn an_update_says_what_changed_and_nothing_else() {
    let changes = UpdateEndpoint {
        url: Some("https://example.com/hook".into()),
        description: Some("new".into()),
        max_retries: Some(None),
        timeout_seconds: Some(10),
        ..UpdateEndpoint::default()
    };
    EndpointTest::with(start())
        .given(vec![created()])
        .when(EndpointCommand::Update(changes.clone()))
        .then_expect_events(vec![EndpointEvent::Updated(EndpointUpdated {
            description: Some("new".into()),
            max_retries: Some(None),
            ..nothing(start())
        })]);
    let same = UpdateEndpoint {
        description: Some("shop".into()),
        event_types: Some(patterns(&["license.*"])),
        status: Some(EndpointStatus::Active),
        ..UpdateEndpoint::default()
    };
    EndpointTest::with(start())
        .given(vec![created()])
        .when(EndpointCommand::Update(same))
        .then_expect_events(vec![]);
}

#[test]
fn pausing_and_resuming_are_updates() {
    EndpointTest::with(start())
        .given(vec![created()])
        .when(EndpointCommand::Update(status(EndpointStatus::Paused)))
        .then_expect_events(vec![updated_to(EndpointStatus::Paused)]);
    EndpointTest::with(start())
        .given(vec![created(), updated_to(EndpointStatus::Paused)])
        .when(EndpointCommand::Update(status(EndpointStatus::Active)))
        .then_expect_events(vec![updated_to(EndpointStatus::Active)]);
}

#[test]
fn an_endpoint_is_disabled_once_and_says_why() {
    EndpointTest::with(start())
        .given(vec![created()])
        .when(EndpointCommand::Disable {
            reason: DisableReason::Gone,
        })
        .then_expect_events(vec![disabled(DisableReason::Gone)]);
    EndpointTest::with(start())
        .given(vec![created(), disabled(DisableReason::Gone)])
        .when(EndpointCommand::Disable {
            reason: DisableReason::Failing,
        })
        .then_expect_events(vec![]);
    EndpointTest::with(start())
        .given(vec![created()])
        .when(EndpointCommand::Update(status(EndpointStatus::Disabled)))
        .then_expect_events(vec![disabled(DisableReason::Requested)]);
    let state = after([created(), disabled(DisableReason::Gone)]);
    assert_eq!(state.status, EndpointStatus::Disabled);
    assert_eq!(
        state.disabled.map(|disabled| disabled.reason),
        Some(DisableReason::Gone)
    );
}

#[test]
fn taking_it_up_again_forgives_what_was_before() {
    let later = at("2026-01-20T00:00:00Z");
    let resumed = EndpointEvent::Updated(EndpointUpdated {
        status: Some(EndpointStatus::Active),
        ..nothing(later)
    });
    let state = after([created(), disabled(DisableReason::Failing), resumed]);
    assert_eq!(
        (state.status, state.disabled, state.active_since),
        (EndpointStatus::Active, None, later)
    );
    let described = EndpointEvent::Updated(EndpointUpdated {
        description: Some("x".into()),
        ..nothing(later)
    });
    assert_eq!(after([created(), described]).active_since, start());
}

#[test]
fn a_rotated_secret_signs_for_the_overlap_only() {
    let rotate = |overlap_seconds| EndpointCommand::RotateSecret {
        secret_id: secret(2),
        overlap_seconds,
    };
    EndpointTest::with(start())
        .given(vec![created()])
        .when(rotate(60))
        .then_expect_events(vec![rotated(2, "2026-01-01T00:01:00Z")]);
    let state = after([created(), rotated(2, "2026-01-01T00:01:00Z")]);
    assert_eq!(state.secret_id, secret(2));
    assert_eq!(state.previous.map(|previous| previous.secret_id), Some(secret(1)));
    let state = after([
        created(),
        rotated(2, "2026-01-01T00:01:00Z"),
        rotated(3, "2026-01-01T00:00:00Z"),
    ]);
    assert_eq!((state.secret_id, state.previous), (secret(3), None));
}

#[test]
fn what_was_removed_takes_no_command() {
    for command in [
        EndpointCommand::Update(status(EndpointStatus::Paused)),
        EndpointCommand::RotateSecret {
            secret_id: secret(2),
            overlap_seconds: 0,
        },
        EndpointCommand::Disable {
            reason: DisableReason::Gone,
        },
        EndpointCommand::Delete,
    ] {
        EndpointTest::with(start())
            .given(vec![created(), deleted()])
            .when(command.clone())
            .then_expect_error(EndpointError::NotFound);
        EndpointTest::with(start())
            .given_no_previous_events()
            .when(command)
            .then_expect_error(EndpointError::NotFound);
    }
}
