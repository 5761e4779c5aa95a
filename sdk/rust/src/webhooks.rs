//! Webhook endpoints and deliveries to them.

#[cfg(feature = "webhooks")]
mod signature;

use serde::{Deserialize, Serialize};

#[cfg(feature = "webhooks")]
pub use signature::{SecretError, WebhookError, WebhookEvent, WebhookVerifier};

use crate::{Object, present};

/// Whether an endpoint is sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum WebhookStatus {
    /// It is.
    Active,
    /// Not now; what happens is kept for it.
    Paused,
    /// It has failed for days, has answered with 410, or somebody asked for it; what happens is kept for it.
    Disabled,
}

/// A webhook endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Webhook {
    /// Its id.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub id: String,
    /// Always `null`: it belongs to the tenant of whoever asks. Older clients expect it.
    pub tenant_id: Option<String>,
    /// Where events are sent.
    pub url: String,
    /// Free text.
    pub description: String,
    /// Which events: types, kinds such as `license.*`, or `*`; empty is all.
    pub event_types: Vec<String>,
    /// Whether it is sent to.
    pub status: WebhookStatus,
    /// How often a delivery is tried again; `null` is as often as the schedule has it.
    pub max_retries: Option<u32>,
    /// How long an answer may take, in seconds.
    pub timeout_seconds: u32,
    /// Until when the secret of before signs, too; `null` if it does not.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub previous_secret_valid_until: Option<String>,
    /// Why it is disabled: `requested`, `gone` (it answered with 410) or `failing` (for five days); `null` if it is not.
    pub disabled_reason: Option<String>,
    /// Since when.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub disabled_at: Option<String>,
    /// When it was set up.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub created_at: String,
    /// When something of it last changed.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub updated_at: String,
}

/// A webhook endpoint with its signing secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewWebhook {
    /// The endpoint.
    #[serde(flatten)]
    pub webhook: Webhook,
    /// What signs, which is shown this once.
    pub secret: String,
}

/// Asks for a new endpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateWebhook {
    /// An address that may be called. It stands in the ledger for good.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 2_048))]
    pub url: String,
    /// Up to 500 characters; no personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 500))]
    pub description: Option<String>,
    /// Which events: types, kinds such as `license.*`, or `*`; all if left out or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_items = 100))]
    pub event_types: Option<Vec<String>>,
    /// What signs: 16 to 256 characters, or `whsec_` and the base64 of 24 to 64 bytes. Made if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_length = 16, max_length = 256))]
    pub secret: Option<String>,
    /// How often a delivery is tried again, up to 50; as often as the schedule has it if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(maximum = 50))]
    pub max_retries: Option<u32>,
    /// How long an answer may take, in seconds; 10 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 60))]
    pub timeout_seconds: Option<u32>,
}

/// Changes an endpoint; what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpdateWebhook {
    /// New address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 2_048))]
    pub url: Option<String>,
    /// New text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 500))]
    pub description: Option<String>,
    /// New subscription, replacing the old one as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_items = 100))]
    pub event_types: Option<Vec<String>>,
    /// New status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<WebhookStatus>,
    /// New number of further tries; `null` is as often as the schedule has it.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(maximum = 50, value_type = Option<u32>))]
    pub max_retries: Option<Option<u32>>,
    /// New time for an answer, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 60))]
    pub timeout_seconds: Option<u32>,
}

/// Asks for a new signing secret.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RotateWebhookSecret {
    /// The new secret, as in `POST /webhooks`; made if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_length = 16, max_length = 256))]
    pub secret: Option<String>,
    /// How long the old secret signs, too, in seconds, up to 2,592,000 (30 days); 86,400 if left out; 0 ends it at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(maximum = 2_592_000))]
    pub overlap_seconds: Option<u32>,
}

/// Asks for history once more: from a position, or from a time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplayWebhook {
    /// Events from this position of the ledger on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(maximum = 9_007_199_254_740_991_u64))]
    pub from_position: Option<u64>,
    /// Events recorded then or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub since: Option<String>,
}

/// What a replay asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WebhookReplay {
    /// How many deliveries are sent, or sent again. Those that wait anyway are not counted.
    pub deliveries: u64,
    /// The `from_position` to go on from, when there was too much for one request; `null` at the ledger's end.
    pub next_position: Option<u64>,
}

/// A delivery of an event to an endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WebhookDelivery {
    /// Its id.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub id: String,
    /// To which endpoint.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub endpoint_id: String,
    /// The event's id: `webhook-id` of every try.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub event_id: String,
    /// The event's type; `webhook.test` for a test.
    pub event_type: String,
    /// The body that is sent.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub payload: Object,
    /// `pending` (waits for its first or next try), `sending`, `success`, or `failed` (not tried again).
    pub status: String,
    /// How often it was tried since it was last asked for.
    pub attempts: u64,
    /// The status that the receiver answered with last.
    pub last_response_code: Option<u16>,
    /// What was wrong last.
    pub last_error: Option<String>,
    /// When it is tried again; `null` if it is not, or was not tried yet.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub next_retry_at: Option<String>,
    /// When the event was recorded.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub created_at: String,
    /// When something of it last changed.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub updated_at: String,
}

/// A delivery with what came of its tries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WebhookDeliveryDetail {
    /// The delivery.
    #[serde(flatten)]
    pub delivery: WebhookDelivery,
    /// The last hundred tries, in their order.
    pub attempt_log: Vec<WebhookAttempt>,
}

/// What came of a try.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WebhookAttempt {
    /// Its number, from 1.
    pub number: u64,
    /// When.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub attempted_at: String,
    /// The address that was connected to, with the port; `null` if none was.
    pub address: Option<String>,
    /// The status of the answer; `null` if there was none.
    pub response_code: Option<u16>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// What the answer began with: up to 4 KiB.
    pub response_body: String,
    /// What was wrong; `null` after a success.
    pub error: Option<String>,
    /// When it was to be tried next; `null` if it was not.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub next_retry_at: Option<String>,
}
