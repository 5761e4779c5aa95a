//! What can have happened to a license.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::key::KeyDigest;
use crate::product::ProductCode;
use crate::stream::{present, stream_events};
use crate::{CustomerId, MachineId, ProductId, Timestamp};

stream_events! {
    /// A fact about a license.
    pub enum LicenseEvent {
        /// It was issued.
        "license.created" v 1 => Created(LicenseCreated),
        /// Some of its fields changed.
        "license.updated" v 1 => Updated(LicenseUpdated),
        /// It was held back.
        "license.suspended" v 1 => Suspended(LicenseSuspended),
        /// Its suspension was lifted.
        "license.reinstated" v 1 => Reinstated(LicenseReinstated),
        /// Its expiry was moved.
        "license.renewed" v 1 => Renewed(LicenseRenewed),
        /// It was withdrawn for good.
        "license.revoked" v 1 => Revoked(LicenseRevoked),
        /// It was hidden.
        "license.deleted" v 1 => Deleted(LicenseDeleted),
        /// A machine took a seat.
        "activation.created" v 1 => ActivationCreated(ActivationCreated),
        /// A machine's seat was given up or taken away.
        "activation.removed" v 1 => ActivationRemoved(ActivationRemoved),
        /// A machine was alive.
        "activation.heartbeat" v 1 => Heartbeat(ActivationHeartbeat),
        /// Its key was validated, some number of times.
        "license.validated" v 1 => Validated(LicenseValidated),
    }
}

/// Payload of `license.created`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LicenseCreated {
    /// The product.
    pub product_id: ProductId,
    /// Its code, the prefix of the license key.
    pub product_code: ProductCode,
    /// Whose it is.
    pub customer_id: CustomerId,
    /// Tier name.
    pub tier: String,
    /// How many machines at once; `null` is unlimited.
    pub machines_limit: Option<u32>,
    /// When it ends; `null` is never.
    pub expires_at: Option<Timestamp>,
    /// Its own features; empty means the product's.
    pub features: Map<String, Value>,
    /// Overrides of the features, field by field.
    pub entitlements: Map<String, Value>,
    /// The vendor's own data.
    pub metadata: Map<String, Value>,
    /// SHA-256 of the license key, lower hex. The key itself is stored nowhere.
    pub key_digest: KeyDigest,
    /// Version of the HMAC key that made the license key.
    pub key_version: u8,
    /// When it came to be; for imported licenses, in the system it came from.
    pub created_at: Timestamp,
}

/// Payload of `license.updated`: the fields that changed, with their new values.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LicenseUpdated {
    /// New tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// New machine limit; `null` is unlimited.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub machines_limit: Option<Option<u32>>,
    /// New expiry; `null` is never.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub expires_at: Option<Option<Timestamp>>,
    /// New features as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<Map<String, Value>>,
    /// New overrides as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entitlements: Option<Map<String, Value>>,
    /// New metadata as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
}

/// Payload of `license.suspended`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LicenseSuspended {
    /// Why, in the vendor's words.
    pub reason: Option<String>,
}

/// Payload of `license.reinstated`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LicenseReinstated {
    /// Why, in the vendor's words.
    pub reason: Option<String>,
}

/// Payload of `license.renewed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LicenseRenewed {
    /// The expiry from now on; `null` is never.
    pub expires_at: Option<Timestamp>,
}

/// Payload of `license.revoked`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LicenseRevoked {
    /// Why, in the vendor's words.
    pub reason: Option<String>,
}

/// Payload of `license.deleted`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LicenseDeleted {}

/// Payload of `activation.created`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ActivationCreated {
    /// The machine's id.
    pub machine_id: MachineId,
    /// What it is known by.
    pub fingerprint: String,
    /// Its name.
    pub hostname: String,
    /// Its operating system.
    pub platform: String,
    /// The application's own data about it.
    pub metadata: Map<String, Value>,
    /// When.
    pub activated_at: Timestamp,
}

/// Payload of `activation.removed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ActivationRemoved {
    /// The machine's id.
    pub machine_id: MachineId,
    /// What it was known by.
    pub fingerprint: String,
}

/// Payload of `activation.heartbeat`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ActivationHeartbeat {
    /// The machine's id.
    pub machine_id: MachineId,
    /// What it is known by.
    pub fingerprint: String,
    /// The application's version; `null` if it did not say.
    pub version: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Payload of `license.validated`: validations are counted and recorded together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LicenseValidated {
    /// How many validations.
    pub count: u64,
    /// How many by outcome code, e.g. `{"OK": 3, "SUSPENDED": 1}`.
    pub outcomes: BTreeMap<String, u64>,
    /// The first of them.
    pub first_at: Timestamp,
    /// The last of them.
    pub last_at: Timestamp,
}
