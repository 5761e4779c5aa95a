//! Webhook endpoints: where other systems want to hear of events, and of which.
//!
//! Only ids of signing secrets are known here; the secrets themselves stand in no event.

mod decide;
mod event;
mod state;
mod subscription;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use event::{
    EndpointCreated, EndpointDeleted, EndpointDisabled, EndpointEvent, EndpointImported,
    EndpointSecretRotated, EndpointUpdated,
};
pub use state::{Disabled, Endpoint, EndpointState, PreviousSecret};
pub use subscription::{EventPattern, UnknownEventType, subscribable};

use crate::id::uuid_v7;
use crate::{DeliveryId, EndpointId, EventId, SecretId, Timestamp};

/// Whether an endpoint is sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EndpointStatus {
    /// It is.
    Active,
    /// Somebody wants to have what there is later.
    Paused,
    /// It has failed for long, or has said that it is gone.
    Disabled,
}

impl EndpointStatus {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Active, Self::Paused, Self::Disabled];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Disabled => "disabled",
        }
    }

    /// The status with a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// Why an endpoint is disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DisableReason {
    /// Somebody asked for it.
    Requested,
    /// It has answered with 410.
    Gone,
    /// It has failed for days without a success.
    Failing,
}

impl DisableReason {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }

    /// The reason with a name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Requested, Self::Gone, Self::Failing]
            .into_iter()
            .find(|reason| reason.as_str() == name)
    }
}

/// What can be asked of an endpoint.
#[derive(Debug, Clone)]
pub enum EndpointCommand {
    /// Set up a new one.
    Create(CreateEndpoint),
    /// Take it over as it was elsewhere.
    Import(Box<EndpointImported>),
    /// Change what is given, leave the rest.
    Update(UpdateEndpoint),
    /// Sign with a new secret.
    RotateSecret {
        /// The new secret.
        secret_id: SecretId,
        /// How long the old one signs, too, in seconds; 0 ends it at once.
        overlap_seconds: u32,
    },
    /// Send nothing until somebody makes it active again; nothing happens if it is disabled already.
    Disable {
        /// Why.
        reason: DisableReason,
    },
    /// Remove it.
    Delete,
}

/// The content of a new endpoint.
#[derive(Debug, Clone)]
pub struct CreateEndpoint {
    /// Where events are sent.
    pub url: String,
    /// Free text.
    pub description: String,
    /// Which events; empty is all.
    pub event_types: BTreeSet<EventPattern>,
    /// How often a delivery is tried again; `None` is as often as the schedule has it.
    pub max_retries: Option<u32>,
    /// How long an answer may take, in seconds.
    pub timeout_seconds: u32,
    /// Which secret signs.
    pub secret_id: SecretId,
}

/// Changes to an endpoint; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct UpdateEndpoint {
    /// New address.
    pub url: Option<String>,
    /// New text.
    pub description: Option<String>,
    /// New subscription as a whole.
    pub event_types: Option<BTreeSet<EventPattern>>,
    /// New status.
    pub status: Option<EndpointStatus>,
    /// New number of further tries; `Some(None)` is as often as the schedule has it.
    pub max_retries: Option<Option<u32>>,
    /// New time for an answer, in seconds.
    pub timeout_seconds: Option<u32>,
}

/// Why an endpoint refuses a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// There is no such endpoint, or it was removed.
    #[error("webhook endpoint not found")]
    NotFound,
    /// The id is taken.
    #[error("webhook endpoint already exists")]
    AlreadyExists,
}

/// The id of the delivery of an event to an endpoint: always the same for the same two. A `UUIDv7` with the time at
/// which the event was recorded.
pub fn delivery_id(endpoint_id: EndpointId, event_id: EventId, recorded_at: Timestamp) -> DeliveryId {
    let mut hash = Sha256::new();
    hash.update(b"delivery\0");
    hash.update(endpoint_id.as_uuid().as_bytes());
    hash.update(event_id.as_uuid().as_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let (entropy, _) = digest.split_first_chunk::<10>().expect("a digest has 32 bytes");
    uuid_v7(recorded_at, *entropy).into()
}
