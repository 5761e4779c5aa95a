//! Taking over what another system held: as it was there, whatever the rules for what is new. Everything is taken
//! once: an aggregate that exists stays as it is, and what is part of another aggregate has an idempotency key.

use std::time::Duration;

use cqrs_es::Aggregate;
use serde_json::{Map, Value};
use vinzy_events::anomaly::{Anomaly, AnomalyCommand, AnomalyError, AnomalyImported, stream_id};
use vinzy_events::api_key::{ApiKey, ApiKeyCommand, ApiKeyError, ApiKeyImported};
use vinzy_events::customer::{Customer, CustomerCommand, CustomerError, CustomerImported, PersonalField};
use vinzy_events::endpoint::{Endpoint, EndpointCommand, EndpointError, EndpointImported};
use vinzy_events::key::KeyDigest;
use vinzy_events::ledger::Actor;
use vinzy_events::license::{
    ActivationImported, HistoryImported, License, LicenseCommand, LicenseError, LicenseImported,
};
use vinzy_events::meter::{ImportUsage, Meter, MeterCommand, meter_id};
use vinzy_events::product::{Product, ProductCommand, ProductError, ProductImported};
use vinzy_events::tenant::{Tenant, TenantCommand, TenantError, TenantImported};
use vinzy_events::{ApiKeyId, CustomerId, EndpointId, LicenseId, ProductId, TenantId};

use super::{
    CUSTOMER_EMAIL, CommandError, Context, Idempotency, LedgerError, Outcome, PRODUCT_CODE, ReceiptSlot,
    TENANT_SLUG,
};
use crate::keys::MasterKeys;
use crate::ledger::{Attempt, Credential, Ledgers, Needs, Operation, Personal, SealedSecret};
use crate::personal_data::DataKey;
use crate::personal_data::store::PersonalData;

/// Sets these idempotency keys apart from those of clients, which hold no control characters.
const IMPORT: &str = "import\u{1f}";
/// What is asked for under such a key is always the same: the record with that id.
const REQUEST: [u8; 32] = *b"the record of the old system....";
/// How often a busy or absent database is asked again, with growing pauses.
const ATTEMPTS: u32 = 6;
/// The first of these pauses.
const PAUSE: Duration = Duration::from_millis(250);

/// Something that is taken over.
#[derive(Clone)]
pub enum Import {
    /// A tenant, into the server's own ledger.
    Tenant(TenantId, Box<TenantImported>),
    /// An API key.
    ApiKey(ApiKeyId, ApiKeyImported),
    /// A product.
    Product(ProductId, Box<ProductImported>),
    /// A customer.
    Customer(Box<NewcomerCustomer>),
    /// A license.
    License(LicenseId, Box<LicenseImported>),
    /// A machine of a license.
    Machine(LicenseId, Box<ActivationImported>),
    /// A record of usage; whether its meter is known to exist.
    Usage(Box<ImportUsage>, bool),
    /// An anomaly.
    Anomaly(Box<AnomalyImported>),
    /// A webhook endpoint with its secret.
    Endpoint(EndpointId, Box<EndpointImported>, SealedSecret),
    /// An entry of a license's audit trail.
    History(LicenseId, Box<HistoryImported>),
}

