//! Tenants: vendors on one server, each with a ledger of its own. Their streams stand in the server's own ledger.

mod decide;
mod event;
mod settings;
mod state;

use serde_json::{Map, Value};

pub use event::{TenantClosed, TenantCreated, TenantEvent, TenantImported, TenantUpdated};
pub use settings::{TenantSettings, is_origin};
pub use state::{Tenant, TenantState};

/// A tenant's short name: part of its ledger's name, fixed for good.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantSlug(String);

/// The text is not a slug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 63 characters a-z, 0-9 and -, not begin or end with -, and not be reserved")]
pub struct InvalidTenantSlug;

/// Names of ledgers that belong to no tenant.
const RESERVED: [&str; 2] = ["default", "system"];

impl TenantSlug {
    /// Parses a slug, as a label of a host name (RFC 1123); upper case is refused, not corrected.
    pub fn parse(text: &str) -> Result<Self, InvalidTenantSlug> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let valid = (1..=63).contains(&text.len())
            && text.bytes().all(plain)
            && !text.starts_with('-')
            && !text.ends_with('-')
            && !RESERVED.contains(&text);
        valid.then(|| Self(text.to_owned())).ok_or(InvalidTenantSlug)
    }

    /// The slug's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TenantSlug {
    type Error = InvalidTenantSlug;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<TenantSlug> for String {
    fn from(slug: TenantSlug) -> Self {
        slug.0
    }
}

impl std::fmt::Display for TenantSlug {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What can be asked of a tenant.
#[derive(Debug, Clone)]
pub enum TenantCommand {
    /// Take in a new tenant.
    Create(CreateTenant),
    /// Take it over as it was elsewhere.
    Import(Box<TenantImported>),
    /// Change what is given, leave the rest.
    Update(UpdateTenant),
    /// Shut it out: its keys stop, its ledger stays.
    Close,
}

/// The content of a new tenant.
#[derive(Debug, Clone)]
pub struct CreateTenant {
    /// What people call it.
    pub name: String,
    /// Unique for ever.
    pub slug: TenantSlug,
    /// Version of the HMAC key that signs its license keys; `None` is always the newest.
    pub hmac_key_version: Option<u8>,
    /// Settings that differ from the server's, and the operator's own data.
    pub config_overrides: Map<String, Value>,
}

/// Changes to a tenant; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct UpdateTenant {
    /// New name.
    pub name: Option<String>,
    /// New version of the HMAC key; `Some(None)` is always the newest.
    pub hmac_key_version: Option<Option<u8>>,
    /// New overrides, replacing the old ones as a whole.
    pub config_overrides: Option<Map<String, Value>>,
}

/// Why a tenant refuses a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TenantError {
    /// There is no such tenant, or it was closed.
    #[error("tenant not found")]
    NotFound,
    /// The id is taken.
    #[error("tenant already exists")]
    AlreadyExists,
}
