//! What a provider of payments tells, whoever it is.

use std::sync::Arc;

use vinzy_events::Timestamp;
use vinzy_events::customer::EmailAddress;
use vinzy_events::product::ProductCode;
use vinzy_events::purchase::{Provider, Reference, Standing};

/// What a message of a provider's tells.
#[derive(Debug, Clone)]
pub struct Message {
    provider: Provider,
    notice: Arc<str>,
    /// Somebody has bought something.
    pub checkout: Option<Box<Checkout>>,
    /// What else has happened, in the order in which it is to be noted.
    pub changes: Vec<Change>,
}

impl Message {
    /// A message with an id that tells nothing so far.
    pub fn new(provider: Provider, notice: &str) -> Self {
        Self {
            provider,
            notice: notice.into(),
            checkout: None,
            changes: vec![],
        }
    }

    /// Who tells it.
    pub const fn provider(&self) -> Provider {
        self.provider
    }

    /// Its id at the provider's.
    pub fn notice(&self) -> &str {
        &self.notice
    }

    /// Whether it tells nothing.
    pub fn is_empty(&self) -> bool {
        self.checkout.is_none() && self.changes.is_empty()
    }

    /// Everything that it names.
    pub(super) fn references(&self) -> Vec<&Reference> {
        let mut all: Vec<&Reference> = self.checkout.iter().map(|checkout| &checkout.purchase).collect();
        for change in &self.changes {
            match change {
                Change::Paid { of, payment, .. } => all.extend([of].into_iter().chain(payment)),
                Change::Standing { of, .. } | Change::Refunded { of } => all.push(of),
                Change::Linked { from, to } => all.extend([from, to]),
            }
        }
        all
    }
}

/// A paid checkout.
#[derive(Debug, Clone)]
pub struct Checkout {
    /// What is bought, as it will be called from now on: the subscription, else the payment, else the checkout.
    pub purchase: Reference,
    /// The checkout or order.
    pub checkout: Reference,
    /// Of what.
    pub product_code: ProductCode,
    /// In which tier; the product's default tier when none is named.
    pub tier: Option<String>,
    /// The buyer's address.
    pub email: EmailAddress,
    /// What to call the buyer, if nobody has their address yet.
    pub name: String,
    /// Whether it is paid again and again.
    pub recurring: bool,
}

/// What has happened to a purchase.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// It was paid up to a time.
    Paid {
        /// What was paid.
        of: Reference,
        /// With what.
        payment: Option<Reference>,
        /// Up to when.
        paid_until: Timestamp,
        /// When the provider said so.
        at: Timestamp,
    },
    /// A subscription is in a standing.
    Standing {
        /// Which.
        of: Reference,
        /// In what standing.
        standing: Standing,
        /// When the provider said so.
        at: Timestamp,
    },
    /// A payment was given back in full.
    Refunded {
        /// Which.
        of: Reference,
    },
    /// One reference belongs to another.
    Linked {
        /// Which.
        from: Reference,
        /// To which.
        to: Reference,
    },
}
