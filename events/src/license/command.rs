//! What can be asked of a license.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{ActivationImported, HistoryImported, LicenseImported};
use crate::key::KeyDigest;
use crate::product::ProductCode;
use crate::{CustomerId, MachineId, ProductId, Timestamp};

/// A command to a license.
#[derive(Debug, Clone)]
pub enum LicenseCommand {
    /// Issue a new license.
    Create(Box<CreateLicense>),
    /// Take it over as it was elsewhere.
    Import(Box<LicenseImported>),
    /// Take over a machine that had a seat of it elsewhere, beyond its limit if need be. One whose fingerprint has a seat
    /// already gets none.
    ImportMachine(Box<ActivationImported>),
    /// Take over an entry of the audit trail that was kept elsewhere.
    ImportHistory(Box<HistoryImported>),
    /// Change what is given, leave the rest.
    Update(Box<UpdateLicense>),
    /// Hold it back; nothing happens if it is held back already.
    Suspend {
        /// Why, in the vendor's words.
        reason: Option<String>,
    },
    /// Lift a suspension; nothing happens if there is none.
    Reinstate {
        /// Why, in the vendor's words.
        reason: Option<String>,
    },
    /// Set a new expiry in the future; `None` is never.
    Renew {
        /// The new expiry.
        expires_at: Option<Timestamp>,
    },
    /// Extend by days from the expiry, or from now when that has passed. A license that never expires
    /// stays so.
    Extend {
        /// How many days.
        days: u32,
    },
    /// Withdraw it for good; nothing happens if it was withdrawn already.
    Revoke {
        /// Why, in the vendor's words.
        reason: Option<String>,
    },
    /// Hide it; its history stays.
    Delete,
    /// Take a seat for a machine; nothing happens if it has one.
    Activate(Box<Activate>),
    /// Give up the seat of the machine with a fingerprint.
    Deactivate {
        /// The fingerprint.
        fingerprint: String,
    },
    /// Take away the seat of the machine with an id.
    RemoveMachine {
        /// The machine.
        machine_id: MachineId,
    },
    /// Note that a machine is alive. Nothing happens if that was noted with the same version less than
    /// [`HEARTBEAT_SECONDS`](super::HEARTBEAT_SECONDS) ago.
    Heartbeat {
        /// The machine's fingerprint.
        fingerprint: String,
        /// The application's version.
        version: Option<String>,
    },
    /// Note that it was validated, for the audit trail.
    RecordValidations {
        /// How often each outcome code was given.
        outcomes: BTreeMap<String, u64>,
        /// The first of these validations.
        first_at: Timestamp,
        /// The last of them.
        last_at: Timestamp,
    },
}

/// The content of a new license.
#[derive(Debug, Clone)]
pub struct CreateLicense {
    /// The product.
    pub product_id: ProductId,
    /// Its code, the prefix of the license key.
    pub product_code: ProductCode,
    /// Whose it is.
    pub customer_id: CustomerId,
    /// Tier name.
    pub tier: String,
    /// How many machines at once; `None` is unlimited.
    pub machines_limit: Option<u32>,
    /// When it ends; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// Its own features; empty means the product's.
    pub features: Map<String, Value>,
    /// Overrides of the features, field by field.
    pub entitlements: Map<String, Value>,
    /// The vendor's own data.
    pub metadata: Map<String, Value>,
    /// SHA-256 of the license key.
    pub key_digest: KeyDigest,
    /// Version of the HMAC key that made the license key.
    pub key_version: u8,
}

/// A machine that wants a seat.
#[derive(Debug, Clone)]
pub struct Activate {
    /// The id it gets if it is new.
    pub machine_id: MachineId,
    /// What it is known by.
    pub fingerprint: String,
    /// Its name.
    pub hostname: String,
    /// Its operating system.
    pub platform: String,
    /// The application's own data about it.
    pub metadata: Map<String, Value>,
}

/// A change of standing asked for in an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusChange {
    /// Lift a suspension.
    Active,
    /// Suspend.
    Suspended,
    /// Revoke.
    Revoked,
}

/// Changes to a license; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct UpdateLicense {
    /// New tier.
    pub tier: Option<String>,
    /// New machine limit; `Some(None)` is unlimited.
    pub machines_limit: Option<Option<u32>>,
    /// New expiry, also in the past; `Some(None)` is never.
    pub expires_at: Option<Option<Timestamp>>,
    /// New features as a whole.
    pub features: Option<Map<String, Value>>,
    /// New overrides as a whole.
    pub entitlements: Option<Map<String, Value>>,
    /// New metadata as a whole.
    pub metadata: Option<Map<String, Value>>,
    /// New standing.
    pub status: Option<StatusChange>,
}
