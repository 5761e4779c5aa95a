//! What can have happened to a meter.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::entitlement::UsageLimit;
use crate::stream::stream_events;
use crate::{Decimal, LicenseId, Period, Timestamp};

stream_events! {
    /// A fact about a meter.
    pub enum MeterEvent {
        /// Some use was counted.
        "usage.recorded" v 1 => Recorded(UsageRecorded),
        /// Some use had been counted in the system that was there before.
        "usage.imported" v 1 => Imported(UsageImported),
    }
}

/// Payload of `usage.recorded`. It says what the limit was and what was left, so that a repeated request
/// gets the same answer for ever, whatever the limit is by then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UsageRecorded {
    /// Under which license.
    pub license_id: LicenseId,
    /// Of what.
    pub metric: String,
    /// How much.
    pub value: Decimal,
    /// How much in all, with this.
    pub total: Decimal,
    /// The limit that applied, with what was used of it; `null` if there was none.
    pub limit: Option<LimitStanding>,
    /// The application's own data about it.
    pub metadata: Map<String, Value>,
    /// When it was counted; it decides on the period.
    pub recorded_at: Timestamp,
}

/// Payload of `usage.imported`: a record of the system that was there before. No limit was asked about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UsageImported {
    /// The record's id there.
    pub record_id: String,
    /// Under which license.
    pub license_id: LicenseId,
    /// Of what.
    pub metric: String,
    /// How much.
    pub value: Decimal,
    /// How much in all that is known here, with this.
    pub total: Decimal,
    /// The application's own data about it.
    pub metadata: Map<String, Value>,
    /// When it was counted; it decides on the period.
    pub recorded_at: Timestamp,
}

/// Some use, however it came to be known.
#[derive(Debug, Clone, PartialEq)]
pub struct Counted {
    /// Under which license.
    pub license_id: LicenseId,
    /// Of what.
    pub metric: String,
    /// How much.
    pub value: Decimal,
    /// When it was counted; it decides on the period. Of what was imported this can be earlier than what was known
    /// before.
    pub recorded_at: Timestamp,
    /// Whether it was counted elsewhere.
    pub imported: bool,
}

impl From<MeterEvent> for Counted {
    fn from(event: MeterEvent) -> Self {
        match event {
            MeterEvent::Recorded(usage) => Self {
                license_id: usage.license_id,
                metric: usage.metric,
                value: usage.value,
                recorded_at: usage.recorded_at,
                imported: false,
            },
            MeterEvent::Imported(usage) => Self {
                license_id: usage.license_id,
                metric: usage.metric,
                value: usage.value,
                recorded_at: usage.recorded_at,
                imported: true,
            },
        }
    }
}

/// A limit with what was used of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LimitStanding {
    /// The limit.
    pub amount: Decimal,
    /// What counts against it: the use in the period, or in all.
    pub used: Decimal,
    /// What is left; nothing once it is passed.
    pub remaining: Decimal,
    /// What it is for; `null` is for ever.
    pub period: Option<Period>,
}

impl LimitStanding {
    /// A limit with what was used of it.
    pub fn of(limit: &UsageLimit, used: Decimal) -> Self {
        Self {
            amount: limit.amount.clone(),
            remaining: limit.amount.minus_or_zero(&used),
            used,
            period: limit.period,
        }
    }
}
