//! `/webhooks`: where other systems hear of events.

pub mod create;
pub mod delete;
pub mod deliveries;
pub mod delivery;
pub mod get;
pub mod list;
pub mod replay;
pub mod retry;
pub mod rotate;
pub mod test;
pub mod update;

use std::collections::BTreeSet;

use serde_json::Value;
use vinzy_client::webhooks as wire;
use vinzy_events::endpoint::{EndpointState, EndpointStatus, EventPattern, subscribable};
use vinzy_events::webhook::SigningSecret;
use vinzy_events::{EndpointId, Timestamp};
use vinzy_projections::endpoints;

use super::body::{Field, Fields};
use super::problem::Problem;
use crate::app::App;
use crate::commands::endpoints::Shown;
use crate::webhooks::deliveries::{Attempt, Delivery, ReadError};

/// Characters of a description.
const DESCRIPTION: std::ops::RangeInclusive<usize> = 0..=500;
/// Characters of a URL.
const URL: std::ops::RangeInclusive<usize> = 1..=2_048;
/// Patterns of a subscription.
const PATTERNS: usize = 100;
/// Further tries.
const RETRIES: std::ops::RangeInclusive<u32> = 0..=50;
/// Seconds for an answer.
const TIMEOUT: std::ops::RangeInclusive<u32> = 1..=60;

/// Which events, as a request says it.
struct EventTypes(BTreeSet<EventPattern>);

impl Field for EventTypes {
    fn read(value: Value) -> Result<Self, String> {
        let items = Vec::<Value>::read(value)?;
        if items.len() > PATTERNS {
            return Err(format!("must have at most {PATTERNS} entries"));
        }
        let read = |item: &Value| {
            let text = item.as_str().ok_or("must be an array of text")?;
            let shown: String = text.chars().take(100).collect();
            text.parse().map_err(|_| {
                let valid: Vec<&str> = subscribable().collect();
                format!(
                    "has an invalid event type: {shown}. Valid types: {}; a kind such as license.*; or *",
                    valid.join(", ")
                )
            })
        };
        items.iter().map(read).collect::<Result<_, String>>().map(Self)
    }
}

impl Field for EndpointStatus {
    fn read(value: Value) -> Result<Self, String> {
        let name = String::read(value)?;
        Self::parse(&name).ok_or_else(|| "must be active, paused or disabled".into())
    }
}

impl Field for SigningSecret {
    fn read(value: Value) -> Result<Self, String> {
        Self::parse(&String::read(value)?).map_err(|error| error.to_string())
    }
}

impl Fields {
    fn event_types(&mut self) -> Option<BTreeSet<EventPattern>> {
        self.optional::<EventTypes>("event_types").map(|types| types.0)
    }

    #[expect(clippy::option_option, reason = "`null` is as often as the schedule has it")]
    fn max_retries(&mut self) -> Option<Option<u32>> {
        self.nullable_number("max_retries", RETRIES)
    }

    fn timeout_seconds(&mut self) -> Option<u32> {
        self.nullable_number("timeout_seconds", TIMEOUT).flatten()
    }
}

/// Refuses a URL that may not be called; whether its host's addresses may is found out at each try.
fn check_url(app: &App, url: &str) -> Result<(), Problem> {
    let checked = app.webhooks.connector.check_url(url);
    checked
        .map(|_| ())
        .map_err(|error| Problem::field("url", error.to_string()))
}

/// From the answer on, whoever sends knows the endpoint as it is now.
async fn in_step(app: &App, ledger_id: &str) {
    if let Err(error) = app.in_step(endpoints::NAME, ledger_id).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "endpoints are behind");
    }
}

fn wire(id: EndpointId, state: EndpointState, now: Timestamp) -> wire::Webhook {
    let previous = state.previous.map(|previous| previous.valid_until);
    wire::Webhook {
        id: id.to_string(),
        tenant_id: None,
        url: state.url,
        description: state.description,
        event_types: state.event_types.iter().map(ToString::to_string).collect(),
        status: match state.status {
            EndpointStatus::Active => wire::WebhookStatus::Active,
            EndpointStatus::Paused => wire::WebhookStatus::Paused,
            EndpointStatus::Disabled => wire::WebhookStatus::Disabled,
        },
        max_retries: state.max_retries,
        timeout_seconds: state.timeout_seconds,
        previous_secret_valid_until: previous.filter(|until| now < *until).map(|at| at.to_string()),
        disabled_reason: state.disabled.map(|disabled| disabled.reason.as_str().to_owned()),
        disabled_at: state.disabled.map(|disabled| disabled.at.to_string()),
        created_at: state.created_at.to_string(),
        updated_at: state.updated_at.to_string(),
    }
}

/// An endpoint that was just set up, or got a new secret.
fn shown(shown: Shown, now: Timestamp) -> wire::NewWebhook {
    wire::NewWebhook {
        webhook: wire(shown.id, shown.state, now),
        secret: shown.secret.expose().to_owned(),
    }
}

fn delivery(delivery: Delivery) -> wire::WebhookDelivery {
    let payload = match serde_json::to_value(&delivery.message) {
        Ok(Value::Object(payload)) => payload,
        _ => serde_json::Map::new(),
    };
    // What was not tried yet is not tried again.
    let retried = delivery.attempts > 0;
    let next = delivery.next_attempt_at.filter(|_| retried);
    wire::WebhookDelivery {
        id: delivery.id.to_string(),
        endpoint_id: delivery.endpoint_id.to_string(),
        event_id: delivery.event_id.to_string(),
        event_type: delivery.event_type,
        payload,
        status: delivery.status.as_str().to_owned(),
        attempts: delivery.attempts,
        last_response_code: delivery.last_response_code,
        last_error: delivery.last_error,
        next_retry_at: next.map(|at| at.to_string()),
        created_at: delivery.created_at.to_string(),
        updated_at: delivery.updated_at.to_string(),
    }
}

fn attempt(attempt: Attempt) -> wire::WebhookAttempt {
    wire::WebhookAttempt {
        number: attempt.number,
        attempted_at: attempt.attempted_at.to_string(),
        address: attempt.address,
        response_code: attempt.response_code,
        duration_ms: attempt.duration_ms,
        response_body: attempt.response_start,
        error: attempt.error,
        next_retry_at: attempt.next_attempt_at.map(|at| at.to_string()),
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Database(error) => error.into(),
            ReadError::Event(error) => error.into(),
        }
    }
}
