//! Commands to customers. What they are called is sealed beside their events.

use std::collections::BTreeSet;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use sqlx::PgPool;
use vinzy_events::CustomerId;
use vinzy_events::customer::{
    Customer, CustomerCommand, CustomerError, CustomerState, EmailAddress, PersonalField,
};

use super::{CUSTOMER_EMAIL, CommandError};
use crate::ledger::{Attempt, LedgerError, Needs, Operation, Personal, Versioned};
use crate::personal_data::store::PersonalData;
use crate::personal_data::{DataKey, MasterKey};

/// Hashes addresses for the uniqueness table, so that the table alone tells none of them. Derived from
/// the server's secret key.
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
pub struct Create {
    /// Their id.
    pub id: CustomerId,
    /// What they are called.
    pub data: PersonalData,
    /// Hash of the address.
    pub email_hash: String,
    /// A new key to seal their data with.
    pub key: DataKey,
    /// Wraps the key for storage.
    pub master: MasterKey,
    /// The ledger, to which the wrapped key is bound.
    pub ledger_id: String,
}

impl Operation for Create {
    type Output = (CustomerId, CustomerState, PersonalData);
    type Error = CommandError;

    fn needs(&self, needs: &mut Needs) {
        needs.claim(CUSTOMER_EMAIL, self.email_hash.as_str());
    }

    fn run(self, attempt: &mut Attempt<'_>) -> Result<Self::Output, CommandError> {
        attempt.claim(CUSTOMER_EMAIL, self.email_hash, self.id).map_err(|_| CommandError::EmailTaken)?;
        let nonce = attempt.entropy().bytes();
        let wrapped = self.master.wrap(&self.ledger_id, self.id, &self.key, nonce);
        attempt.store_data_key(self.id, self.key.id(), wrapped);
        let fields = PersonalField::ALL.map(|field| (field.path(), self.data.plaintext(field))).into();
        let personal = Personal { customer_id: self.id, key: self.key, fields };
        let customer =
            attempt.decide_with::<Customer>(self.id, CustomerCommand::Create, Some(personal))?;
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
pub struct Update {
    /// Whom.
    pub id: CustomerId,
    /// What they are called after the change, in the changed fields.
    pub data: PersonalData,
    /// Which fields change.
    pub changed: BTreeSet<PersonalField>,
    /// Hash of the new address, if that changes.
    pub email_hash: Option<String>,
    /// The customer's key.
    pub key: DataKey,
}

impl Update {
    /// The change that `changes` amount to.
    pub fn new(id: CustomerId, changes: Changes, key: DataKey, hasher: &AddressHasher) -> Self {
        let email_hash = changes.email.as_ref().map(|email| hasher.hash(email));
        let changed = [
            (PersonalField::Name, changes.name.is_some()),
            (PersonalField::Email, changes.email.is_some()),
            (PersonalField::Company, changes.company.is_some()),
            (PersonalField::Metadata, changes.metadata.is_some()),
        ];
        let data = PersonalData {
            name: changes.name.unwrap_or_default(),
            email: changes.email.map(|email| email.as_str().to_owned()).unwrap_or_default(),
            company: changes.company.unwrap_or_default(),
            metadata: changes.metadata.unwrap_or_default(),
        };
        let changed = changed.into_iter().filter_map(|(field, is)| is.then_some(field)).collect();
        Self { id, data, changed, email_hash, key }
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
        live(&attempt.aggregate::<Customer>(self.id))?;
        if let Some(hash) = self.email_hash {
            attempt.claim(CUSTOMER_EMAIL, hash, self.id).map_err(|_| CommandError::EmailTaken)?;
        }
        let fields =
            self.changed.iter().map(|field| (field.path(), self.data.plaintext(*field))).collect();
        let personal = Personal { customer_id: self.id, key: self.key, fields };
        let command = CustomerCommand::Update(self.changed);
        let customer = attempt.decide_with::<Customer>(self.id, command, Some(personal))?;
        Ok((live(&customer)?, customer.seq))
    }
}

/// Removes a customer whom no license refers to.
pub struct Delete {
    /// Whom.
    pub id: CustomerId,
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

pub(crate) fn live(customer: &Versioned<Customer>) -> Result<CustomerState, CommandError> {
    customer.aggregate.live().cloned().ok_or(CommandError::Customer(CustomerError::NotFound))
}

/// The customer who has an address, as of now.
pub async fn id_of_email(
    pool: &PgPool,
    ledger_id: &str,
    email_hash: &str,
) -> Result<Option<CustomerId>, CommandError> {
    let stream_id = sqlx::query_scalar!(
        "SELECT stream_id FROM unique_claims WHERE ledger_id = $1 AND kind = $2 AND value = $3",
        ledger_id,
        CUSTOMER_EMAIL,
        email_hash,
    )
    .fetch_optional(pool)
    .await?;
    stream_id.map(|id| id.parse().map_err(|_| CommandError::Ledger(LedgerError::Unreadable))).transpose()
}
