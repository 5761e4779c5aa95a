//! What an anomaly answers to a command.

use super::{Anomaly, AnomalyCommand, AnomalyError, AnomalyEvent, AnomalyResolved};
use crate::Timestamp;
use crate::stream::{StreamAggregate, aggregate_by_decision};

aggregate_by_decision!(Anomaly, "anomaly", AnomalyCommand, AnomalyEvent, AnomalyError);

impl StreamAggregate for Anomaly {
    fn decide(&self, command: AnomalyCommand, at: Timestamp) -> Result<Vec<AnomalyEvent>, AnomalyError> {
        match (command, self.state()) {
            (AnomalyCommand::Detect(_) | AnomalyCommand::Import(_), Some(_)) => {
                Err(AnomalyError::AlreadyDetected)
            }
            (AnomalyCommand::Detect(detected), None) => Ok(vec![AnomalyEvent::Detected(detected)]),
            (AnomalyCommand::Import(imported), None) => Ok(vec![AnomalyEvent::Imported(imported)]),
            (AnomalyCommand::Resolve { .. }, None) => Err(AnomalyError::NotFound),
            (AnomalyCommand::Resolve { resolved_by }, Some(state)) => Ok(match state.resolved {
                Some(_) => vec![],
                None => vec![AnomalyEvent::Resolved(AnomalyResolved {
                    resolved_by,
                    resolved_at: at,
                })],
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;

    use super::super::{AnomalyDetected, Severity, anomaly_id};
    use super::*;
    use crate::EventId;

    fn at() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn cause() -> EventId {
        "0197f0a2-0000-7000-8000-000000000009".parse().unwrap()
    }

    fn detected() -> AnomalyDetected {
        AnomalyDetected {
            anomaly_id: anomaly_id(cause(), at()),
            license_id: "0197f0a2-0000-7000-8000-000000000001".parse().unwrap(),
            anomaly_type: "usage_spike".into(),
            severity: Severity::High,
            metric: "calls".into(),
            observed_value: 16.into(),
            baseline_mean: 10.into(),
            baseline_stddev: 2.into(),
            z_score: 3.into(),
            usage_event_id: cause(),
            detected_at: at(),
        }
    }

    fn resolved(by: &str) -> AnomalyEvent {
        AnomalyEvent::Resolved(AnomalyResolved {
            resolved_by: by.into(),
            resolved_at: at(),
        })
    }

    fn resolve(by: &str) -> AnomalyCommand {
        AnomalyCommand::Resolve {
            resolved_by: by.into(),
        }
    }

    fn given(events: Vec<AnomalyEvent>) -> cqrs_es::test::AggregateTestExecutor<Anomaly> {
        TestFramework::with(at()).given(events)
    }

    #[test]
    fn an_anomaly_is_found_once() {
        let detect = || AnomalyCommand::Detect(Box::new(detected()));
        given(vec![])
            .when(detect())
            .then_expect_events(vec![AnomalyEvent::Detected(Box::new(detected()))]);
        given(vec![AnomalyEvent::Detected(Box::new(detected()))])
            .when(detect())
            .then_expect_error(AnomalyError::AlreadyDetected);
    }

    #[test]
    fn it_is_resolved_once_and_only_after_it_was_found() {
        given(vec![])
            .when(resolve("ops"))
            .then_expect_error(AnomalyError::NotFound);
        given(vec![AnomalyEvent::Detected(Box::new(detected()))])
            .when(resolve("ops"))
            .then_expect_events(vec![resolved("ops")]);
        given(vec![
            AnomalyEvent::Detected(Box::new(detected())),
            resolved("ops"),
        ])
        .when(resolve("another"))
        .then_expect_events(vec![]);
    }

    #[test]
    fn its_id_is_a_uuid_v7_that_derives_from_the_cause() {
        let id = anomaly_id(cause(), at());
        assert_eq!(id, anomaly_id(cause(), at()));
        assert_eq!(id.as_uuid().get_version_num(), 7);
        let other = "0197f0a2-0000-7000-8000-00000000000a".parse().unwrap();
        assert_ne!(id, anomaly_id(other, at()));
    }
}
