//! What can have happened to a license.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Standing;
use crate::key::KeyDigest;
use crate::product::ProductCode;
use crate::stream::{present, stream_events};
use crate::{CustomerId, MachineId, ProductId, Timestamp};

stream_events! {
    /// A fact about a license.
    pub enum LicenseEvent {
        /// It was issued.
        "license.created" v 1 => Created(LicenseCreated),
        /// It was taken over from the system that was there before.
        "license.imported" v 1 => Imported(Box<LicenseImported>),
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
        /// A machine was taken over from the system that was there before.
        "activation.imported" v 1 => ActivationImported(Box<ActivationImported>),
        /// Something that had happened to it was noted in the system that was there before.
        "license.history_imported" v 1 => HistoryImported(Box<HistoryImported>),
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

/// Payload of `license.imported`: the license as it was in the system that was there before. Its times are those of then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LicenseImported {
    /// The product.
    pub product_id: ProductId,
    /// Its code.
    pub product_code: ProductCode,
    /// Whose it is.
    pub customer_id: CustomerId,
    /// Tier name.
    pub tier: String,
    /// How many machines at once; `null` is unlimited.
    pub machines_limit: Option<u32>,
    /// When it ends, or ended; `null` is never.
    pub expires_at: Option<Timestamp>,
    /// Its own features; empty means the product's.
    pub features: Map<String, Value>,
    /// Overrides of the features, field by field.
    pub entitlements: Map<String, Value>,
    /// The vendor's own data.
    pub metadata: Map<String, Value>,
    /// What the vendor had decided about it.
    pub standing: Standing,
    /// SHA-256 of the license key, lower hex, as it was stored then. Which version of the HMAC key made the license key is
    /// not known.
    pub key_digest: KeyDigest,
    /// When it came to be.
    pub created_at: Timestamp,
    /// When something of it last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    /// When it was hidden; one that was not has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
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

/// Payload of `activation.imported`: a machine as it was in the system that was there before. It has its seat, also
/// where there are more machines than the license allows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ActivationImported {
    /// The machine's id.
    pub machine_id: MachineId,
    /// What it is known by.
    pub fingerprint: String,
    /// Its name.
    pub hostname: String,
    /// Its operating system.
    pub platform: String,
    /// The application's version; `null` if it did not say.
    pub version: Option<String>,
    /// The application's own data about it.
    pub metadata: Map<String, Value>,
    /// When it took its seat.
    pub activated_at: Timestamp,
    /// Its last heartbeat; `null` if there was none.
    pub last_heartbeat_at: Option<Timestamp>,
    /// When its seat became free; one that still had it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_at: Option<Timestamp>,
}

/// Payload of `license.history_imported`: an entry of the audit trail that was kept before. What it says is taken as it
/// was found. Nothing proves it: this event proves only that it was found so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HistoryImported {
    /// The entry's id there.
    pub record_id: String,
    /// What had happened, as it was called there.
    pub event_type: String,
    /// Who had done it.
    pub actor: String,
    /// What was noted of it.
    pub detail: Map<String, Value>,
    /// When it was noted.
    pub created_at: Timestamp,
    /// The hash that it had there; `null` if there was none.
    pub event_hash: Option<String>,
    /// The hash of the entry before it; `null` if there was none.
    pub prev_hash: Option<String>,
    /// The signature that it had there; `null` if there was none.
    pub signature: Option<String>,
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
