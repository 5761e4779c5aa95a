//! What a meter answers to a command: refusals first, then facts.

use super::{
    ImportUsage, LimitStanding, Meter, MeterCommand, MeterError, MeterEvent, RecordUsage, UsageImported,
    UsageRecorded, tightest,
};
use crate::stream::{StreamAggregate, aggregate_by_decision};
use crate::{Decimal, Timestamp};

aggregate_by_decision!(Meter, "meter", MeterCommand, MeterEvent, MeterError);

impl StreamAggregate for Meter {
    fn decide(&self, command: MeterCommand, at: Timestamp) -> Result<Vec<MeterEvent>, MeterError> {
        match command {
            MeterCommand::Record(usage) => self.record(*usage, at),
            MeterCommand::Import(usage) => self.import(*usage),
        }
    }
}

impl Meter {
    fn import(&self, usage: ImportUsage) -> Result<Vec<MeterEvent>, MeterError> {
        let total = self.total_with(&usage.value)?;
        Ok(vec![MeterEvent::Imported(UsageImported {
            record_id: usage.record_id,
            license_id: usage.license_id,
            metric: usage.metric,
            value: usage.value,
            total,
            metadata: usage.metadata,
            recorded_at: usage.recorded_at,
        })])
    }

    /// The total after some more use.
    fn total_with(&self, value: &Decimal) -> Result<Decimal, MeterError> {
        if !value.is_positive() {
            return Err(MeterError::NotPositive);
        }
        let total = self.total() + value;
        if total.is_too_large() {
            return Err(MeterError::TotalTooLarge);
        }
        Ok(total)
    }

