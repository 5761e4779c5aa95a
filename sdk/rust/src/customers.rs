//! Customers.

use serde::{Deserialize, Serialize};

use crate::Object;

/// A customer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Customer {
    /// Their id.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub id: String,
    /// Their name; empty once it was erased.
    pub name: String,
    /// Their address; empty once it was erased.
    pub email: String,
    /// Their company, or empty.
    pub company: String,
    /// The vendor's own data about them; empty once they were erased.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub metadata: Object,
    /// When they were created.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub created_at: String,
    /// When their personal data were erased; `null` if they were not.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub erased_at: Option<String>,
}

/// Asks for a new customer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateCustomer {
    /// 1 to 255 characters.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 255))]
    pub name: String,
    /// Unique, upper and lower case being the same.
    #[cfg_attr(feature = "openapi", schema(format = "email", max_length = 254))]
    pub email: String,
    /// At most 255 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 255))]
    pub company: Option<String>,
    /// The vendor's own data about them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub metadata: Option<Object>,
}

/// Changes a customer; what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpdateCustomer {
    /// New name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 255))]
    pub name: Option<String>,
    /// New address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(format = "email", max_length = 254))]
    pub email: Option<String>,
    /// New company.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 255))]
    pub company: Option<String>,
    /// New metadata, replacing the old ones as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub metadata: Option<Object>,
}

/// Erases a customer's personal data.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EraseCustomer {
    /// Why, or on what legal ground. It stays in the ledger: it should name no person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(max_length = 500))]
    pub reason: Option<String>,
}

/// Proves that a customer's personal data were erased.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErasureCertificate {
    /// The customer.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub customer_id: String,
    /// Name of the ledger that says so.
    pub ledger: String,
    /// The event that says so.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub event_id: String,
    /// Where it stands in the ledger, from 0.
    pub position: u64,
    /// SHA-256 of 0x00 and the event's bytes, lower hex.
    pub event_hash: String,
    /// When it was done.
    #[cfg_attr(feature = "openapi", schema(format = "date-time"))]
    pub erased_at: String,
    /// Ids of the keys that were destroyed.
    pub destroyed_keys: Vec<String>,
    /// How many sealed values were destroyed.
    pub sealed_values: u64,
    /// Why, as it was given.
    pub reason: Option<String>,
    /// The event's exact bytes, JSON in the form of RFC 8785.
    pub event: String,
    /// A signed checkpoint of the ledger that covers the event.
    pub checkpoint: String,
}
