//! A moment in time: UTC, microseconds, one text form.
//!
//! PostgreSQL keeps microseconds; keeping exactly that here means a time reads the same on create and on
//! read, in a leaf and in a row.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Duration, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The text is not an RFC 3339 time within the years 1970 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 date-time between the years 1970 and 9999")]
pub struct InvalidTimestamp;

/// Microseconds since 1970-01-01T00:00:00Z, at most the end of the year 9999.
///
/// Text form: RFC 3339, UTC with `Z`, always six fractional digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: Self = Self(DateTime::UNIX_EPOCH);

    /// From a chrono time; digits past the microsecond are cut off.
    pub fn from_chrono(time: DateTime<Utc>) -> Self {
        Self(DateTime::from_timestamp_micros(time.timestamp_micros()).unwrap_or(DateTime::UNIX_EPOCH))
    }

    /// From microseconds since the epoch; `None` outside the supported years.
    pub fn from_micros(micros: i64) -> Option<Self> {
        let time = DateTime::from_timestamp_micros(micros)?;
        (1970..=9999).contains(&time.year()).then_some(Self(time))
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0.timestamp_micros()
    }

    /// Whole seconds since the epoch, as JWT claims count them.
    pub const fn as_seconds(self) -> i64 {
        self.0.timestamp()
    }

    /// The chrono form, for rows.
    pub const fn to_chrono(self) -> DateTime<Utc> {
        self.0
    }

    /// `self` plus `days`; `None` past the year 9999.
    pub fn plus_days(self, days: u32) -> Option<Self> {
        self.checked_add(TimeDelta::days(i64::from(days)))
    }

    /// `self` plus `seconds`; `None` past the year 9999.
    pub fn plus_seconds(self, seconds: u32) -> Option<Self> {
        self.checked_add(TimeDelta::seconds(i64::from(seconds)))
    }

    fn checked_add(self, delta: Duration) -> Option<Self> {
        let time = self.0.checked_add_signed(delta)?;
        (time.year() <= 9999).then_some(Self(time))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Chrono takes the mathematical minus sign (U+2212) before an offset; RFC 3339 does not.
        if !text.is_ascii() {
            return Err(InvalidTimestamp);
        }
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| InvalidTimestamp)?;
        Self::from_micros(time.timestamp_micros()).ok_or(InvalidTimestamp)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_has_six_digits_and_z() {
        let time: Timestamp = "2026-01-01T01:00:00+01:00".parse().unwrap();
        assert_eq!(time.to_string(), "2026-01-01T00:00:00.000000Z");
        let fine: Timestamp = "2026-01-01T00:00:00.1234567Z".parse().unwrap();
        assert_eq!(fine.to_string(), "2026-01-01T00:00:00.123456Z");
    }

    #[test]
    fn a_minus_sign_is_no_hyphen() {
        assert!("2026-01-01T00:00:00-01:00".parse::<Timestamp>().is_ok());
        assert!("2026-01-01T00:00:00\u{2212}01:00".parse::<Timestamp>().is_err());
    }

    #[test]
    fn years_outside_the_range_are_refused() {
        assert!("1969-12-31T23:59:59Z".parse::<Timestamp>().is_err());
        assert!("+10000-01-01T00:00:00Z".parse::<Timestamp>().is_err());
        assert_eq!(Timestamp::UNIX_EPOCH.plus_days(u32::MAX), None);
    }
}
