//! Commands to licenses.

use std::sync::Arc;

use serde_json::{Map, Value};
use vinzy_events::customer::{Customer, CustomerError};
use vinzy_events::key::{KeyDigest, LicenseKey};
use vinzy_events::license::{CreateLicense, License, LicenseCommand, LicenseError, LicenseState};
use vinzy_events::product::{Product, ProductCode, ProductError, ProductState, TierTemplate};
use vinzy_events::{CustomerId, LicenseId, ProductId, Timestamp};

use super::{CommandError, Order, Outcome, StreamPoint, products};
use crate::app::App;
use crate::as_of::{self, Moment};
use crate::ledger::{Attempt, LedgerError, Needs, Operation};

/// Days that a license is valid when neither its creator nor its tier says anything.
pub const DEFAULT_DAYS_VALID: u32 = 365;
/// Machines that a license is limited to when neither its creator nor its tier says anything.
pub const DEFAULT_MACHINES: u32 = 3;

/// When a license shall end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// So many days after its creation.
    Days(u32),
    /// At a moment.
    At(Timestamp),
    /// Never.
    Never,
}

/// What a new license shall be. What is not said is as the template of its tier says, if there is one.
#[derive(Debug, Clone)]
pub struct NewLicense {
    /// Code of an existing product.
    pub product_code: ProductCode,
    /// An existing customer.
    pub customer_id: CustomerId,
    /// Tier; the product's default tier when none is given.
    pub tier: Option<String>,
    /// How many machines at once; `Some(None)` is unlimited.
    pub machines_limit: Option<Option<u32>>,
    /// When it ends.
    pub expiry: Option<Expiry>,
    /// Its own features; empty means the product's.
    pub features: Option<Map<String, Value>>,
    /// Overrides of the features, field by field.
    pub entitlements: Option<Map<String, Value>>,
    /// The vendor's own data.
    pub metadata: Map<String, Value>,
}

/// A new license with its key, which is shown now and never again.
pub struct Issued {
    /// Its id.
    pub id: LicenseId,
    /// What is true of it.
    pub license: License,
    /// Its key.
    pub key: LicenseKey,
}

/// Issues a license. The same order again gives the license as it was issued, with the same key: that is
/// made again from the order, not kept.
pub async fn issue(app: &App, order: Order, new: NewLicense) -> Result<Issued, CommandError> {
    let code = &new.product_code;
    let known = app.product_codes.find(&app.pool, &order.ledger_id, code).await?;
    match issue_of(app, order.clone(), known, new.clone()).await {
        // What was known may be old: the product is gone, and another may have its code by now.
        Err(CommandError::Product(ProductError::NotFound)) => {
            app.product_codes.forget(&order.ledger_id, code);
            let now = app.product_codes.find(&app.pool, &order.ledger_id, code).await?;
            issue_of(app, order, now, new).await
        }
        issued => issued,
    }
}

async fn issue_of(
    app: &App,
    order: Order,
    product_id: ProductId,
    new: NewLicense,
) -> Result<Issued, CommandError> {
    let id = LicenseId::new(app.clock.now(), app.entropy.bytes());
    let entropy = match &order.idempotency {
        Some(idempotency) => app.request_hasher.license_entropy(&order.ledger_id, idempotency),
        None => app.entropy.bytes(),
    };
    let version = app.hmac_key_version(&order.ledger_id);
    let key = app
        .key_ring
        .generate_with(version, new.product_code.as_str(), entropy)
        .ok_or(CommandError::NoSuchHmacKey(version))?;
    let (ledger_id, code) = (order.ledger_id.clone(), new.product_code.clone());
    let operation = Create {
        id,
        product_id,
        key_digest: KeyDigest::of(key.as_str()),
        key_version: version,
        new,
    };
    match order.execute(app, operation).await? {
        Outcome::Done((id, license)) => Ok(Issued { id, license, key }),
        Outcome::Replayed(point) => {
            let (id, license) = as_of_point(app, &ledger_id, &point).await?;
            let key = issued_key(app, id, &code, entropy).await?;
            Ok(Issued { id, license, key })
        }
    }
}

/// Gives a command to a license, and the license as it is then.
pub async fn change(
    app: &App,
    order: Order,
    id: LicenseId,
    command: LicenseCommand,
) -> Result<License, CommandError> {
    let ledger_id = order.ledger_id.clone();
    match order.execute(app, Change { id, command }).await? {
        Outcome::Done(license) => Ok(license),
        Outcome::Replayed(point) => Ok(as_of_point(app, &ledger_id, &point).await?.1),
    }
}

