//! One message as an operation of the ledger.

use std::collections::BTreeSet;
use std::sync::Arc;

use vinzy_events::customer::Customer;
use vinzy_events::license::License;
use vinzy_events::product::Product;
use vinzy_events::purchase::{Fact, Purchase, PurchaseCommand, Reference};
use vinzy_events::{LicenseId, PurchaseId};

use super::sale::Sale;
use super::{Change, Deed, Message, TellError, Told};
use crate::app::App;
use crate::commands::{CUSTOMER_EMAIL, CommandError};
use crate::ledger::{Attempt, Needs, Operation};

/// Links from a payment to its subscription, at most.
const LINKS: usize = 4;

/// Everything that a message may touch, read before the lock, and what a new license takes.
#[derive(Clone)]
pub(super) struct Tell {
    message: Message,
    purchases: BTreeSet<PurchaseId>,
    licenses: BTreeSet<LicenseId>,
    grace_days: u32,
    sale: Option<Box<Sale>>,
}

impl Tell {
    /// Reads what the message is about; `None` if it changed meanwhile.
    pub(super) async fn prepare(
        app: &App,
        ledger_id: &Arc<str>,
        message: Message,
    ) -> Result<Option<Self>, CommandError> {
        let store = app.ledgers.store(ledger_id);
        let (mut purchases, mut licenses) = (BTreeSet::new(), BTreeSet::new());
        let mut completed = false;
        let mut waiting: Vec<PurchaseId> = message
            .references()
            .into_iter()
            .map(Reference::purchase_id)
            .collect();
        let bought = message
            .checkout
            .as_ref()
            .map(|checkout| checkout.purchase.purchase_id());
        while let Some(id) = waiting.pop() {
            if !purchases.insert(id) {
                continue;
            }
            let purchase = store.load::<Purchase>(&id.to_string()).await?.aggregate;
            waiting.extend(purchase.linked_to().map(|of| of.purchase_id()));
            if let Some(licensed) = purchase.licensed() {
                licenses.insert(licensed.license_id);
                completed |= bought == Some(id);
            }
        }
        let sale = match &message.checkout {
            Some(checkout) if !completed => {
                let sale = Sale::prepare(app, ledger_id, checkout.as_ref().clone()).await?;
                let Some(sale) = sale else { return Ok(None) };
                Some(Box::new(sale))
            }
            _ => None,
        };
        Ok(Some(Self {
            message,
            purchases,
            licenses,
            grace_days: app.grace_days,
            sale,
        }))
    }

    fn command(&self, of: &Reference, fact: Fact) -> PurchaseCommand {
        PurchaseCommand {
            reference: of.clone(),
            notice: self.message.notice().to_owned(),
            fact,
        }
    }

    fn note(&self, attempt: &mut Attempt<'_>, of: &Reference, fact: Fact) -> Result<Purchase, TellError> {
        let id = of.purchase_id();
        if !self.purchases.contains(&id) {
            return Err(TellError::Moved);
        }
        let command = self.command(of, fact);
        let decided = attempt.decide::<Purchase>(id, command);
        Ok(decided.map_err(CommandError::Purchase)?.aggregate)
    }

    /// Notes that a payment was given back, with all that it belongs to.
    fn refund(
        &self,
        attempt: &mut Attempt<'_>,
        payment: &Reference,
        touched: &mut Vec<Reference>,
    ) -> Result<(), TellError> {
        let (mut of, mut payment) = (payment.clone(), payment.clone());
        for _ in 0..LINKS {
            let purchase = self.note(
                attempt,
                &of,
                Fact::Refunded {
                    payment: payment.clone(),
                },
            )?;
            touched.push(of.clone());
            let Some(next) = purchase.linked_to() else { break };
            payment = std::mem::replace(&mut of, next);
        }
        Ok(())
    }

    /// Notes that one reference belongs to another, which is refunded if it is.
    fn link(
        &self,
        attempt: &mut Attempt<'_>,
        from: &Reference,
        to: &Reference,
        touched: &mut Vec<Reference>,
    ) -> Result<(), TellError> {
        let linked = self.note(attempt, from, Fact::Linked { to: to.clone() })?;
        if linked.is_refunded() {
            self.refund(attempt, from, touched)?;
        }
        Ok(())
    }

