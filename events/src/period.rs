//! Calendar periods that a limit can be for, in UTC.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, Utc};
use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// A calendar period in UTC; weeks begin on Monday (ISO 8601).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// From midnight to midnight.
    Day,
    /// From Monday to Sunday.
    Week,
    /// A month of the calendar.
    Month,
    /// A year of the calendar.
    Year,
}

impl Period {
    /// Every period there is.
    pub const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::Year];

    /// The period's name: `day`, `week`, `month` or `year`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// The period with a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|period| period.as_str() == name)
    }

    /// When the period that contains `at` began.
    pub fn start(self, at: Timestamp) -> Timestamp {
        midnight(self.first_day(at))
    }

    /// When the period that contains `at` ends: the first moment of the next one.
    pub fn end(self, at: Timestamp) -> Timestamp {
        let first = self.first_day(at);
        let next = match self {
            Self::Day => first.checked_add_days(Days::new(1)),
            Self::Week => first.checked_add_days(Days::new(7)),
            Self::Month => first.checked_add_months(Months::new(1)),
            Self::Year => first.checked_add_months(Months::new(12)),
        };
        midnight(next.unwrap_or(first))
    }

    fn first_day(self, at: Timestamp) -> NaiveDate {
        let day = at.to_chrono().date_naive();
        let first = match self {
            Self::Day => Some(day),
            Self::Week => day.checked_sub_days(Days::new(day.weekday().num_days_from_monday().into())),
            Self::Month => day.with_day(1),
            Self::Year => day.with_ordinal(1),
        };
        first.unwrap_or(day)
    }
}

fn midnight(day: NaiveDate) -> Timestamp {
    Timestamp::from_chrono(DateTime::<Utc>::from_naive_utc_and_offset(
        day.and_time(NaiveTime::MIN),
        Utc,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_follow_the_calendar_in_utc() {
        let at = "2028-02-29T23:59:59.999999Z".parse().unwrap();
        for (period, start, end) in [
            (Period::Day, "2028-02-29", "2028-03-01"),
            (Period::Week, "2028-02-28", "2028-03-06"),
            (Period::Month, "2028-02-01", "2028-03-01"),
            (Period::Year, "2028-01-01", "2029-01-01"),
        ] {
            let time = |day: &str| format!("{day}T00:00:00Z").parse::<Timestamp>().unwrap();
            assert_eq!(
                (period.start(at), period.end(at)),
                (time(start), time(end)),
                "{period:?}"
            );
            assert_eq!(period.start(period.start(at)), period.start(at));
            assert_eq!(
                period.start(period.end(at)),
                period.end(at),
                "periods have no gaps"
            );
        }
    }

    #[test]
    fn a_week_can_begin_in_another_year() {
        let at = "2027-01-03T12:00:00Z".parse().unwrap();
        assert_eq!(Period::Week.start(at).to_string(), "2026-12-28T00:00:00.000000Z");
    }
}
