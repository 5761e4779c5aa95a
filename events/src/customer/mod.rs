//! Customers: whom licenses belong to.
//!
//! Everything about a person (name, address, company, and the vendor's own data about them) is sealed
//! beside the leaf, never in it (docs/ledger.md, *Personal data*). The aggregate therefore knows *which*
//! fields were set, not what they say.

mod decide;
mod event;
mod state;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use event::{
    CustomerCreated, CustomerDeleted, CustomerErased, CustomerEvent, CustomerImported, CustomerUpdated,
};
pub use state::{Customer, CustomerState};

/// A field of personal data, sealed with the customer's own key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PersonalField {
    /// The customer's company.
    Company,
    /// The address that identifies the customer within the ledger.
    Email,
    /// The vendor's own data about the customer, as canonical JSON text.
    Metadata,
    /// The customer's name.
    Name,
}

impl PersonalField {
    /// Every field, in the order in which their paths sort.
    pub const ALL: [Self; 4] = [Self::Company, Self::Email, Self::Metadata, Self::Name];

    /// JSON pointer of the place in the leaf where the field would stand.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Company => "/payload/company",
            Self::Email => "/payload/email",
            Self::Metadata => "/payload/metadata",
            Self::Name => "/payload/name",
        }
    }

    /// The field whose sealed value stands for `path`.
    pub fn from_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.path() == path)
    }
}

/// An e-mail address as it identifies a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailAddress(String);

/// The text is not an e-mail address that mail could reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address such as jane@example.com")]
pub struct InvalidEmailAddress;

impl EmailAddress {
    /// Parses an address: `local@domain.tld`, at most 254 characters, without display name or comments.
    pub fn parse(text: &str) -> Result<Self, InvalidEmailAddress> {
        let options = email_address::Options::default()
            .with_required_tld()
            .without_display_text()
            .without_domain_literal();
        if text.len() > 254 || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(InvalidEmailAddress);
        }
        email_address::EmailAddress::parse_with_options(text, options)
            .map(|_| Self(text.to_owned()))
            .map_err(|_| InvalidEmailAddress)
    }

    /// The address as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form in which two addresses are the same customer: lower case.
    pub fn identity(&self) -> String {
        self.0.to_lowercase()
    }
}

/// What can be asked of a customer.
#[derive(Debug, Clone)]
pub enum CustomerCommand {
    /// Register a new customer.
    Create,
    /// Take them over as they were elsewhere.
    Import(CustomerImported),
    /// Replace the named fields.
    Update(BTreeSet<PersonalField>),
    /// Remove the customer. That no license is theirs is checked by whoever sends the command.
    Delete,
    /// Forget what the customer is called, for good.
    Erase(Erasure),
}

/// What an erasure destroys, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Erasure {
    /// Ids of the customer's keys, in order.
    pub keys: Vec<String>,
    /// How many sealed values there are.
    pub sealed_values: u64,
    /// Why, in the vendor's words.
    pub reason: Option<String>,
}

/// Why a customer refuses a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CustomerError {
    /// There is no such customer, or no longer.
    #[error("customer not found")]
    NotFound,
    /// The id is taken.
    #[error("customer already exists")]
    AlreadyExists,
    /// Their personal data were erased, and no new ones are taken.
    #[error("the customer's personal data were erased")]
    Erased,
}
