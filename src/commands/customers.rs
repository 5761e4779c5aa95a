//! Commands to customers. What they are called is sealed beside their events.

use std::collections::BTreeSet;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use vinzy_events::customer::{
    Customer, CustomerCommand, CustomerError, CustomerState, EmailAddress, PersonalField,
};
use vinzy_events::{CustomerId, Timestamp};

use super::{CUSTOMER_EMAIL, CommandError, Order, Outcome, StreamPoint};
use crate::app::App;
use crate::keys::MasterKeys;
use crate::ledger::{Attempt, LedgerError, Needs, Operation, Personal, Versioned};
use crate::personal_data::DataKey;
use crate::personal_data::store::{PersonalData, PersonalDataError};

/// A customer with what they are called.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedCustomer {
    /// Their id.
    pub id: CustomerId,
    /// What is true of them.
    pub state: CustomerState,
    /// What they are called.
    pub data: PersonalData,
}

/// Creates a customer. The same order again gives the customer as they were created.
pub async fn create(
    app: &App,
    order: Order,
    data: PersonalData,
    email: &EmailAddress,
) -> Result<NamedCustomer, CommandError> {
    let id = CustomerId::new(app.clock.now(), app.entropy.bytes());
    let ledger_id = order.ledger_id.clone();
    let operation = Create {
        id,
        data,
        email_hash: app.address_hasher.hash(email),
        key: new_data_key(app),
        masters: app.personal_data.masters().clone(),
        ledger_id: ledger_id.to_string(),
    };
    match order.execute(app, operation).await? {
        Outcome::Done((id, state, data)) => Ok(NamedCustomer { id, state, data }),
        Outcome::Replayed(point) => as_of(app, &ledger_id, &point).await,
    }
}

/// A key to seal a new customer's data with.
pub(super) fn new_data_key(app: &App) -> DataKey {
    let key_id = data_encoding::HEXLOWER.encode(&app.entropy.bytes::<8>());
    DataKey::new(key_id, app.entropy.bytes())
}

/// Changes a customer and gives them as they are then.
pub async fn update(
    app: &App,
    order: Order,
    id: CustomerId,
    changes: Changes,
) -> Result<NamedCustomer, CommandError> {
    let ledger_id = order.ledger_id.clone();
    let key = app.personal_data.data_key(&ledger_id, id).await?;
    let operation = Update::new(id, changes, key, &app.address_hasher);
    let point = match order.execute(app, operation).await? {
        Outcome::Done((_, seq)) => StreamPoint {
            stream_type: <Customer as cqrs_es::Aggregate>::TYPE.to_owned(),
            stream_id: id.to_string(),
            seq,
        },
        Outcome::Replayed(point) => point,
    };
    as_of(app, &ledger_id, &point).await
}

/// Deletes a customer.
pub async fn delete(app: &App, order: Order, id: CustomerId) -> Result<(), CommandError> {
    order.execute(app, Delete { id }).await?;
    Ok(())
}

/// The customer with an id, as of now.
pub async fn get(app: &App, ledger_id: &str, id: CustomerId) -> Result<NamedCustomer, CommandError> {
    let customer = app
        .ledgers
        .store(ledger_id)
        .load::<Customer>(&id.to_string())
        .await?;
    named(app, ledger_id, id, &customer).await
}

/// When a customer was erased; `None` if they were not.
pub async fn erased_at(
    app: &App,
    ledger_id: &str,
    id: CustomerId,
) -> Result<Option<Timestamp>, CommandError> {
    let store = app.ledgers.store(ledger_id);
    let customer = store.load::<Customer>(&id.to_string()).await?.aggregate;
    Ok(customer.state().and_then(|state| state.erased_at))
}

async fn as_of(app: &App, ledger_id: &str, point: &StreamPoint) -> Result<NamedCustomer, CommandError> {
    let aggregate = app.ledgers.store(ledger_id).load_as_of::<Customer>(point).await?;
    let id: CustomerId = point.stream_id.parse().map_err(|_| LedgerError::Unreadable)?;
    let customer = Versioned {
        aggregate,
        seq: point.seq,
    };
    named(app, ledger_id, id, &customer).await
}

/// A customer with what they were called then, as far as that was not erased since.
async fn named(
    app: &App,
    ledger_id: &str,
    id: CustomerId,
    customer: &Versioned<Customer>,
) -> Result<NamedCustomer, CommandError> {
    let mut state = live(customer)?;
    let mut data = app.personal_data.as_of(ledger_id, &[id], customer.seq).await?;
    let data = data.remove(&id);
    if data.is_none() {
        state.erased_at = erased_at(app, ledger_id, id).await?;
    }
    Ok(NamedCustomer {
        id,
        state,
        data: data.unwrap_or_default(),
    })
}

/// Hashes addresses for the uniqueness table, so that the table alone tells none of them. The key is one of
/// the server's, which the database keeps wrapped.
#[derive(Clone)]
pub struct AddressHasher([u8; 32]);

impl AddressHasher {
    /// From 32 secret bytes.
    pub const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// Keyed hash of an address, upper and lower case being the same, as lower hex.
    pub fn hash(&self, email: &EmailAddress) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(email.identity().as_bytes());
        data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes())
    }
}

/// Registers a customer under an address that no other has.
#[derive(Clone)]
pub(super) struct Create {
    pub(super) id: CustomerId,
    pub(super) data: PersonalData,
    pub(super) email_hash: String,
    pub(super) key: DataKey,
    pub(super) masters: MasterKeys,
    pub(super) ledger_id: String,
}

