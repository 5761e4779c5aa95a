//! A meter as its events have made it.

use serde::{Deserialize, Serialize};

use super::{Counted, MeterEvent};
use crate::period::Period;
use crate::{Decimal, Timestamp};

/// The meter aggregate. It counts every calendar period, because what a limit is for can change.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Meter {
    total: Decimal,
    record_count: u64,
    day: Counter,
    week: Counter,
    month: Counter,
    year: Counter,
}

/// The use in one period.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Counter {
    /// When the period began; `None` before any use.
    start: Option<Timestamp>,
    total: Decimal,
}

impl Meter {
    /// The use in all.
    pub const fn total(&self) -> &Decimal {
        &self.total
    }

    /// How often use was recorded.
    pub const fn record_count(&self) -> u64 {
        self.record_count
    }

    /// The use that counts at `at`: in the period that contains `at`, or in all.
    pub fn used(&self, period: Option<Period>, at: Timestamp) -> Decimal {
        let Some(period) = period else {
            return self.total.clone();
        };
        let counter = match period {
            Period::Day => &self.day,
            Period::Week => &self.week,
            Period::Month => &self.month,
            Period::Year => &self.year,
        };
        if counter.start == Some(period.start(at)) {
            counter.total.clone()
        } else {
            Decimal::default()
        }
    }

    /// Follows one event. The validation directory uses the same function.
    pub fn evolve(&mut self, event: MeterEvent) {
        let Counted {
            value, recorded_at, ..
        } = event.into();
        self.total = &self.total + &value;
        self.record_count += 1;
        for (period, counter) in [
            (Period::Day, &mut self.day),
            (Period::Week, &mut self.week),
            (Period::Month, &mut self.month),
            (Period::Year, &mut self.year),
        ] {
            counter.add(period.start(recorded_at), &value);
        }
    }
}

impl Counter {
    /// What belongs to a period before the one that is counted is of no account: it was imported late.
    fn add(&mut self, start: Timestamp, value: &Decimal) {
        match self.start {
            Some(known) if known == start => self.total = &self.total + value,
            Some(known) if start < known => {}
            _ => {
                *self = Self {
                    start: Some(start),
                    total: value.clone(),
                };
            }
        }
    }
}