/// Deletes a license: it is hidden, its history stays.
pub async fn delete(app: &App, order: Order, id: LicenseId) -> Result<(), CommandError> {
    order.execute(app, Delete { id }).await?;
    Ok(())
}

/// The license with an id, as of now.
pub async fn get(app: &App, ledger_id: &str, id: LicenseId) -> Result<License, CommandError> {
    let store = app.ledgers.store(ledger_id);
    live(store.load::<License>(&id.to_string()).await?.aggregate)
}

/// The license with an id, as it was at a moment, or is now.
pub async fn get_as_of(
    app: &App,
    ledger_id: &str,
    id: LicenseId,
    moment: Option<Moment>,
) -> Result<License, CommandError> {
    match moment {
        None => get(app, ledger_id, id).await,
        Some(moment) => live(as_of::aggregate(app, ledger_id, id, moment).await?),
    }
}

/// The license with an id and its product, as they were at a moment, or are now.
pub async fn get_with_product_as_of(
    app: &App,
    ledger_id: &str,
    id: LicenseId,
    moment: Option<Moment>,
) -> Result<(Arc<LicenseState>, Product), CommandError> {
    let Some(moment) = moment else {
        return get_with_product(app, ledger_id, id).await;
    };
    let license = as_of::aggregate(app, ledger_id, id, moment).await?;
    let state = state(&license)?;
    let product = as_of::aggregate(app, ledger_id, state.product_id, moment).await?;
    Ok((state, product))
}

/// The license with an id and its product, as of now.
pub async fn get_with_product(
    app: &App,
    ledger_id: &str,
    id: LicenseId,
) -> Result<(Arc<LicenseState>, Product), CommandError> {
    let state = state(&get(app, ledger_id, id).await?)?;
    let product = app
        .ledgers
        .store(ledger_id)
        .load::<Product>(&state.product_id.to_string())
        .await?
        .aggregate;
    Ok((state, product))
}

/// Whether there is or was a license with an id: its history outlives it.
pub async fn exists(app: &App, ledger_id: &str, id: LicenseId) -> Result<bool, CommandError> {
    let license = app
        .ledgers
        .store(ledger_id)
        .load::<License>(&id.to_string())
        .await?;
    Ok(license.aggregate.state().is_some())
}

async fn as_of_point(
    app: &App,
    ledger_id: &str,
    point: &StreamPoint,
) -> Result<(LicenseId, License), CommandError> {
    let license = app.ledgers.store(ledger_id).load_as_of::<License>(point).await?;
    let id = point.stream_id.parse().map_err(|_| LedgerError::Unreadable)?;
    Ok((id, live(license)?))
}

/// The key that a license was issued with under the same order: one of the ring's versions made it.
async fn issued_key(
    app: &App,
    id: LicenseId,
    code: &ProductCode,
    entropy: [u8; 15],
) -> Result<LicenseKey, CommandError> {
    let candidates: Vec<LicenseKey> = app
        .key_ring
        .versions()
        .filter_map(|version| app.key_ring.generate_with(version, code.as_str(), entropy))
        .collect();
    let digests: Vec<Vec<u8>> = candidates
        .iter()
        .map(|key| KeyDigest::of(key.as_str()).as_bytes().to_vec())
        .collect();
    let found = sqlx::query_scalar!(
        "SELECT key_digest FROM license_keys WHERE key_digest = ANY($1) AND license_id = $2",
        &digests,
        id.as_uuid(),
    )
    .fetch_optional(&app.pool)
    .await?;
    let index = digests.iter().position(|digest| Some(digest) == found.as_ref());
    index
        .and_then(|index| candidates.into_iter().nth(index))
        .ok_or(CommandError::KeyGone)
}

/// Issues a license of an existing product to an existing customer.
#[derive(Clone)]
pub(super) struct Create {
    pub(super) id: LicenseId,
    pub(super) product_id: ProductId,
    pub(super) new: NewLicense,
    pub(super) key_digest: KeyDigest,
    pub(super) key_version: u8,
}

/// When a license of a tier ends, as far as nobody says otherwise.
fn usual_expiry(template: Option<&TierTemplate>) -> Expiry {
    match template.and_then(|template| template.days_valid) {
        Some(Some(days)) => Expiry::Days(days),
        Some(None) => Expiry::Never,
        None => Expiry::Days(DEFAULT_DAYS_VALID),
    }
}

