//! Reading sealed personal data: what a customer is called, as of an event or now.

use std::collections::HashMap;

use serde_json::{Map, Value};
use sqlx::PgPool;
use uuid::Uuid;
use vinzy_events::customer::PersonalField;
use vinzy_events::{CustomerId, EventId};
use vinzy_projections::event_log::signed;

use super::{DataKey, Unopenable};
use crate::keys::MasterKeys;

/// What is known of a customer. Fields that were erased are empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PersonalData {
    /// Name.
    pub name: String,
    /// Address.
    pub email: String,
    /// Company.
    pub company: String,
    /// The vendor's own data about the customer.
    pub metadata: Map<String, Value>,
}

/// Why personal data could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PersonalDataError {
    /// The database failed.
    #[error("database failed")]
    Database(#[from] sqlx::Error),
    /// A key or a ciphertext does not open: another secret key, or damage.
    #[error("personal data of customer {0} cannot be opened with this secret key")]
    Unopenable(CustomerId),
    /// There is no key, although nobody erased the customer.
    #[error("the key of customer {0}'s personal data is missing")]
    KeyMissing(CustomerId),
}

/// Opens sealed values of one ledger.
#[derive(Clone)]
pub struct PersonalDataStore {
    pool: PgPool,
    masters: MasterKeys,
}

impl PersonalDataStore {
    /// Opens what keys wrapped by one of `masters` sealed.
    pub fn new(pool: PgPool, masters: MasterKeys) -> Self {
        Self { pool, masters }
    }

    /// The keys that wrap data keys.
    pub fn masters(&self) -> &MasterKeys {
        &self.masters
    }

    /// The key that seals a customer's data; `None` when it was never made or was destroyed.
    pub async fn data_key(
        &self,
        ledger_id: &str,
        customer_id: CustomerId,
    ) -> Result<Option<DataKey>, PersonalDataError> {
        let row = sqlx::query!(
            "SELECT key_id, wrapped_key FROM data_keys
             WHERE ledger_id = $1 AND customer_id = $2
             ORDER BY key_id DESC LIMIT 1",
            ledger_id,
            customer_id.as_uuid(),
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| self.unwrap(ledger_id, customer_id, &row.key_id, &row.wrapped_key))
            .transpose()
    }

    /// The key of a customer's data with an id; `None` when it was destroyed.
    pub async fn data_key_with_id(
        &self,
        ledger_id: &str,
        customer_id: CustomerId,
        key_id: &str,
    ) -> Result<Option<DataKey>, PersonalDataError> {
        let wrapped = sqlx::query_scalar!(
            "SELECT wrapped_key FROM data_keys WHERE ledger_id = $1 AND customer_id = $2 AND key_id = $3",
            ledger_id,
            customer_id.as_uuid(),
            key_id,
        )
        .fetch_optional(&self.pool)
        .await?;
        wrapped
            .map(|wrapped| self.unwrap(ledger_id, customer_id, key_id, &wrapped))
            .transpose()
    }

    /// What customers are called now.
    pub async fn current(
        &self,
        ledger_id: &str,
        customers: &[CustomerId],
    ) -> Result<HashMap<CustomerId, PersonalData>, PersonalDataError> {
        self.as_of(ledger_id, customers, u64::MAX).await
    }

    /// What customers are called now, without what the vendor keeps about them.
    pub async fn names(
        &self,
        ledger_id: &str,
        customers: &[CustomerId],
    ) -> Result<HashMap<CustomerId, PersonalData>, PersonalDataError> {
        use PersonalField::{Company, Email, Name};
        self.opened(ledger_id, customers, u64::MAX, &[Company, Email, Name])
            .await
    }

    /// What customers were called as of event `seq` of their streams.
    pub async fn as_of(
        &self,
        ledger_id: &str,
        customers: &[CustomerId],
        seq: u64,
    ) -> Result<HashMap<CustomerId, PersonalData>, PersonalDataError> {
        self.opened(ledger_id, customers, seq, &PersonalField::ALL).await
    }

    async fn opened(
        &self,
        ledger_id: &str,
        customers: &[CustomerId],
        seq: u64,
        fields: &[PersonalField],
    ) -> Result<HashMap<CustomerId, PersonalData>, PersonalDataError> {
        let ids: Vec<Uuid> = customers.iter().map(|id| id.as_uuid()).collect();
        let paths: Vec<String> = fields.iter().map(|field| field.path().to_owned()).collect();
        let rows = sqlx::query!(
            "SELECT DISTINCT ON (s.customer_id, s.path)
                    s.customer_id, s.path, s.event_id, s.ciphertext, s.key_id, k.wrapped_key, l.origin
             FROM sealed_values s
             JOIN data_keys k ON k.ledger_id = s.ledger_id AND k.customer_id = s.customer_id
                             AND k.key_id = s.key_id
             JOIN ledgers l ON l.ledger_id = s.ledger_id
             WHERE s.ledger_id = $1 AND s.customer_id = ANY($2) AND s.stream_seq <= $3 AND s.path = ANY($4)
             ORDER BY s.customer_id, s.path, s.stream_seq DESC",
            ledger_id,
            &ids,
            signed(seq),
            &paths,
        )
        .fetch_all(&self.pool)
        .await?;
        let mut data: HashMap<CustomerId, PersonalData> = HashMap::new();
        // A customer's rows follow each other, most with one key.
        let mut last: Option<(CustomerId, DataKey)> = None;
        for row in rows {
            let customer_id = CustomerId::from(row.customer_id);
            let key = match last.take() {
                Some((id, key)) if id == customer_id && key.id() == row.key_id => key,
                _ => self.unwrap(ledger_id, customer_id, &row.key_id, &row.wrapped_key)?,
            };
            let unopenable = |_: Unopenable| PersonalDataError::Unopenable(customer_id);
            let plaintext = key
                .open(
                    &row.origin,
                    EventId::from(row.event_id),
                    &row.path,
                    &row.ciphertext,
                )
                .map_err(unopenable)?;
            if let Some(field) = PersonalField::from_path(&row.path) {
                data.entry(customer_id).or_default().set(field, &plaintext);
            }
            last = Some((customer_id, key));
        }
        Ok(data)
    }

    fn unwrap(
        &self,
        ledger_id: &str,
        customer_id: CustomerId,
        key_id: &str,
        wrapped: &[u8],
    ) -> Result<DataKey, PersonalDataError> {
        DataKey::unwrap(&self.masters, ledger_id, customer_id, key_id, wrapped)
            .map_err(|_| PersonalDataError::Unopenable(customer_id))
    }
}

impl PersonalData {
    /// A field's plaintext, as it is sealed.
    pub fn plaintext(&self, field: PersonalField) -> Vec<u8> {
        match field {
            PersonalField::Name => self.name.clone().into_bytes(),
            PersonalField::Email => self.email.clone().into_bytes(),
            PersonalField::Company => self.company.clone().into_bytes(),
            PersonalField::Metadata => vinzy_events::json::canonical(&Value::Object(self.metadata.clone())),
        }
    }

    fn set(&mut self, field: PersonalField, plaintext: &[u8]) {
        let text = || String::from_utf8_lossy(plaintext).into_owned();
        match field {
            PersonalField::Name => self.name = text(),
            PersonalField::Email => self.email = text(),
            PersonalField::Company => self.company = text(),
            // Sealed by `plaintext` above, so it is an object.
            PersonalField::Metadata => self.metadata = serde_json::from_slice(plaintext).unwrap_or_default(),
        }
    }
}
