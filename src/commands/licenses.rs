//! Commands to licenses.

use serde_json::{Map, Value};
use vinzy_events::customer::{Customer, CustomerError};
use vinzy_events::key::KeyDigest;
use vinzy_events::license::{CreateLicense, License, LicenseCommand, LicenseError, LicenseState};
use vinzy_events::product::Product;
use vinzy_events::{CustomerId, LicenseId, ProductId, Timestamp};

use super::{CommandError, products};
use crate::ledger::{Attempt, Needs, Operation};

/// Days that a license is valid when its creator says nothing.
pub const DEFAULT_DAYS_VALID: u32 = 365;

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

/// Issues a license of an existing product to an existing customer.
pub struct Create {
    /// Its id.
    pub id: LicenseId,
    /// The product.
    pub product_id: ProductId,
    /// Whose it is.
    pub customer_id: CustomerId,
    /// Tier; the product's default tier when none is given.
    pub tier: Option<String>,
    /// How many machines at once; `None` is unlimited.
    pub machines_limit: Option<u32>,
    /// When it ends.
    pub expiry: Expiry,
    /// Its own features.
    pub features: Map<String, Value>,
    /// Overrides.
    pub entitlements: Map<String, Value>,
    /// The vendor's own data.
    pub metadata: Map<String, Value>,
    /// Digest of its key.
    pub key_digest: KeyDigest,
    /// Version of the HMAC key that made its key.
    pub key_version: u8,
}

impl Operation for Create {
    type Output = (LicenseId, LicenseState);
    type Error = CommandError;

    fn needs(&self, needs: &mut Needs) {
        needs.stream::<Product>(self.product_id);
        needs.stream::<Customer>(self.customer_id);
    }

    fn run(self, attempt: &mut Attempt<'_>) -> Result<Self::Output, CommandError> {
        let product = products::live(&attempt.aggregate::<Product>(self.product_id).aggregate)?;
        if attempt.aggregate::<Customer>(self.customer_id).aggregate.live().is_none() {
            return Err(CommandError::Customer(CustomerError::NotFound));
        }
        let expires_at = match self.expiry {
            Expiry::Days(days) => Some(attempt.at().plus_days(days).ok_or(CommandError::ExpiryTooFar)?),
            Expiry::At(expiry) => Some(expiry),
            Expiry::Never => None,
        };
        let content = CreateLicense {
            product_id: self.product_id,
            product_code: product.code,
            customer_id: self.customer_id,
            tier: self.tier.unwrap_or(product.default_tier),
            machines_limit: self.machines_limit,
            expires_at,
            features: self.features,
            entitlements: self.entitlements,
            metadata: self.metadata,
            key_digest: self.key_digest,
            key_version: self.key_version,
        };
        let license = attempt.decide::<License>(self.id, LicenseCommand::Create(Box::new(content)))?;
        attempt.register_key(self.key_digest.as_bytes(), self.id);
        attempt.refer::<License, Product>(self.product_id);
        attempt.refer::<License, Customer>(self.customer_id);
        Ok((self.id, live(&license.aggregate)?))
    }
}

/// Any command to one existing license that touches nothing else.
pub struct Change {
    /// Which one.
    pub id: LicenseId,
    /// What to do.
    pub command: LicenseCommand,
}

impl Operation for Change {
    type Output = LicenseState;
    type Error = CommandError;

    fn needs(&self, needs: &mut Needs) {
        needs.stream::<License>(self.id);
    }

    fn run(self, attempt: &mut Attempt<'_>) -> Result<LicenseState, CommandError> {
        let license = attempt.decide::<License>(self.id, self.command)?;
        live(&license.aggregate)
    }
}

/// Hides a license and lets go of its product and customer.
pub struct Delete {
    /// Which one.
    pub id: LicenseId,
}

impl Operation for Delete {
    type Output = ();
    type Error = CommandError;

    fn needs(&self, needs: &mut Needs) {
        needs.stream::<License>(self.id);
    }

    fn run(self, attempt: &mut Attempt<'_>) -> Result<(), CommandError> {
        let state = live(&attempt.aggregate::<License>(self.id).aggregate)?;
        attempt.decide::<License>(self.id, LicenseCommand::Delete)?;
        attempt.unrefer::<License, Product>(state.product_id);
        attempt.unrefer::<License, Customer>(state.customer_id);
        Ok(())
    }
}

pub(crate) fn live(license: &License) -> Result<LicenseState, CommandError> {
    license.live().cloned().ok_or(CommandError::License(LicenseError::NotFound))
}
