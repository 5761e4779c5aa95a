//! Products: what a vendor sells, with the features that every license of it starts from.

mod decide;
mod event;
mod state;
mod tier;

use serde_json::{Map, Value};

pub use event::{ProductCreated, ProductDeleted, ProductEvent, ProductImported, ProductUpdated};
pub use state::{Product, ProductState};
pub use tier::{TierTemplate, Tiers};

/// A product's code: one to three of `A`–`Z`. It becomes the prefix of the product's license keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProductCode(String);

/// The text is not a product code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one to three letters A to Z")]
pub struct InvalidProductCode;

impl ProductCode {
    /// Parses a code; lower case is refused, not corrected.
    pub fn parse(text: &str) -> Result<Self, InvalidProductCode> {
        let valid = (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_uppercase());
        valid.then(|| Self(text.to_owned())).ok_or(InvalidProductCode)
    }

    /// The code's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ProductCode {
    type Error = InvalidProductCode;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<ProductCode> for String {
    fn from(code: ProductCode) -> Self {
        code.0
    }
}

impl std::fmt::Display for ProductCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What can be asked of a product.
#[derive(Debug, Clone)]
pub enum ProductCommand {
    /// Offer a new product.
    Create(CreateProduct),
    /// Take it over as it was elsewhere.
    Import(Box<ProductImported>),
    /// Change what is given, leave the rest.
    Update(UpdateProduct),
    /// Withdraw the product. That nothing uses it is checked by whoever sends the command.
    Delete,
}

/// The content of a new product.
#[derive(Debug, Clone)]
pub struct CreateProduct {
    /// Unique within the ledger; fixed for good.
    pub code: ProductCode,
    /// What people call it.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Tier of licenses that name none.
    pub default_tier: String,
    /// Features that licenses inherit.
    pub features: Map<String, Value>,
    /// What licenses of its tiers get.
    pub tiers: Tiers,
    /// The vendor's own data.
    pub metadata: Map<String, Value>,
}

/// Changes to a product; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct UpdateProduct {
    /// New name.
    pub name: Option<String>,
    /// New description.
    pub description: Option<String>,
    /// New default tier.
    pub default_tier: Option<String>,
    /// New features, replacing the old ones as a whole.
    pub features: Option<Map<String, Value>>,
    /// New tiers, replacing the old ones as a whole.
    pub tiers: Option<Tiers>,
    /// New metadata, replacing the old ones as a whole.
    pub metadata: Option<Map<String, Value>>,
}

/// Why a product refuses a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProductError {
    /// There is no such product, or no longer.
    #[error("product not found")]
    NotFound,
    /// The id is taken.
    #[error("product already exists")]
    AlreadyExists,
}
