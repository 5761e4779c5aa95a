//! What can have happened to a webhook endpoint.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{DisableReason, EndpointStatus, EventPattern};
use crate::stream::{present, stream_events};
use crate::{SecretId, Timestamp};

stream_events! {
    /// A fact about a webhook endpoint.
    pub enum EndpointEvent {
        /// It was set up.
        "endpoint.created" v 1 => Created(EndpointCreated),
        /// It was taken over from the system that was there before.
        "endpoint.imported" v 1 => Imported(Box<EndpointImported>),
        /// Some of its fields changed, or it was paused or taken up again.
        "endpoint.updated" v 1 => Updated(EndpointUpdated),
        /// It got a new signing secret.
        "endpoint.secret_rotated" v 1 => SecretRotated(EndpointSecretRotated),
        /// Nothing is sent to it until somebody makes it active again.
        "endpoint.disabled" v 1 => Disabled(EndpointDisabled),
        /// It was removed.
        "endpoint.deleted" v 1 => Deleted(EndpointDeleted),
    }
}

/// Payload of `endpoint.created`. The signing secret itself stands in no event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EndpointCreated {
    /// Where events are sent.
    pub url: String,
    /// Free text.
    pub description: String,
    /// Which events; empty is all that can be subscribed to.
    pub event_types: BTreeSet<EventPattern>,
    /// How often a delivery is tried again; `null` is as often as the schedule has it.
    pub max_retries: Option<u32>,
    /// How long an answer may take, in seconds.
    pub timeout_seconds: u32,
    /// Which secret signs.
    pub secret_id: SecretId,
    /// When it was set up.
    pub created_at: Timestamp,
}

/// Payload of `endpoint.imported`: the endpoint as it was in the system that was there before. The signing secret itself
/// stands in no event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EndpointImported {
    /// Where events are sent.
    pub url: String,
    /// Free text.
    pub description: String,
    /// Which events; empty is all that can be subscribed to.
    pub event_types: BTreeSet<EventPattern>,
    /// `active` or `paused`.
    pub status: EndpointStatus,
    /// How often a delivery is tried again; `null` is as often as the schedule has it.
    pub max_retries: Option<u32>,
    /// How long an answer may take, in seconds.
    pub timeout_seconds: u32,
    /// Which secret signs.
    pub secret_id: SecretId,
    /// When it was set up.
    pub created_at: Timestamp,
    /// When something of it last changed.
    pub updated_at: Timestamp,
}

/// Payload of `endpoint.updated`: the fields that changed, with their new values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EndpointUpdated {
    /// New address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// New text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// New subscription as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_types: Option<BTreeSet<EventPattern>>,
    /// `active` or `paused`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<EndpointStatus>,
    /// New number of further tries; `null` is as often as the schedule has it.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub max_retries: Option<Option<u32>>,
    /// New time for an answer, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// When.
    pub updated_at: Timestamp,
}

/// Payload of `endpoint.secret_rotated`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EndpointSecretRotated {
    /// Which secret signs from now on.
    pub secret_id: SecretId,
    /// Until when the secret of before signs, too; not at all if that is now.
    pub previous_valid_until: Timestamp,
    /// When it was rotated.
    pub rotated_at: Timestamp,
}

/// Payload of `endpoint.disabled`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EndpointDisabled {
    /// Why.
    pub reason: DisableReason,
    /// When.
    pub disabled_at: Timestamp,
}

/// Payload of `endpoint.deleted`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EndpointDeleted {
    /// When.
    pub deleted_at: Timestamp,
}
