//! Usage: recording it, and what its vendor sees of it.

pub mod agents;
pub mod batch;
pub mod of_license;
pub mod record;
pub mod series;
pub mod totals;

use std::ops::RangeInclusive;

use serde_json::json;
use vinzy_client::Amount;
use vinzy_client::usage as wire;
use vinzy_events::Decimal;
use vinzy_events::json::canonical;
use vinzy_events::meter::{LimitStanding, MAX_METRIC, MeterError};

use super::body::Fields;
use super::caller::Visitor;
use super::problem::Problem;
use super::refusals::refusal;
use crate::app::App;
use crate::commands::usage::{NewUsage, Recorded, record};
use crate::commands::{CommandError, Order};
use crate::directory::Located;

/// Characters of a metric's name.
const METRIC: RangeInclusive<usize> = 1..=MAX_METRIC;
/// Characters of an idempotency key.
const IDEMPOTENCY_KEY: RangeInclusive<usize> = 1..=255;
/// The field that holds the amount.
pub(super) const VALUE: &str = "value";
/// Digits behind the point of an amount.
const MAX_PLACES: u64 = 40;
/// What idempotency keys of records are used for, wherever the records come from: one that was sent alone
/// can be repeated in a batch.
const RECORD: &str = "usage.record";

/// Use to be counted, as a request says it.
struct Use {
    usage: NewUsage,
    idempotency_key: Option<String>,
}

impl Use {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let metric = metric(fields);
        let value = value(fields);
        let metadata = fields.optional("metadata").unwrap_or_default();
        let idempotency_key = fields.optional_text("idempotency_key", IDEMPOTENCY_KEY);
        Some(Self {
            usage: NewUsage {
                metric: metric?,
                value: value?,
                metadata,
            },
            idempotency_key,
        })
    }

    fn order(&self, app: &App, visitor: &Visitor, located: &Located, key: Option<&str>) -> Order {
        let key = self.idempotency_key.as_deref().or(key);
        let content = self.canonical(key.is_some());
        visitor.order_with(app, located, key.map(|key| (key, RECORD)), &content)
    }

    /// What makes a record of the same use the same request, however its amount is written; nothing unless it can be
    /// repeated.
    fn canonical(&self, repeatable: bool) -> Vec<u8> {
        let NewUsage {
            metric,
            value,
            metadata,
        } = &self.usage;
        if repeatable {
            canonical(&json!({"metadata": metadata, "metric": metric, "value": value}))
        } else {
            vec![]
        }
    }
}

fn metric(fields: &mut Fields) -> Option<String> {
    let metric = fields.text("metric", METRIC)?;
    if metric.chars().any(char::is_control) {
        return fields.refuse("metric", "must not hold control characters");
    }
    Some(metric)
}

fn value(fields: &mut Fields) -> Option<Decimal> {
    let value = fields.optional::<Decimal>("value").unwrap_or_else(|| 1.into());
    if !value.is_positive() {
        return fields.refuse("value", "must be more than 0");
    }
    if value.is_too_large() {
        return fields.refuse("value", format!("must be at most {}", Decimal::max()));
    }
    if value.decimal_places() > MAX_PLACES {
        return fields.refuse(
            "value",
            format!("must have at most {MAX_PLACES} digits behind the point"),
        );
    }
    Some(value)
}

/// Counts use; a license that does not allow it is an answer.
async fn count(
    app: &App,
    order: Order,
    located: &Located,
    usage: NewUsage,
) -> Result<wire::RecordUsageResponse, Problem> {
    let metric = usage.metric.clone();
    match record(app, order, located.license_id, located.product_id, usage).await {
        Ok(recorded) => Ok(recorded_answer(metric, recorded)),
        Err(CommandError::Meter(MeterError::LimitExceeded { total, standing })) => {
            let detail = format!("It would pass the limit of {}", standing.amount);
            let refused = refused(metric, "LIMIT_EXCEEDED", &detail);
            Ok(with_limit(refused, &total, Some(&standing)))
        }
        Err(error) => {
            let (code, message) = refusal(error)?;
            Ok(refused(metric, code, message))
        }
    }
}

fn recorded_answer(metric: String, recorded: Recorded) -> wire::RecordUsageResponse {
    let answer = wire::RecordUsageResponse {
        success: true,
        value_added: amount(&recorded.value),
        message: "Usage recorded".to_owned(),
        ..refused(metric, "RECORDED", "")
    };
    with_limit(answer, &recorded.total, recorded.limit.as_ref())
}

fn with_limit(
    answer: wire::RecordUsageResponse,
    total: &Decimal,
    limit: Option<&LimitStanding>,
) -> wire::RecordUsageResponse {
    wire::RecordUsageResponse {
        total_value: amount(total),
        limit: limit.map(|limit| amount(&limit.amount)),
        remaining: limit.map(|limit| amount(&limit.remaining)),
        period: limit
            .and_then(|limit| limit.period)
            .map(|period| period.as_str().to_owned()),
        ..answer
    }
}

fn refused(metric: String, code: &str, message: &str) -> wire::RecordUsageResponse {
    let nothing = amount(&Decimal::default());
    wire::RecordUsageResponse {
        success: false,
        metric,
        value_added: nothing.clone(),
        total_value: nothing,
        limit: None,
        remaining: None,
        period: None,
        code: code.to_owned(),
        message: message.to_owned(),
    }
}

/// An amount with all its digits.
pub(super) fn amount(decimal: &Decimal) -> Amount {
    decimal.to_string().into()
}
