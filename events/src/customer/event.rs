//! What can have happened to a customer.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::PersonalField;
use crate::Timestamp;
use crate::stream::stream_events;

stream_events! {
    /// A fact about a customer.
    pub enum CustomerEvent {
        /// They were registered; all personal fields are sealed with this event.
        "customer.created" v 1 => Created(CustomerCreated),
        /// Some fields changed; their new values are sealed with this event.
        "customer.updated" v 1 => Updated(CustomerUpdated),
        /// They were removed.
        "customer.deleted" v 1 => Deleted(CustomerDeleted),
    }
}

/// Payload of `customer.created`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomerCreated {
    /// When they came to be; for imported customers, in the system they came from.
    pub created_at: Timestamp,
}

/// Payload of `customer.updated`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomerUpdated {
    /// Which fields changed.
    pub changed: BTreeSet<PersonalField>,
}

/// Payload of `customer.deleted`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CustomerDeleted {}
