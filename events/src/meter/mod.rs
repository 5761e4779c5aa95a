//! Meters: how much of one metric was used under one license. Each is a stream of its own, so that
//! licenses stay short however much is metered.

mod decide;
mod event;
mod state;

pub use event::{Counted, LimitStanding, MeterEvent, UsageImported, UsageRecorded};
pub use state::Meter;

use serde_json::{Map, Value};

use crate::entitlement::UsageLimit;
use crate::{Decimal, LicenseId, Period, Timestamp};

/// Longest name of a metric, in characters.
pub const MAX_METRIC: usize = 255;

/// The id of a meter's stream.
pub fn meter_id(license_id: LicenseId, metric: &str) -> String {
    format!("{license_id}/{metric}")
}

/// The metric of a meter's stream.
pub fn metric_of(stream_id: &str) -> Option<&str> {
    stream_id.split_once('/').map(|(_, metric)| metric)
}

/// The limit of which the least is left. `used` says how much counts in a period, or in all.
pub fn tightest(limits: &[UsageLimit], used: impl Fn(Option<Period>) -> Decimal) -> Option<LimitStanding> {
    limits
        .iter()
        .map(|limit| LimitStanding::of(limit, used(limit.period)))
        .min_by(|one, other| one.remaining.cmp(&other.remaining))
}

/// A command to a meter.
#[derive(Debug, Clone)]
pub enum MeterCommand {
    /// Count some use.
    Record(Box<RecordUsage>),
    /// Take over use that was counted elsewhere, whatever limits say.
    Import(Box<ImportUsage>),
}

/// Use that was counted elsewhere.
#[derive(Debug, Clone)]
pub struct ImportUsage {
    /// The record's id there.
    pub record_id: String,
    /// Under which license.
    pub license_id: LicenseId,
    /// Of what.
    pub metric: String,
    /// How much; more than nothing.
    pub value: Decimal,
    /// The application's own data about it.
    pub metadata: Map<String, Value>,
    /// When it was counted.
    pub recorded_at: Timestamp,
}

/// Use to be counted.
#[derive(Debug, Clone)]
pub struct RecordUsage {
    /// Under which license.
    pub license_id: LicenseId,
    /// Of what.
    pub metric: String,
    /// How much; more than nothing.
    pub value: Decimal,
    /// The application's own data about it.
    pub metadata: Map<String, Value>,
    /// The limits that it must keep, all of them.
    pub limits: Vec<UsageLimit>,
}

/// Why a meter refuses a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MeterError {
    /// It would pass a limit.
    #[error("usage limit of {} reached", .standing.amount)]
    LimitExceeded {
        /// What was used in all, before.
        total: Decimal,
        /// The limit, with what was used of it before.
        standing: Box<LimitStanding>,
    },
    /// The amount is not more than nothing.
    #[error("the amount is not more than nothing")]
    NotPositive,
    /// The total would be larger than a JSON reader can read.
    #[error("the total would be too large")]
    TotalTooLarge,
}
