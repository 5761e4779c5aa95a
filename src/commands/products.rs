//! Commands to products.

use vinzy_events::ProductId;
use vinzy_events::product::{
    CreateProduct, Product, ProductCode, ProductCommand, ProductError, ProductState, UpdateProduct,
};

use super::{CommandError, PRODUCT_CODE};
use crate::ledger::{Attempt, LedgerError, Needs, Operation};

/// Offers a new product under a code that no other has.
pub struct Create {
    /// Its id.
    pub id: ProductId,
    /// Its content.
    pub content: CreateProduct,
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
pub struct Update {
    /// Which one.
    pub id: ProductId,
    /// What to change.
    pub changes: UpdateProduct,
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
pub struct Delete {
    /// Which one.
    pub id: ProductId,
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
    product.live().cloned().ok_or(CommandError::Product(ProductError::NotFound))
}

/// The id behind a product code, as of now.
pub async fn id_of_code(
    pool: &sqlx::PgPool,
    ledger_id: &str,
    code: &ProductCode,
) -> Result<ProductId, CommandError> {
    let stream_id = sqlx::query_scalar!(
        "SELECT stream_id FROM unique_claims WHERE ledger_id = $1 AND kind = $2 AND value = $3",
        ledger_id,
        PRODUCT_CODE,
        code.as_str(),
    )
    .fetch_optional(pool)
    .await?;
    let stream_id = stream_id.ok_or_else(|| CommandError::NoSuchProduct(code.clone()))?;
    stream_id.parse().map_err(|_| CommandError::Ledger(LedgerError::Unreadable))
}
