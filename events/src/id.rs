//! Identifiers, each a newtype so that a customer's id cannot be passed for a license's.
//!
//! New ids are `UUIDv7` (RFC 9562); any UUID is accepted when one is read, because imported records keep
//! theirs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::{Builder, Uuid};

use crate::Timestamp;

/// The text is not a UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a UUID")]
pub struct InvalidId;

/// Builds a `UUIDv7` from `at` (millisecond precision) and ten random bytes.
pub fn uuid_v7(at: Timestamp, entropy: [u8; 10]) -> Uuid {
    let millis = u64::try_from(at.as_micros() / 1_000).unwrap_or(0);
    Builder::from_unix_timestamp_millis(millis, &entropy).into_uuid()
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new `UUIDv7` id from `at` and ten random bytes.
            pub fn new(at: Timestamp, entropy: [u8; 10]) -> Self {
                Self(uuid_v7(at, entropy))
            }

            /// The UUID itself, for rows and wire types.
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self).map_err(|_| InvalidId)
            }
        }
    };
}

id! {
    /// Identifies a product.
    ProductId
}
id! {
    /// Identifies a customer.
    CustomerId
}
id! {
    /// Identifies a license.
    LicenseId
}
id! {
    /// Identifies a machine that a license was activated on.
    MachineId
}
id! {
    /// Identifies an anomaly.
    AnomalyId
}
id! {
    /// Identifies an API key, whatever its secret.
    ApiKeyId
}
id! {
    /// Identifies a webhook endpoint.
    EndpointId
}
id! {
    /// Identifies a signing secret of a webhook endpoint.
    SecretId
}
id! {
    /// Identifies the delivery of an event to a webhook endpoint.
    DeliveryId
}
id! {
    /// Identifies what a provider of payments told of, by what it is called there.
    PurchaseId
}
id! {
    /// Identifies a mail with a license key.
    MailId
}
id! {
    /// Identifies a tenant.
    TenantId
}
id! {
    /// Identifies one event of a ledger.
    EventId
}
