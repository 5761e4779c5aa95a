//! What a purchase answers to a command: what it knows already it does not note again.

use super::{
    Complete, Fact, Purchase, PurchaseApplied, PurchaseCommand, PurchaseCompleted, PurchaseError,
    PurchaseEvent, PurchaseLinked, PurchasePaid, PurchaseRefunded, PurchaseStandingChanged, Reference,
    Standing,
};
use crate::Timestamp;
use crate::stream::{StreamAggregate, aggregate_by_decision};

aggregate_by_decision!(
    Purchase,
    "purchase",
    PurchaseCommand,
    PurchaseEvent,
    PurchaseError
);

impl StreamAggregate for Purchase {
    fn decide(&self, command: PurchaseCommand, at: Timestamp) -> Result<Vec<PurchaseEvent>, PurchaseError> {
        let PurchaseCommand {
            reference: of,
            notice,
            fact,
        } = command;
        let event = match fact {
            Fact::Completed(license) => {
                if self.licensed().is_some() {
                    return Err(PurchaseError::AlreadyCompleted);
                }
                Some(completed(&of, *license, at, notice))
            }
            Fact::Paid {
                payment,
                paid_until,
                at,
            } => self.is_news(payment.as_ref(), paid_until, at).then(|| {
                PurchaseEvent::Paid(PurchasePaid {
                    provider: of.provider(),
                    reference: of.id().to_owned(),
                    payment: payment.map(|payment| payment.id().to_owned()),
                    paid_until,
                    at,
                    notice,
                })
            }),
            Fact::Standing { standing, at } => self.is_later(standing, at).then(|| {
                PurchaseEvent::StandingChanged(PurchaseStandingChanged {
                    provider: of.provider(),
                    reference: of.id().to_owned(),
                    standing,
                    at,
                    notice,
                })
            }),
            Fact::Refunded { payment } => {
                let known = self
                    .state()
                    .is_some_and(|state| state.refunded.contains(payment.id()));
                (!known).then(|| {
                    PurchaseEvent::Refunded(PurchaseRefunded {
                        provider: of.provider(),
                        reference: of.id().to_owned(),
                        payment: payment.id().to_owned(),
                        notice,
                    })
                })
            }
            Fact::Linked { to } => (self.linked_to().is_none() && to != of).then(|| {
                PurchaseEvent::Linked(PurchaseLinked {
                    provider: of.provider(),
                    reference: of.id().to_owned(),
                    purchase_id: to.purchase_id(),
                    to: to.id().to_owned(),
                    notice,
                })
            }),
            Fact::Applied {
                expires_at,
                suspended,
            } => {
                if self.licensed().is_none() {
                    return Err(PurchaseError::NotCompleted);
                }
                Some(PurchaseEvent::Applied(PurchaseApplied {
                    provider: of.provider(),
                    reference: of.id().to_owned(),
                    expires_at,
                    suspended,
                    notice,
                }))
            }
        };
        Ok(event.into_iter().collect())
    }
}

fn completed(of: &Reference, license: Complete, at: Timestamp, notice: String) -> PurchaseEvent {
    PurchaseEvent::Completed(PurchaseCompleted {
        provider: of.provider(),
        reference: of.id().to_owned(),
        checkout: license.checkout.id().to_owned(),
        license_id: license.license_id,
        customer_id: license.customer_id,
        product_code: license.product_code,
        tier: license.tier,
        recurring: license.recurring,
        expires_at: license.expires_at,
        completed_at: at,
        notice,
    })
}

impl Purchase {
    /// Whether a payment says anything that is not known.
    fn is_news(&self, payment: Option<&Reference>, paid_until: Timestamp, at: Timestamp) -> bool {
        let Some(state) = self.state() else { return true };
        let further = state.paid_until.is_none_or(|before| before < paid_until);
        let same = state.paid_until == Some(paid_until);
        let settles = state.standing != Standing::Ended
            && match state.standing_at {
                Some(before) if before == at => state.standing == Standing::Unpaid,
                Some(before) => before < at,
                None => true,
            };
        further || settles || (same && payment.is_some_and(|payment| state.is_paid_otherwise(payment.id())))
    }

    /// Whether a standing is what counts from now on: the end is final, else the later word counts, and of two at the
    /// same time the better one.
    fn is_later(&self, standing: Standing, at: Timestamp) -> bool {
        let Some(state) = self.state() else { return true };
        if state.standing == Standing::Ended {
            return false;
        }
        if standing == Standing::Ended {
            return true;
        }
        match state.standing_at {
            Some(before) if before == at => {
                standing == Standing::Active && state.standing == Standing::Unpaid
            }
            Some(before) => before < at,
            None => true,
        }
    }
}

#[cfg(test)]
mod tests;