impl Operation for Create {
    type Output = (CustomerId, CustomerState, PersonalData);
    type Error = CommandError;

    fn needs(&self, needs: &mut Needs) {
        needs.claim(CUSTOMER_EMAIL, self.email_hash.as_str());
    }

    fn run(self, attempt: &mut Attempt<'_>) -> Result<Self::Output, CommandError> {
        attempt
            .claim(CUSTOMER_EMAIL, self.email_hash, self.id)
            .map_err(|_| CommandError::EmailTaken)?;
        let nonce = attempt.entropy().bytes();
        let wrapped = self.key.wrap(&self.masters, &self.ledger_id, self.id, nonce);
        attempt.store_data_key(self.id, self.key.id(), wrapped);
        let fields = PersonalField::ALL
            .map(|field| (field.path(), self.data.plaintext(field)))
            .into();
        let personal = Personal {
            customer_id: self.id,
            key: self.key,
            fields,
        };
        let customer = attempt.decide_with::<Customer>(self.id, CustomerCommand::Create, Some(personal))?;
        Ok((self.id, live(&customer)?, self.data))
    }
}

/// Changes to what a customer is called; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// New name.
    pub name: Option<String>,
    /// New address.
    pub email: Option<EmailAddress>,
    /// New company.
    pub company: Option<String>,
    /// New metadata as a whole.
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
}

/// Replaces fields of a customer.
#[derive(Clone)]
struct Update {
    id: CustomerId,
    data: PersonalData,
    changed: BTreeSet<PersonalField>,
    email_hash: Option<String>,
    /// Taken before the ledger's lock: by the time it is needed, it may have been destroyed.
    key: Option<DataKey>,
}

impl Update {
    /// The change that `changes` amount to.
    fn new(id: CustomerId, changes: Changes, key: Option<DataKey>, hasher: &AddressHasher) -> Self {
        let email_hash = changes.email.as_ref().map(|email| hasher.hash(email));
        let changed = [
            (PersonalField::Name, changes.name.is_some()),
            (PersonalField::Email, changes.email.is_some()),
            (PersonalField::Company, changes.company.is_some()),
            (PersonalField::Metadata, changes.metadata.is_some()),
        ];
        let data = PersonalData {
            name: changes.name.unwrap_or_default(),
            email: changes
                .email
                .map(|email| email.as_str().to_owned())
                .unwrap_or_default(),
            company: changes.company.unwrap_or_default(),
            metadata: changes.metadata.unwrap_or_default(),
        };
        let changed = changed
            .into_iter()
            .filter_map(|(field, is)| is.then_some(field))
            .collect();
        Self {
            id,
            data,
            changed,
            email_hash,
            key,
        }
    }
}

impl Operation for Update {
    type Output = (CustomerState, u64);
    type Error = CommandError;

    fn needs(&self, needs: &mut Needs) {
        needs.stream::<Customer>(self.id);
        if let Some(hash) = &self.email_hash {
            needs.claim(CUSTOMER_EMAIL, hash.as_str());
        }
    }

    fn run(self, attempt: &mut Attempt<'_>) -> Result<Self::Output, CommandError> {
        if live(&attempt.aggregate::<Customer>(self.id))?.erased_at.is_some() {
            return Err(CommandError::Customer(CustomerError::Erased));
        }
        let key = self.key.ok_or(PersonalDataError::KeyMissing(self.id))?;
        if let Some(hash) = self.email_hash {
            attempt
                .claim(CUSTOMER_EMAIL, hash, self.id)
                .map_err(|_| CommandError::EmailTaken)?;
        }
        let fields = self
            .changed
            .iter()
            .map(|field| (field.path(), self.data.plaintext(*field)))
            .collect();
        let personal = Personal {
            customer_id: self.id,
            key,
            fields,
        };
        let command = CustomerCommand::Update(self.changed);
        let customer = attempt.decide_with::<Customer>(self.id, command, Some(personal))?;
        Ok((live(&customer)?, customer.seq))
    }
}

/// Removes a customer whom no license refers to.
#[derive(Clone)]
struct Delete {
    id: CustomerId,
}

impl Operation for Delete {
    type Output = ();
    type Error = CommandError;

    fn needs(&self, needs: &mut Needs) {
        needs.stream::<Customer>(self.id);
        needs.references::<Customer>(self.id);
    }

    fn run(self, attempt: &mut Attempt<'_>) -> Result<(), CommandError> {
        attempt.decide::<Customer>(self.id, CustomerCommand::Delete)?;
        let licenses = attempt.references::<Customer>(self.id);
        if licenses > 0 {
            return Err(CommandError::InUse { licenses });
        }
        attempt.release(CUSTOMER_EMAIL, self.id);
        Ok(())
    }
}

fn live(customer: &Versioned<Customer>) -> Result<CustomerState, CommandError> {
    customer
        .aggregate
        .live()
        .cloned()
        .ok_or(CommandError::Customer(CustomerError::NotFound))
}

/// The customer who has an address, as of now.
pub async fn id_of_email(
    app: &App,
    ledger_id: &str,
    email: &EmailAddress,
) -> Result<Option<CustomerId>, CommandError> {
    let stream_id = sqlx::query_scalar!(
        "SELECT stream_id FROM unique_claims WHERE ledger_id = $1 AND kind = $2 AND value = $3",
        ledger_id,
        CUSTOMER_EMAIL,
        app.address_hasher.hash(email),
    )
    .fetch_optional(&app.pool)
    .await?;
    stream_id
        .map(|id| {
            id.parse()
                .map_err(|_| CommandError::Ledger(LedgerError::Unreadable))
        })
        .transpose()
}
