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
        /// They were taken over from the system that was there before; all personal fields are sealed with this event.
        "customer.imported" v 1 => Imported(CustomerImported),
        /// Some fields changed; their new values are sealed with this event.
        "customer.updated" v 1 => Updated(CustomerUpdated),
        /// They were removed.
        "customer.deleted" v 1 => Deleted(CustomerDeleted),
        /// Everything that was sealed of them was destroyed, with the keys.
        "customer.erased" v 1 => Erased(CustomerErased),
    }
}

/// Payload of `customer.created`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CustomerCreated {
    /// When they came to be; for imported customers, in the system they came from.
    pub created_at: Timestamp,
}

/// Payload of `customer.imported`: the times are those of the system that was there before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CustomerImported {
    /// When they came to be.
    pub created_at: Timestamp,
    /// When something of them last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    /// When they were removed; who was not has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// Payload of `customer.updated`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CustomerUpdated {
    /// Which fields changed.
    pub changed: BTreeSet<PersonalField>,
}

/// Payload of `customer.deleted`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CustomerDeleted {}

/// Payload of `customer.erased`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CustomerErased {
    /// When it was done.
    pub erased_at: Timestamp,
    /// Ids of the keys that were destroyed, in order.
    pub destroyed_keys: Vec<String>,
    /// How many sealed values were destroyed.
    pub sealed_values: u64,
    /// Why, in the vendor's words; it stays in the ledger, so it names no person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