/// A customer with what they are called.
#[derive(Clone)]
pub struct NewcomerCustomer {
    /// Their id.
    pub id: CustomerId,
    /// When they came and went.
    pub imported: CustomerImported,
    /// What they are called.
    pub data: PersonalData,
    /// Keyed hash of their address.
    pub email_hash: String,
    /// Seals what they are called.
    pub key: DataKey,
    /// Wrap that.
    pub masters: MasterKeys,
    /// Their ledger.
    pub ledger_id: String,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Landed {
    /// It was taken now.
    New,
    /// It was taken before.
    AlreadyThere,
}

/// Takes something over into a ledger, once.
///
/// # Errors
/// Why it cannot be taken, or that the ledger cannot be written although it was tried for some while.
pub async fn take(ledgers: &Ledgers, ledger_id: &str, import: Import) -> Result<Landed, CommandError> {
    let context = Context {
        actor: Actor {
            id: "import".into(),
            kind: "system".into(),
            name: None,
            via: "cli".into(),
        },
        correlation_id: None,
        causation_id: None,
        receipt: ReceiptSlot::default(),
    };
    let mut pause = PAUSE;
    for attempt in 1.. {
        let guard = import.guard();
        let operation = Take {
            import: import.clone(),
            is_repeated: attempt > 1,
        };
        let answer = ledgers
            .execute(ledger_id, operation, context.clone(), guard)
            .await;
        match answer {
            Ok(Outcome::Done(())) => return Ok(Landed::New),
            Ok(Outcome::Replayed(_)) => return Ok(Landed::AlreadyThere),
            Err(error) if exists(&error) => return Ok(Landed::AlreadyThere),
            // Whether it was written is not known: asking again finds out.
            Err(CommandError::Ledger(LedgerError::Unavailable)) if attempt < ATTEMPTS => {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            Err(error) => return Err(error),
        }
    }
    Err(CommandError::Ledger(LedgerError::Unavailable))
}

const fn exists(error: &CommandError) -> bool {
    matches!(
        error,
        CommandError::Tenant(TenantError::AlreadyExists)
            | CommandError::ApiKey(ApiKeyError::AlreadyExists)
            | CommandError::Product(ProductError::AlreadyExists)
            | CommandError::Customer(CustomerError::AlreadyExists)
            | CommandError::License(LicenseError::AlreadyExists)
            | CommandError::Endpoint(EndpointError::AlreadyExists)
            | CommandError::Anomaly(AnomalyError::AlreadyDetected)
    )
}

impl Import {
    /// The type and id of the stream that it goes to.
    pub fn stream(&self) -> (&'static str, String) {
        match self {
            Self::Tenant(id, _) => (Tenant::TYPE, id.to_string()),
            Self::ApiKey(id, _) => (ApiKey::TYPE, id.to_string()),
            Self::Product(id, _) => (Product::TYPE, id.to_string()),
            Self::Customer(customer) => (Customer::TYPE, customer.id.to_string()),
            Self::License(id, _) | Self::Machine(id, _) | Self::History(id, _) => {
                (License::TYPE, id.to_string())
            }
            Self::Usage(usage, _) => (Meter::TYPE, meter_id(usage.license_id, &usage.metric)),
            Self::Anomaly(anomaly) => (Anomaly::TYPE, stream_id(anomaly.license_id, anomaly.anomaly_id)),
            Self::Endpoint(id, ..) => (Endpoint::TYPE, id.to_string()),
        }
    }

    /// The idempotency key of what is a part of its stream; nothing for what begins one.
    pub fn guard_key(&self) -> Option<String> {
        let (table, record_id) = match self {
            Self::Machine(_, machine) => ("machines", machine.machine_id.to_string()),
            Self::Usage(usage, _) => ("usage_records", usage.record_id.clone()),
            Self::History(_, entry) => ("audit_events", entry.record_id.clone()),
            _ => return None,
        };
        Some(format!("{IMPORT}{table}:{record_id}"))
    }

    fn guard(&self) -> Option<Idempotency> {
        let key = self.guard_key()?;
        Some(Idempotency {
            key,
            request_hash: REQUEST,
        })
    }
}

#[derive(Clone)]
struct Take {
    import: Import,
    /// What was looked up before may have changed since.
    is_repeated: bool,
}

impl Operation for Take {
    type Output = ();
    type Error = CommandError;

    fn needs(&self, needs: &mut Needs) {
        match &self.import {
            Import::Tenant(id, tenant) => {
                needs.stream::<Tenant>(id);
                needs.claim(TENANT_SLUG, tenant.slug.as_str());
            }
            Import::ApiKey(id, _) => needs.stream::<ApiKey>(id),
            Import::Product(id, product) => {
                needs.stream::<Product>(id);
                needs.claim(PRODUCT_CODE, product.code.as_str());
            }
            // That there is no such customer or license yet was looked up for many at once: should there be one after all,
            // the database refuses a second first event, and it is asked for again.
            Import::Customer(customer) => {
                if self.is_repeated {
                    needs.stream::<Customer>(customer.id);
                }
                needs.claim(CUSTOMER_EMAIL, customer.email_hash.as_str());
            }
            Import::License(id, _) => {
                if self.is_repeated {
                    needs.stream::<License>(id);
                }
            }
            Import::Machine(id, _) | Import::History(id, _) => needs.stream::<License>(id),
            Import::Usage(usage, meter_exists) => {
                if *meter_exists || self.is_repeated {
                    needs.stream::<Meter>(meter_id(usage.license_id, &usage.metric));
                }
            }
            Import::Anomaly(anomaly) => {
                needs.stream::<Anomaly>(stream_id(anomaly.license_id, anomaly.anomaly_id));
            }
            Import::Endpoint(id, ..) => needs.stream::<Endpoint>(id),
        }
    }

    fn run(self, attempt: &mut Attempt<'_>) -> Result<(), CommandError> {
        match self.import {
            Import::Tenant(id, tenant) => {
                let (slug, closed) = (tenant.slug.clone(), tenant.closed_at.is_some());
                attempt.decide::<Tenant>(id, TenantCommand::Import(tenant))?;
                attempt
                    .claim(TENANT_SLUG, slug.as_str(), id)
                    .map_err(|_| CommandError::TenantSlugTaken(slug.clone()))?;
                if closed {
                    attempt.close_ledger(slug.as_str());
                }
            }
            Import::ApiKey(id, key) => {
                let credential = Credential {
                    key_digest: key.key_digest,
                    name: key.name.clone(),
                    scopes: key.scopes.iter().copied().collect(),
                    valid_until: None,
                };
                attempt.decide::<ApiKey>(id, ApiKeyCommand::Import(key))?;
                attempt.set_credentials(id, vec![credential]);
            }
            Import::Product(id, product) => {
                let (code, deleted) = (product.code.clone(), product.deleted_at.is_some());
                attempt.decide::<Product>(id, ProductCommand::Import(product))?;
                if !deleted {
                    attempt
                        .claim(PRODUCT_CODE, code.as_str(), id)
                        .map_err(|_| CommandError::ProductCodeTaken(code))?;
                }
            }
            Import::Customer(customer) => run_customer(*customer, attempt)?,
            Import::License(id, license) => {
                let (product_id, customer_id) = (license.product_id, license.customer_id);
                let (digest, deleted) = (license.key_digest, license.deleted_at.is_some());
                attempt.decide::<License>(id, LicenseCommand::Import(license))?;
                attempt.register_key(KeyDigest::as_bytes(&digest), id);
                if !deleted {
                    attempt.refer::<License, Product>(product_id);
                    attempt.refer::<License, Customer>(customer_id);
                }
            }
            Import::Machine(id, machine) => {
                attempt.decide::<License>(id, LicenseCommand::ImportMachine(machine))?;
            }
            Import::Usage(usage, _) => {
                let id = meter_id(usage.license_id, &usage.metric);
                attempt.decide::<Meter>(id, MeterCommand::Import(usage))?;
            }
            Import::Anomaly(anomaly) => {
                let id = stream_id(anomaly.license_id, anomaly.anomaly_id);
                attempt.decide::<Anomaly>(id, AnomalyCommand::Import(anomaly))?;
            }
            Import::Endpoint(id, endpoint, secret) => {
                let signing = vec![(endpoint.secret_id, None)];
                attempt.decide::<Endpoint>(id, EndpointCommand::Import(endpoint))?;
                attempt.set_endpoint_secrets(id, signing, Some(secret));
            }
            Import::History(id, entry) => {
                attempt.decide::<License>(id, LicenseCommand::ImportHistory(entry))?;
            }
        }
        Ok(())
    }
}

fn run_customer(customer: NewcomerCustomer, attempt: &mut Attempt<'_>) -> Result<(), CommandError> {
    let id = customer.id;
    if customer.imported.deleted_at.is_none() {
        attempt
            .claim(CUSTOMER_EMAIL, customer.email_hash, id)
            .map_err(|_| CommandError::EmailTaken)?;
    }
    let nonce = attempt.entropy().bytes();
    let wrapped = customer
        .key
        .wrap(&customer.masters, &customer.ledger_id, id, nonce);
    attempt.store_data_key(id, customer.key.id(), wrapped);
    let fields = PersonalField::ALL
        .map(|field| (field.path(), customer.data.plaintext(field)))
        .into();
    let personal = Personal {
        customer_id: id,
        key: customer.key,
        fields,
    };
    attempt.decide_with::<Customer>(id, CustomerCommand::Import(customer.imported), Some(personal))?;
    Ok(())
}

/// Whether an object is so small that an event with it, and what else stands in one, fits into a leaf.
pub fn fits(payload: &impl serde::Serialize) -> bool {
    /// Names, ids, hashes and the like.
    const REST: usize = 2_048;
    let value = serde_json::to_value(payload).unwrap_or(Value::Object(Map::new()));
    vinzy_events::json::canonical(&value).len() + REST <= vinzy_events::ledger::MAX_LEAF
}
