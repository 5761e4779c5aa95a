//! Commands to products.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::PgPool;
use vinzy_events::ProductId;
use vinzy_events::product::{
    CreateProduct, Product, ProductCode, ProductCommand, ProductError, ProductState, UpdateProduct,
};

use super::{CommandError, Order, Outcome, PRODUCT_CODE, StreamPoint};
use crate::app::App;
use crate::ledger::{Attempt, LedgerError, Needs, Operation};

/// Creates a product. The same order again gives the product as it was created.
pub async fn create(
    app: &App,
    order: Order,
    content: CreateProduct,
) -> Result<(ProductId, ProductState), CommandError> {
    let id = ProductId::new(app.clock.now(), app.entropy.bytes());
    let ledger_id = order.ledger_id.clone();
    match order.execute(app, Create { id, content }).await? {
        Outcome::Done(created) => Ok(created),
        Outcome::Replayed(point) => as_of(app, &ledger_id, &point).await,
    }
}

/// Changes a product and gives it as it is then.
pub async fn update(
    app: &App,
    order: Order,
    id: ProductId,
    changes: UpdateProduct,
) -> Result<ProductState, CommandError> {
    let ledger_id = order.ledger_id.clone();
    match order.execute(app, Update { id, changes }).await? {
        Outcome::Done(state) => Ok(state),
        Outcome::Replayed(point) => Ok(as_of(app, &ledger_id, &point).await?.1),
    }
}

/// Deletes a product.
pub async fn delete(app: &App, order: Order, id: ProductId) -> Result<(), CommandError> {
    order.execute(app, Delete { id }).await?;
    Ok(())
}

/// The product with an id, as of now.
pub async fn get(app: &App, ledger_id: &str, id: ProductId) -> Result<ProductState, CommandError> {
    live(
        &app.ledgers
            .store(ledger_id)
            .load::<Product>(&id.to_string())
            .await?
            .aggregate,
    )
}

async fn as_of(
    app: &App,
    ledger_id: &str,
    point: &StreamPoint,
) -> Result<(ProductId, ProductState), CommandError> {
    let product = app.ledgers.store(ledger_id).load_as_of::<Product>(point).await?;
    let id = point.stream_id.parse().map_err(|_| LedgerError::Unreadable)?;
    Ok((id, live(&product)?))
}

/// Offers a new product under a code that no other has.
#[derive(Clone)]
struct Create {
    id: ProductId,
    content: CreateProduct,
}

impl Operation for Create {
    type Output = (ProductId, ProductState);
    type Error = CommandError;

    fn needs(&self, needs: &mut Needs) {
        needs.claim(PRODUCT_CODE, self.content.code.as_str());
    }

    fn run(self, attempt: &mut Attempt<'_>) -> Result<Self::Output, CommandError> {
        let code = self.content.code.clone();
        attempt
            .claim(PRODUCT_CODE, code.as_str(), self.id)
            .map_err(|_| CommandError::ProductCodeTaken(code))?;
        let product = attempt.decide::<Product>(self.id, ProductCommand::Create(self.content))?;
        Ok((self.id, live(&product.aggregate)?))
    }
}

/// Changes a product.
#[derive(Clone)]
struct Update {
    id: ProductId,
    changes: UpdateProduct,
}

impl Operation for Update {
    type Output = ProductState;
    type Error = CommandError;

    fn needs(&self, needs: &mut Needs) {
        needs.stream::<Product>(self.id);
    }

    fn run(self, attempt: &mut Attempt<'_>) -> Result<ProductState, CommandError> {
        let product = attempt.decide::<Product>(self.id, ProductCommand::Update(self.changes))?;
        live(&product.aggregate)
    }
}

/// Withdraws a product that no license refers to.
#[derive(Clone)]
struct Delete {
    id: ProductId,
}

impl Operation for Delete {
    type Output = ();
    type Error = CommandError;

    fn needs(&self, needs: &mut Needs) {
        needs.stream::<Product>(self.id);
        needs.references::<Product>(self.id);
    }

    fn run(self, attempt: &mut Attempt<'_>) -> Result<(), CommandError> {
        attempt.decide::<Product>(self.id, ProductCommand::Delete)?;
        let licenses = attempt.references::<Product>(self.id);
        if licenses > 0 {
            return Err(CommandError::InUse { licenses });
        }
        attempt.release(PRODUCT_CODE, self.id);
        Ok(())
    }
}

/// The product's content, while it is on offer.
pub(crate) fn live(product: &Product) -> Result<ProductState, CommandError> {
    product
        .live()
        .cloned()
        .ok_or(CommandError::Product(ProductError::NotFound))
}

/// The ids behind product codes, as far as this node has asked for them.
///
/// An entry can outlive its product: whoever learns that calls [`ProductCodes::forget`] and asks again.
#[derive(Default)]
pub struct ProductCodes {
    known: Mutex<HashMap<(Arc<str>, ProductCode), ProductId>>,
}

impl ProductCodes {
    /// The id behind a code.
    pub async fn find(
        &self,
        pool: &PgPool,
        ledger_id: &Arc<str>,
        code: &ProductCode,
    ) -> Result<ProductId, CommandError> {
        let place = (Arc::clone(ledger_id), code.clone());
        if let Some(id) = self.lock().get(&place) {
            return Ok(*id);
        }
        let id = id_of_code(pool, ledger_id, code).await?;
        self.lock().insert(place, id);
        Ok(id)
    }

    /// Asks anew the next time.
    pub fn forget(&self, ledger_id: &Arc<str>, code: &ProductCode) {
        self.lock().remove(&(Arc::clone(ledger_id), code.clone()));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Arc<str>, ProductCode), ProductId>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn id_of_code(pool: &PgPool, ledger_id: &str, code: &ProductCode) -> Result<ProductId, CommandError> {
    let stream_id = sqlx::query_scalar!(
        "SELECT stream_id FROM unique_claims WHERE ledger_id = $1 AND kind = $2 AND value = $3",
        ledger_id,
        PRODUCT_CODE,
        code.as_str(),
    )
    .fetch_optional(pool)
    .await?;
    let stream_id = stream_id.ok_or_else(|| CommandError::NoSuchProduct(code.clone()))?;
    stream_id
        .parse()
        .map_err(|_| CommandError::Ledger(LedgerError::Unreadable))
}
