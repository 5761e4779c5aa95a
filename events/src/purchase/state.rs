//! A purchase as its events have made it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Provider, PurchaseCompleted, PurchaseEvent, PurchasePaid, Reference, Standing};
use crate::product::ProductCode;
use crate::{CustomerId, LicenseId, Timestamp};

/// The purchase aggregate: nothing before anything was heard of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Purchase {
    state: Option<Arc<PurchaseState>>,
}

/// What is true of a purchase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PurchaseState {
    /// Whose ids these are.
    pub provider: Provider,
    /// What it is called there.
    pub reference: String,
    /// The license that was issued for it.
    pub licensed: Option<Licensed>,
    /// Up to when it is paid, as far as that was told.
    pub paid_until: Option<Timestamp>,
    /// What it was paid up to then with.
    pub payment: Option<String>,
    /// How it stands.
    pub standing: Standing,
    /// When the provider said so.
    pub standing_at: Option<Timestamp>,
    /// Payments that were given back.
    pub refunded: BTreeSet<String>,
    /// What the purchase that it belongs to is called there.
    pub linked_to: Option<String>,
    /// When the license ends, as this purchase left it.
    pub expires_at: Option<Timestamp>,
    /// Whether this purchase holds the license back.
    pub suspended: bool,
}

/// A license that was issued for a purchase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Licensed {
    /// The license.
    pub license_id: LicenseId,
    /// Whose it is.
    pub customer_id: CustomerId,
    /// Of what.
    pub product_code: ProductCode,
    /// In which tier.
    pub tier: String,
    /// The checkout or order.
    pub checkout: String,
    /// Whether it is paid again and again.
    pub recurring: bool,
    /// When it was issued.
    pub completed_at: Timestamp,
}

/// What a purchase amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PurchaseStatus {
    /// The license is paid for.
    Active,
    /// The provider has given up collecting.
    Unpaid,
    /// The subscription is over.
    Ended,
    /// The money was given back.
    Refunded,
}

impl PurchaseStatus {
    /// Every status there is.
    pub const ALL: [Self; 4] = [Self::Active, Self::Unpaid, Self::Ended, Self::Refunded];

    /// The status as text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Unpaid => "unpaid",
            Self::Ended => "ended",
            Self::Refunded => "refunded",
        }
    }

    /// The status with a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

impl PurchaseState {
    /// What it amounts to. Of several payments that of the latest time counts: one of before that was given back
    /// changes nothing.
    pub fn status(&self) -> PurchaseStatus {
        let payment = self.payment.as_ref().unwrap_or(&self.reference);
        if self.refunded.contains(payment) {
            return PurchaseStatus::Refunded;
        }
        match self.standing {
            Standing::Active => PurchaseStatus::Active,
            Standing::Unpaid => PurchaseStatus::Unpaid,
            Standing::Ended => PurchaseStatus::Ended,
        }
    }

    /// Whether of two payments up to the same time this one is to count, whichever was heard of first.
    pub(super) fn is_paid_otherwise(&self, payment: &str) -> bool {
        self.payment.as_deref().is_none_or(|known| payment < known)
    }

    fn heard_of(provider: Provider, reference: &str) -> Self {
        Self {
            provider,
            reference: reference.to_owned(),
            licensed: None,
            paid_until: None,
            payment: None,
            standing: Standing::Active,
            standing_at: None,
            refunded: BTreeSet::new(),
            linked_to: None,
            expires_at: None,
            suspended: false,
        }
    }

    fn complete(&mut self, event: PurchaseCompleted) {
        self.expires_at = event.expires_at;
        self.licensed = Some(Licensed {
            license_id: event.license_id,
            customer_id: event.customer_id,
            product_code: event.product_code,
            tier: event.tier,
            checkout: event.checkout,
            recurring: event.recurring,
            completed_at: event.completed_at,
        });
    }

    /// Who pays is in good standing from then on.
    fn pay(&mut self, event: PurchasePaid) {
        if self.paid_until.is_none_or(|before| before < event.paid_until) {
            self.paid_until = Some(event.paid_until);
            self.payment = event.payment;
        } else if self.paid_until == Some(event.paid_until)
            && event
                .payment
                .as_deref()
                .is_some_and(|payment| self.is_paid_otherwise(payment))
        {
            self.payment = event.payment;
        }
        if self.standing != Standing::Ended && self.standing_at.is_none_or(|before| before <= event.at) {
            self.standing = Standing::Active;
            self.standing_at = Some(event.at);
        }
    }
}

impl From<PurchaseState> for Purchase {
    /// The aggregate whose events led to `state`, as a read model holds it.
    fn from(state: PurchaseState) -> Self {
        Self {
            state: Some(Arc::new(state)),
        }
    }
}

impl Purchase {
    /// The state; `None` before anything was heard of it.
    pub fn state(&self) -> Option<&PurchaseState> {
        self.state.as_deref()
    }

    /// The license that was issued for it.
    pub fn licensed(&self) -> Option<&Licensed> {
        self.state()?.licensed.as_ref()
    }

    /// The purchase that it belongs to, of which nothing else may have been heard yet.
    pub fn linked_to(&self) -> Option<Reference> {
        let state = self.state()?;
        Reference::parse(state.provider, state.linked_to.as_deref()?).ok()
    }

    /// Whether it was given back, or what it was paid with: told of payments and invoices, which are paid once.
    pub fn is_refunded(&self) -> bool {
        self.state().is_some_and(|state| !state.refunded.is_empty())
    }

    /// Follows one event. The read model uses the same function.
    pub fn evolve(&mut self, event: PurchaseEvent) {
        match event {
            PurchaseEvent::Completed(event) => self.of(event.provider, &event.reference).complete(event),
            PurchaseEvent::Paid(event) => self.of(event.provider, &event.reference).pay(event),
            PurchaseEvent::StandingChanged(event) => {
                let state = self.of(event.provider, &event.reference);
                state.standing = event.standing;
                state.standing_at = Some(event.at);
            }
            PurchaseEvent::Refunded(event) => {
                let state = self.of(event.provider, &event.reference);
                state.refunded.insert(event.payment);
            }
            PurchaseEvent::Linked(event) => {
                self.of(event.provider, &event.reference).linked_to = Some(event.to);
            }
            PurchaseEvent::Applied(event) => {
                let state = self.of(event.provider, &event.reference);
                state.expires_at = event.expires_at.or(state.expires_at);
                state.suspended = event.suspended.unwrap_or(state.suspended);
            }
        }
    }

    fn of(&mut self, provider: Provider, reference: &str) -> &mut PurchaseState {
        let state = self
            .state
            .get_or_insert_with(|| Arc::new(PurchaseState::heard_of(provider, reference)));
        Arc::make_mut(state)
    }
}