    fn record(&self, usage: RecordUsage, at: Timestamp) -> Result<Vec<MeterEvent>, MeterError> {
        let total = self.total_with(&usage.value)?;
        for limit in usage.limits.iter().filter(|limit| !limit.overage) {
            let used = self.used(limit.period, at);
            if &used + &usage.value > limit.amount {
                return Err(MeterError::LimitExceeded {
                    total: self.total().clone(),
                    standing: Box::new(LimitStanding::of(limit, used)),
                });
            }
        }
        let limit = tightest(&usage.limits, |period| &self.used(period, at) + &usage.value);
        Ok(vec![MeterEvent::Recorded(UsageRecorded {
            license_id: usage.license_id,
            metric: usage.metric,
            value: usage.value,
            total,
            limit,
            metadata: usage.metadata,
            recorded_at: at,
        })])
    }
}

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;
    use proptest::prelude::*;
    use serde_json::Map;

    use super::*;
    use crate::entitlement::UsageLimit;
    use crate::period::Period;

    const ID: &str = "0197f0a2-0000-7000-8000-000000000001";

    fn at() -> Timestamp {
        "2026-01-31T23:59:59Z".parse().unwrap()
    }

    fn later() -> Timestamp {
        "2026-02-01T00:00:00Z".parse().unwrap()
    }

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn limit(amount: &str, period: Option<Period>) -> UsageLimit {
        UsageLimit {
            amount: decimal(amount),
            overage: false,
            period,
        }
    }

    fn use_of(value: &str, limits: Vec<UsageLimit>) -> MeterCommand {
        MeterCommand::Record(Box::new(RecordUsage {
            license_id: ID.parse().unwrap(),
            metric: "calls".into(),
            value: decimal(value),
            metadata: Map::new(),
            limits,
        }))
    }

    fn used(value: &str, total: &str, limit: Option<[&str; 3]>, at: Timestamp) -> MeterEvent {
        MeterEvent::Recorded(UsageRecorded {
            license_id: ID.parse().unwrap(),
            metric: "calls".into(),
            value: decimal(value),
            total: decimal(total),
            limit: limit.map(|[amount, used, remaining]| LimitStanding {
                amount: decimal(amount),
                used: decimal(used),
                remaining: decimal(remaining),
                period: None,
            }),
            metadata: Map::new(),
            recorded_at: at,
        })
    }

    fn given(events: Vec<MeterEvent>) -> cqrs_es::test::AggregateTestExecutor<Meter> {
        TestFramework::with(at()).given(events)
    }

    #[test]
    fn a_limit_can_be_used_up_and_not_passed() {
        let before = || vec![used("4", "4", None, at())];
        given(before())
            .when(use_of("6", vec![limit("10", None)]))
            .then_expect_events(vec![used("6", "10", Some(["10", "10", "0"]), at())]);
        given(before())
            .when(use_of("6.01", vec![limit("10", None)]))
            .then_expect_error(MeterError::LimitExceeded {
                total: decimal("4"),
                standing: Box::new(LimitStanding {
                    amount: decimal("10"),
                    used: decimal("4"),
                    remaining: decimal("6"),
                    period: None,
                }),
            });
    }

    #[test]
    fn overage_records_past_the_limit() {
        let allowed = UsageLimit {
            overage: true,
            ..limit("10", None)
        };
        given(vec![used("4", "4", None, at())])
            .when(use_of("7", vec![allowed]))
            .then_expect_events(vec![used("7", "11", Some(["10", "11", "0"]), at())]);
    }

    #[test]
    fn the_tightest_of_two_limits_counts() {
        given(vec![])
            .when(use_of("1", vec![limit("10", None), limit("5", None)]))
            .then_expect_events(vec![used("1", "1", Some(["5", "1", "4"]), at())]);
        given(vec![used("4", "4", None, at())])
            .when(use_of("2", vec![limit("10", None), limit("5", None)]))
            .then_expect_error(MeterError::LimitExceeded {
                total: decimal("4"),
                standing: Box::new(LimitStanding {
                    amount: decimal("5"),
                    used: decimal("4"),
                    remaining: decimal("1"),
                    period: None,
                }),
            });
    }

    #[test]
    fn a_new_period_starts_from_nothing_and_the_total_goes_on() {
        let mut meter = Meter::default();
        meter.evolve(used("10", "10", None, at()));
        for period in [Period::Day, Period::Month] {
            assert_eq!(meter.used(Some(period), at()), decimal("10"));
            assert_eq!(meter.used(Some(period), later()), decimal("0"));
        }
        for period in [Period::Week, Period::Year] {
            assert_eq!(meter.used(Some(period), later()), decimal("10"), "{period:?}");
        }
        let monthly = vec![limit("10", Some(Period::Month))];
        assert!(meter.decide(use_of("1", monthly.clone()), at()).is_err());
        let [MeterEvent::Recorded(event)] = &meter.decide(use_of("1", monthly), later()).unwrap()[..] else {
            panic!("one event");
        };
        assert_eq!(event.total, decimal("11"));
        assert_eq!(event.limit.as_ref().unwrap().remaining, decimal("9"));
    }

    #[test]
    fn nothing_less_than_nothing_and_too_much_are_refused() {
        for value in ["0", "-1"] {
            given(vec![])
                .when(use_of(value, vec![]))
                .then_expect_error(MeterError::NotPositive);
        }
        given(vec![used("1e308", "1e308", None, at())])
            .when(use_of("1e308", vec![]))
            .then_expect_error(MeterError::TotalTooLarge);
    }

    proptest! {
        /// Whatever is asked for in whatever order, a hard limit holds, and the total is what was granted.
        #[test]
        fn a_hard_limit_holds(values in prop::collection::vec(1_u32..2_000, 1..100), limit_at in 1_u32..20_000) {
            let limits = vec![limit(&limit_at.to_string(), Some(Period::Day)), limit("15000", None)];
            let mut meter = Meter::default();
            let mut granted = 0;
            for value in values {
                if let Ok(events) = meter.decide(use_of(&value.to_string(), limits.clone()), at()) {
                    granted += u64::from(value);
                    events.into_iter().for_each(|event| meter.evolve(event));
                }
                prop_assert_eq!(meter.total(), &Decimal::from(granted));
                prop_assert!(granted <= u64::from(limit_at.min(15_000)));
            }
            prop_assert_eq!(meter.used(Some(Period::Day), at()), Decimal::from(granted));
        }
    }
}