    fn change(
        &self,
        attempt: &mut Attempt<'_>,
        change: &Change,
        touched: &mut Vec<Reference>,
    ) -> Result<(), TellError> {
        match change {
            Change::Paid {
                of,
                payment,
                paid_until,
                at,
            } => {
                let paid = Fact::Paid {
                    payment: payment.clone(),
                    paid_until: *paid_until,
                    at: *at,
                };
                self.note(attempt, of, paid)?;
                touched.push(of.clone());
                if let Some(payment) = payment {
                    self.link(attempt, payment, of, touched)?;
                }
            }
            Change::Standing { of, standing, at } => {
                let (standing, at) = (*standing, *at);
                self.note(attempt, of, Fact::Standing { standing, at })?;
                touched.push(of.clone());
            }
            Change::Refunded { of } => self.refund(attempt, of, touched)?,
            Change::Linked { from, to } => self.link(attempt, from, to, touched)?,
        }
        Ok(())
    }

    /// Makes a license what its purchase says.
    fn settle(&self, attempt: &mut Attempt<'_>, of: &Reference) -> Result<Option<LicenseId>, TellError> {
        let id = of.purchase_id();
        let purchase = attempt.aggregate::<Purchase>(id).aggregate;
        let Some(licensed) = purchase.licensed() else {
            return Ok(None);
        };
        let license_id = licensed.license_id;
        let is_new = self
            .sale
            .as_ref()
            .is_some_and(|sale| sale.license_id == license_id);
        if !is_new && !self.licenses.contains(&license_id) {
            return Err(TellError::Moved);
        }
        let license = attempt.aggregate::<License>(license_id).aggregate;
        let effects = purchase.effects(&license, self.grace_days, attempt.at());
        for command in effects.commands {
            attempt
                .decide::<License>(license_id, command)
                .map_err(CommandError::License)?;
        }
        if let Some(applied) = effects.applied {
            self.note(attempt, of, applied)?;
        }
        Ok(Some(license_id))
    }
}

impl Operation for Tell {
    type Output = Told;
    type Error = TellError;

    fn needs(&self, needs: &mut Needs) {
        for id in &self.purchases {
            needs.stream::<Purchase>(id);
        }
        for id in &self.licenses {
            needs.stream::<License>(id);
        }
        if let Some(sale) = &self.sale {
            needs.stream::<Product>(sale.product_id);
            needs.claim(CUSTOMER_EMAIL, sale.email_hash.as_str());
            if let Some(customer) = sale.customer {
                needs.stream::<Customer>(customer);
            }
        }
    }

    fn run(self, attempt: &mut Attempt<'_>) -> Result<Told, TellError> {
        let before = attempt.next_position();
        let mut touched = vec![];
        for change in &self.message.changes {
            self.change(attempt, change, &mut touched)?;
        }
        let mut issued = false;
        if let Some(checkout) = &self.message.checkout {
            let of = &checkout.purchase;
            let purchase = attempt.aggregate::<Purchase>(of.purchase_id()).aggregate;
            if purchase.licensed().is_none() {
                let sale = self.sale.clone().ok_or(TellError::Moved)?;
                let expiry = purchase.expiry(self.grace_days).filter(|_| checkout.recurring);
                let completed = sale.issue(attempt, expiry, self.grace_days)?;
                self.note(attempt, of, Fact::Completed(Box::new(completed)))?;
                issued = true;
            }
            touched.insert(0, of.clone());
        }
        let mut license_id = None;
        let mut settled: BTreeSet<PurchaseId> = BTreeSet::new();
        for of in &touched {
            if settled.insert(of.purchase_id()) {
                let settled = self.settle(attempt, of)?;
                license_id = license_id.or(settled);
            }
        }
        let deed = if issued {
            Deed::Issued
        } else if attempt.next_position() > before {
            Deed::Noted
        } else {
            Deed::Known
        };
        Ok(Told { license_id, deed })
    }
}
