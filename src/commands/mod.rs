//! From a request's content to a decision of the ledger: each command says what it needs, checks what
//! spans aggregates, and lets the aggregates decide. Knows nothing of HTTP.

pub mod anomalies;
pub mod api_keys;
pub mod customers;
pub mod endpoints;
pub mod erasure;
pub mod idempotency;
pub mod import;
pub mod licenses;
pub mod machines;
pub mod products;
pub mod provisioning;
pub mod tenants;
pub mod usage;
pub mod validations;

use vinzy_events::anomaly::AnomalyError;
use vinzy_events::api_key::ApiKeyError;
use vinzy_events::customer::CustomerError;
use vinzy_events::endpoint::EndpointError;
use vinzy_events::license::LicenseError;
use vinzy_events::meter::MeterError;
use vinzy_events::product::{ProductCode, ProductError};
use vinzy_events::purchase::PurchaseError;
use vinzy_events::tenant::{TenantError, TenantSlug};

use std::sync::Arc;

use crate::app::App;
use crate::ledger::signer::SignError;
use crate::ledger::{OpenError, Operation};
use crate::personal_data::store::PersonalDataError;

pub use crate::ledger::{Context, Idempotency, LedgerError, Outcome, ReceiptSlot, StreamPoint};

/// Kind of the unique value that a product's code is.
pub(crate) const PRODUCT_CODE: &str = "product_code";
/// Kind of the unique value that the keyed hash of a customer's address is.
pub(crate) const CUSTOMER_EMAIL: &str = "customer_email";

/// Kind of the unique value that a tenant's slug is.
pub(crate) const TENANT_SLUG: &str = "tenant_slug";

/// On whose behalf a command is given, where, and whether it may come again.
#[derive(Debug, Clone)]
pub struct Order {
    /// The ledger.
    pub ledger_id: Arc<str>,
    /// Who asks.
    pub context: Context,
    /// What makes it safe to repeat.
    pub idempotency: Option<Idempotency>,
}

impl Order {
    async fn execute<O: Operation>(self, app: &App, operation: O) -> Result<Outcome<O::Output>, O::Error> {
        let slot = self.context.receipt.clone();
        let outcome = app
            .ledgers
            .execute(&self.ledger_id, operation, self.context, self.idempotency)
            .await?;
        if let Outcome::Replayed(point) = &outcome
            && let Some(receipt) = app.ledgers.store(&self.ledger_id).receipt(point).await?
        {
            slot.put(receipt);
        }
        Ok(outcome)
    }
}

/// Why a command was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The ledger could not do it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A product refused.
    #[error(transparent)]
    Product(#[from] ProductError),
    /// A customer refused.
    #[error(transparent)]
    Customer(#[from] CustomerError),
    /// A license refused.
    #[error(transparent)]
    License(#[from] LicenseError),
    /// A meter refused.
    #[error(transparent)]
    Meter(#[from] MeterError),
    /// An anomaly refused.
    #[error(transparent)]
    Anomaly(#[from] AnomalyError),
    /// An API key refused.
    #[error(transparent)]
    ApiKey(#[from] ApiKeyError),
    /// A webhook endpoint refused.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// A purchase refused.
    #[error(transparent)]
    Purchase(#[from] PurchaseError),
    /// A tenant refused.
    #[error(transparent)]
    Tenant(#[from] TenantError),
    /// A tenant has this slug, or had it.
    #[error("tenant slug {0} is taken")]
    TenantSlugTaken(TenantSlug),
    /// The secret of an API key that was made earlier under this idempotency key can no longer be shown.
    #[error("the API key can no longer be shown")]
    SecretGone,
    /// The signing secret that was shown earlier under this idempotency key can no longer be shown.
    #[error("the signing secret can no longer be shown")]
    SigningSecretGone,
    /// The tenant's license keys are signed with a key that this server does not have (any more).
    #[error("there is no HMAC key of version {0}")]
    NoSuchHmacKey(u8),
    /// A tenant's ledger cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// No product has this code.
    #[error("product {0} not found")]
    NoSuchProduct(ProductCode),
    /// The product has tiers, and none of this name.
    #[error("product {product_code} has no tier {tier:?}")]
    NoSuchTier {
        /// The product.
        product_code: ProductCode,
        /// The tier that was asked for.
        tier: String,
    },
    /// Another product has this code.
    #[error("product code {0} is taken")]
    ProductCodeTaken(ProductCode),
    /// Another customer has this address.
    #[error("the e-mail address belongs to another customer")]
    EmailTaken,
    /// Licenses refer to it.
    #[error("in use by {licenses} licenses")]
    InUse {
        /// How many.
        licenses: u64,
    },
    /// The expiry lies past the year 9999.
    #[error("the expiry is too far away")]
    ExpiryTooFar,
    /// The key of a license that was issued earlier under this idempotency key can no longer be shown.
    #[error("the license key can no longer be shown")]
    KeyGone,
    /// A checkpoint could not be signed.
    #[error(transparent)]
    Checkpoint(#[from] SignError),
    /// Personal data could not be read.
    #[error(transparent)]
    PersonalData(#[from] PersonalDataError),
    /// The database failed.
    #[error("database failed")]
    Database(#[from] sqlx::Error),
}
