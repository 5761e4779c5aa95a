//! Events as integrators get them: what a webhook's body says, and what the feed lists.

use serde::{Deserialize, Serialize};

use crate::Object;

/// An event, as a webhook's body has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Event {
    /// What happened, e.g. `license.created`.
    pub event_type: String,
    /// When it was recorded.
    pub timestamp: String,
    /// What it says, with the ids of what it belongs to: `license_id`, `customer_id` and so on.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub data: Object,
    /// Where it stands.
    pub ledger: EventPlace,
}

/// Where an event stands in its ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventPlace {
    /// From 0, without gaps: what has the greater one came later.
    pub position: u64,
    /// SHA-256 of 0x00 and the event's bytes, lower hex.
    pub event_hash: String,
}

/// An event, as the feed lists it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FeedEvent {
    /// Its id.
    pub event_id: String,
    /// What a webhook's body says.
    #[serde(flatten)]
    pub event: Event,
    /// Its stream and its number there.
    pub stream: EventStream,
}

/// Which stream an event belongs to: all events of one license, say, or of one meter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventStream {
    /// What kind of stream, e.g. `license`.
    #[serde(rename = "type")]
    pub stream_type: String,
    /// Its id.
    pub id: String,
    /// Number of the event in the stream, from 1.
    pub seq: u64,
}

/// Events of a ledger in order of position.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventPage {
    /// The events; none, if none came in time.
    pub events: Vec<FeedEvent>,
    /// The last position that was looked at, whether its event is among these or was filtered out: `after` of the next
    /// request.
    pub next_after: u64,
    /// Whether there is more to look at now; otherwise all there is was looked at.
    pub has_more: bool,
}
