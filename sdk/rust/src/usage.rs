//! Usage: recording it, totals, series.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Amount, Object};

/// Use to be counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecordUsageRequest {
    /// The license key.
    #[cfg_attr(feature = "openapi", schema(max_length = 1000))]
    pub key: String,
    /// Of what, 1 to 255 characters without control characters. `agent.{CODE}.{sub}` counts for an agent.
    #[cfg_attr(
        feature = "openapi",
        schema(
            min_length = 1,
            max_length = 255,
            pattern = "^[^\\u0000-\\u001F\\u007F-\\u009F]*$"
        )
    )]
    pub metric: String,
    /// How much: more than 0 and at most 1.7976931348623157e308, with at most 40 digits behind the point; a
    /// number, or the same as text. All digits count. 1 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(schema_with = crate::amount::given_schema))]
    pub value: Option<Value>,
    /// The application's own data about it.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub metadata: Object,
    /// Makes the record safe to repeat, for ever: 1 to 255 characters, unique among the records of the license.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 255))]
    pub idempotency_key: Option<String>,
}

/// Use to be counted, of a license that the path names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecordLicenseUsageRequest {
    /// Of what, 1 to 255 characters without control characters. `agent.{CODE}.{sub}` counts for an agent.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 255))]
    pub metric: String,
    /// How much: as in `RecordUsageRequest`. 1 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<f64>, exclusive_minimum = 0.0))]
    pub value: Option<Value>,
    /// The vendor's own data about it.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub metadata: Object,
    /// Makes the record safe to repeat, for ever: 1 to 255 characters, unique among the tenant's idempotency keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 255))]
    pub idempotency_key: Option<String>,
}

/// Whether use was counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecordUsageResponse {
    /// Whether it was.
    pub success: bool,
    /// Of what.
    pub metric: String,
    /// How much was added.
    #[cfg_attr(feature = "openapi", schema(value_type = f64))]
    pub value_added: Amount,
    /// How much there is in all.
    #[cfg_attr(feature = "openapi", schema(value_type = f64))]
    pub total_value: Amount,
    /// The limit; `null` is unlimited.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<f64>))]
    pub limit: Option<Amount>,
    /// What is left of it; 0 once it is passed.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<f64>))]
    pub remaining: Option<Amount>,
    /// What the limit is for: `day`, `week`, `month` or `year`; `null` is for ever.
    pub period: Option<String>,
    /// `RECORDED`, `LIMIT_EXCEEDED`, `NOT_FOUND`, `EXPIRED` or `SUSPENDED` (suspended or revoked); in a batch also
    /// the codes of problems.
    pub code: String,
    /// The same in words.
    pub message: String,
}

/// Several records at once.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecordUsageBatchRequest {
    /// The license key of records that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 1000))]
    pub key: Option<String>,
    /// 1 to 1,000 records. Each is counted or refused by itself, in this order.
    #[cfg_attr(feature = "openapi", schema(min_items = 1, max_items = 1000))]
    pub records: Vec<RecordUsageRequest>,
}

/// What became of several records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecordUsageBatchResponse {
    /// How many were counted, now or when they came first.
    pub recorded: usize,
    /// How many were refused.
    pub refused: usize,
    /// What became of each, in the order of the records.
    pub results: Vec<RecordUsageResponse>,
}

/// The use of a metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageTotal {
    /// Of what.
    pub metric: String,
    /// How much in all.
    #[cfg_attr(feature = "openapi", schema(value_type = f64))]
    pub total_value: Amount,
    /// How often it was recorded.
    pub record_count: u64,
    /// The limit; `null` is unlimited.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<f64>))]
    pub limit: Option<Amount>,
    /// What is left of it; 0 once it is passed.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<f64>))]
    pub remaining: Option<Amount>,
    /// What counts against the limit: the use in the current period, or in all.
    #[cfg_attr(feature = "openapi", schema(value_type = f64))]
    pub used: Amount,
    /// What the limit is for: `day`, `week`, `month` or `year`; `null` is for ever.
    pub period: Option<String>,
    /// When the period ends.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub period_ends_at: Option<String>,
    /// The first record.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub first_recorded_at: String,
    /// The last record.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub last_recorded_at: String,
}

/// The use of a metric over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageSeries {
    /// Of what.
    pub metric: String,
    /// `hour` or `day`.
    pub bucket: String,
    /// Where the first bucket begins.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub from: String,
    /// Where the last bucket ends.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub to: String,
    /// Every bucket, oldest first, also those without use.
    pub points: Vec<UsagePoint>,
}

/// The use in one bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsagePoint {
    /// When the bucket begins, in UTC.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub starts_at: String,
    /// How much.
    #[cfg_attr(feature = "openapi", schema(value_type = f64))]
    pub total_value: Amount,
    /// How often it was recorded.
    pub record_count: u64,
}

/// Use by agent and by what is counted: `{"CTO": {"tokens": 123.5}}`.
pub type AgentUsage = BTreeMap<String, BTreeMap<String, Amount>>;