/// The time that an expiry means for a license that is issued at `at`; `None` is never.
fn expires_at(expiry: Expiry, at: Timestamp) -> Result<Option<Timestamp>, CommandError> {
    match expiry {
        Expiry::Days(days) => at.plus_days(days).map(Some).ok_or(CommandError::ExpiryTooFar),
        Expiry::At(expiry) => Ok(Some(expiry)),
        Expiry::Never => Ok(None),
    }
}

impl NewLicense {
    /// The license of a product, all that was not said being as its tier has it.
    fn content(
        self,
        product_id: ProductId,
        product: ProductState,
        (key_digest, key_version): (KeyDigest, u8),
        at: Timestamp,
    ) -> Result<CreateLicense, CommandError> {
        let tier = self.tier.unwrap_or(product.default_tier);
        let template = product.tiers.get(&tier);
        let expiry = self.expiry.unwrap_or_else(|| usual_expiry(template));
        let template = template.cloned().unwrap_or_default();
        let machines_limit = self.machines_limit.or(template.machines_limit);
        Ok(CreateLicense {
            product_id,
            product_code: product.code,
            customer_id: self.customer_id,
            tier,
            machines_limit: machines_limit.unwrap_or(Some(DEFAULT_MACHINES)),
            expires_at: expires_at(expiry, at)?,
            features: self.features.or(template.features).unwrap_or_default(),
            entitlements: self.entitlements.or(template.entitlements).unwrap_or_default(),
            metadata: self.metadata,
            key_digest,
            key_version,
        })
    }
}

impl Operation for Create {
    type Output = (LicenseId, License);
    type Error = CommandError;

    fn needs(&self, needs: &mut Needs) {
        needs.stream::<Product>(self.product_id);
        needs.stream::<Customer>(self.new.customer_id);
    }

    fn run(self, attempt: &mut Attempt<'_>) -> Result<Self::Output, CommandError> {
        let product = products::live(&attempt.aggregate::<Product>(self.product_id).aggregate)?;
        if attempt
            .aggregate::<Customer>(self.new.customer_id)
            .aggregate
            .live()
            .is_none()
        {
            return Err(CommandError::Customer(CustomerError::NotFound));
        }
        let customer_id = self.new.customer_id;
        let key = (self.key_digest, self.key_version);
        let content = self.new.content(self.product_id, product, key, attempt.at())?;
        let license = attempt.decide::<License>(self.id, LicenseCommand::Create(Box::new(content)))?;
        attempt.register_key(self.key_digest.as_bytes(), self.id);
        attempt.refer::<License, Product>(self.product_id);
        attempt.refer::<License, Customer>(customer_id);
        Ok((self.id, live(license.aggregate)?))
    }
}

/// Any command to one existing license that touches nothing else.
#[derive(Clone)]
pub(super) struct Change {
    pub(super) id: LicenseId,
    pub(super) command: LicenseCommand,
}

impl Operation for Change {
    type Output = License;
    type Error = CommandError;

    fn needs(&self, needs: &mut Needs) {
        needs.stream::<License>(self.id);
    }

    fn run(self, attempt: &mut Attempt<'_>) -> Result<License, CommandError> {
        let license = attempt.decide::<License>(self.id, self.command)?;
        live(license.aggregate)
    }
}

/// Hides a license and lets go of its product and customer.
#[derive(Clone)]
struct Delete {
    id: LicenseId,
}

impl Operation for Delete {
    type Output = ();
    type Error = CommandError;

    fn needs(&self, needs: &mut Needs) {
        needs.stream::<License>(self.id);
    }

    fn run(self, attempt: &mut Attempt<'_>) -> Result<(), CommandError> {
        let state = state(&attempt.aggregate::<License>(self.id).aggregate)?;
        attempt.decide::<License>(self.id, LicenseCommand::Delete)?;
        attempt.unrefer::<License, Product>(state.product_id);
        attempt.unrefer::<License, Customer>(state.customer_id);
        Ok(())
    }
}

fn live(license: License) -> Result<License, CommandError> {
    match license.live() {
        Some(_) => Ok(license),
        None => Err(CommandError::License(LicenseError::NotFound)),
    }
}

fn state(license: &License) -> Result<Arc<LicenseState>, CommandError> {
    license
        .shared()
        .filter(|state| !state.deleted)
        .ok_or(CommandError::License(LicenseError::NotFound))
}
