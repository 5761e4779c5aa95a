//! Purchases: what a provider of payments tells of a checkout or a subscription, and what that makes of a license.
//!
//! Providers tell things late, twice and in any order. So a purchase remembers what it was told, also before there is a
//! license: what comes of all of it is the same in whatever order it came. Each reference of a provider's has a stream
//! of its own (a checkout's payment, a subscription, an invoice); one that belongs to another is linked to it.

mod decide;
mod effects;
mod event;
mod state;

pub use effects::Effects;
pub use event::{
    PurchaseApplied, PurchaseCompleted, PurchaseEvent, PurchaseLinked, PurchasePaid, PurchaseRefunded,
    PurchaseStandingChanged,
};
pub use state::{Licensed, Purchase, PurchaseState, PurchaseStatus};

use std::fmt;

use sha2::{Digest, Sha256};
use uuid::Builder;

use crate::product::ProductCode;
use crate::{CustomerId, LicenseId, PurchaseId, Timestamp};

/// Who takes the money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Stripe.
    Stripe,
    /// Polar.
    Polar,
}

impl Provider {
    /// Every provider there is.
    pub const ALL: [Self; 2] = [Self::Stripe, Self::Polar];

    /// Its name in routes, rows and events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stripe => "stripe",
            Self::Polar => "polar",
        }
    }

    /// The provider with a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.as_str() == name)
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something of a provider's, by its id there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    provider: Provider,
    id: String,
}

/// Longest id of a provider's.
const MAX_ID: usize = 255;

/// The text is no id of a provider's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to 255 visible ASCII characters")]
pub struct InvalidReference;

impl Reference {
    /// What a provider calls `id`.
    pub fn parse(provider: Provider, id: &str) -> Result<Self, InvalidReference> {
        let good = (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
        let id = id.to_owned();
        good.then_some(Self { provider, id }).ok_or(InvalidReference)
    }

    /// Whose it is.
    pub const fn provider(&self) -> Provider {
        self.provider
    }

    /// Its id there.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The id of its stream: always the same. A `UUIDv8` out of the SHA-256 of provider and id.
    pub fn purchase_id(&self) -> PurchaseId {
        let mut hash = Sha256::new();
        hash.update(b"purchase\0");
        hash.update(self.provider.as_str().as_bytes());
        hash.update(b"\0");
        hash.update(self.id.as_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        let (bytes, _) = digest.split_first_chunk::<16>().expect("a digest has 32 bytes");
        Builder::from_custom_bytes(*bytes).into_uuid().into()
    }
}

/// What a provider says of a subscription.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is paid, or the provider still tries to collect.
    #[default]
    Active,
    /// The provider has given up collecting, or it is paused.
    Unpaid,
    /// It is over, for good.
    Ended,
}

/// A command to a purchase.
#[derive(Debug, Clone)]
pub struct PurchaseCommand {
    /// Which reference it is about: that of the stream.
    pub reference: Reference,
    /// The provider's own message that says so.
    pub notice: String,
    /// What it says.
    pub fact: Fact,
}

/// What can be noted of a purchase.
#[derive(Debug, Clone)]
pub enum Fact {
    /// A license was issued for it.
    Completed(Box<Complete>),
    /// It is paid up to a time. Nothing happens if that is known.
    Paid {
        /// What was paid with.
        payment: Option<Reference>,
        /// Up to when.
        paid_until: Timestamp,
        /// When the provider said so.
        at: Timestamp,
    },
    /// A subscription is in a standing. Nothing happens if something later is known.
    Standing {
        /// Which.
        standing: Standing,
        /// When the provider said so.
        at: Timestamp,
    },
    /// A payment was given back in full. Nothing happens if that is known.
    Refunded {
        /// The payment: the purchase's own reference, or one that is linked to it.
        payment: Reference,
    },
    /// It belongs to another purchase. Nothing happens if it belongs to one.
    Linked {
        /// To which.
        to: Reference,
    },
    /// Something was done to its license.
    Applied {
        /// When the license ends because of it.
        expires_at: Option<Timestamp>,
        /// Whether the license is held back because of it.
        suspended: Option<bool>,
    },
}

/// A license that was issued for a purchase.
#[derive(Debug, Clone)]
pub struct Complete {
    /// The checkout or order.
    pub checkout: Reference,
    /// The license.
    pub license_id: LicenseId,
    /// Whose it is.
    pub customer_id: CustomerId,
    /// Of what.
    pub product_code: ProductCode,
    /// In which tier.
    pub tier: String,
    /// Whether it is paid again and again.
    pub recurring: bool,
    /// When the license ends as it was issued.
    pub expires_at: Option<Timestamp>,
}

/// Why a purchase refuses a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PurchaseError {
    /// A license was issued for it before.
    #[error("a license was issued for this purchase before")]
    AlreadyCompleted,
    /// It is known, and there is no license for it.
    #[error("no license was issued for this purchase")]
    NotCompleted,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_references_id_is_its_own_and_always_the_same() {
        let id = |provider, id: &str| Reference::parse(provider, id).unwrap().purchase_id();
        let own = id(Provider::Stripe, "sub_1");
        assert_eq!(own, id(Provider::Stripe, "sub_1"));
        assert_eq!(own.as_uuid().get_version_num(), 8);
        assert_ne!(own, id(Provider::Stripe, "sub_2"));
        assert_ne!(own, id(Provider::Polar, "sub_1"));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in ["", "a b", "a\n", "é", &"x".repeat(256)] {
            assert_eq!(
                Reference::parse(Provider::Polar, text),
                Err(InvalidReference),
                "{text}"
            );
        }
    }
}
