//! Erasing what is known of a customer, and the certificate of it.

use vinzy_events::customer::{
    Customer, CustomerCommand, CustomerErased, CustomerError, CustomerEvent, Erasure,
};
use vinzy_events::ledger::{Hash, event_hash};
use vinzy_events::{CustomerId, EventId};
use vinzy_projections::event_log;

use super::{CUSTOMER_EMAIL, CommandError, Context, Order};
use crate::app::App;
use crate::ledger::signer::Signer;
use crate::ledger::{Attempt, LedgerError, Ledgers, Needs, Operation};

/// What proves that a customer was erased.
#[derive(Debug, Clone, PartialEq)]
pub struct Certificate {
    /// The customer.
    pub customer_id: CustomerId,
    /// Name of the ledger.
    pub origin: String,
    /// The event that says so.
    pub event_id: EventId,
    /// Where it stands.
    pub position: u64,
    /// Its hash.
    pub event_hash: Hash,
    /// What it says.
    pub erased: CustomerErased,
    /// Its exact bytes, which the hash is of.
    pub leaf: String,
    /// A signed checkpoint of the ledger, the event being within.
    pub checkpoint: String,
}

/// Erases a customer: destroys keys and ciphertext, frees their address. Doing it again changes nothing.
///
/// # Errors
/// [`CustomerError::NotFound`] for who never was; those who were deleted can be erased.
pub async fn erase(
    app: &App,
    order: Order,
    id: CustomerId,
    reason: Option<String>,
) -> Result<(), CommandError> {
    order.execute(app, Erase { id, reason }).await?;
    Ok(())
}

/// As [`erase`], for who has the ledgers and nothing else.
pub async fn erase_in(
    ledgers: &Ledgers,
    ledger_id: &str,
    context: Context,
    id: CustomerId,
    reason: Option<String>,
) -> Result<(), CommandError> {
    let operation = Erase { id, reason };
    ledgers.execute(ledger_id, operation, context, None).await?;
    Ok(())
}

/// The certificate of an erasure, with a checkpoint as of now; `None` if there was none.
///
/// # Errors
/// [`CustomerError::NotFound`] for who never was. [`CommandError::Checkpoint`] when none can be signed.
pub async fn certificate(
    ledgers: &Ledgers,
    signer: &Signer,
    ledger_id: &str,
    id: CustomerId,
) -> Result<Option<Certificate>, CommandError> {
    let store = ledgers.store(ledger_id);
    let mut conn = store.pool().acquire().await?;
    let event = event_log::erasure_of_customer(&mut conn, ledger_id, id).await?;
    drop(conn);
    let Some(event) = event else {
        let customer = store.load::<Customer>(&id.to_string()).await?;
        return match customer.aggregate.state() {
            Some(_) => Ok(None),
            None => Err(CommandError::Customer(CustomerError::NotFound)),
        };
    };
    let unreadable = || CommandError::Ledger(LedgerError::Unreadable);
    let CustomerEvent::Erased(erased) = event.decode().map_err(|_| unreadable())? else {
        return Err(unreadable());
    };
    let leaf = event.parse_leaf().map_err(|_| unreadable())?;
    Ok(Some(Certificate {
        customer_id: id,
        origin: leaf.ledger,
        event_id: leaf.event_id,
        position: leaf.pos,
        event_hash: event_hash(&event.leaf),
        erased,
        leaf: String::from_utf8(event.leaf).map_err(|_| unreadable())?,
        checkpoint: signer.sign(ledger_id).await?.note,
    }))
}

/// Destroys what is sealed of a customer. Runs under the ledger's lock, so a change that was prepared before it
/// is refused after it.
#[derive(Clone)]
struct Erase {
    id: CustomerId,
    reason: Option<String>,
}

impl Operation for Erase {
    type Output = ();
    type Error = CommandError;

    fn needs(&self, needs: &mut Needs) {
        needs.stream::<Customer>(self.id);
        needs.sealed_data(self.id);
    }

    fn run(self, attempt: &mut Attempt<'_>) -> Result<(), CommandError> {
        let sealed = attempt.sealed_data(self.id);
        let erasure = Erasure {
            keys: sealed.keys.into_iter().collect(),
            sealed_values: sealed.values,
            reason: self.reason,
        };
        let before = attempt.aggregate::<Customer>(self.id).seq;
        let after = attempt
            .decide::<Customer>(self.id, CustomerCommand::Erase(erasure))?
            .seq;
        // Nothing is taken away without an event that says so.
        if after > before {
            attempt.destroy_sealed_data(self.id);
            attempt.release(CUSTOMER_EMAIL, self.id);
        }
        Ok(())
    }
}
