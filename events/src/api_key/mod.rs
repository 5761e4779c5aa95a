//! API keys: what programs and people of a tenant show to be let in.
//!
//! Only the SHA-256 of a key's secret is known here. The secrets are 32 random bytes, so that their hash tells
//! nothing.

mod decide;
mod event;
mod state;

use std::collections::BTreeSet;

pub use event::{ApiKeyCreated, ApiKeyEvent, ApiKeyImported, ApiKeyRevoked, ApiKeyRotated, ApiKeyUpdated};
pub use state::{ApiKey, ApiKeyState, PreviousSecret};

use crate::Timestamp;
use crate::access::Scope;
use crate::key::KeyDigest;

/// A secret as far as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// SHA-256 of its text.
    pub digest: KeyDigest,
    /// Its first characters, by which people recognise it.
    pub hint: String,
}

/// What can be asked of an API key.
#[derive(Debug, Clone)]
pub enum ApiKeyCommand {
    /// Make a new one.
    Create(CreateApiKey),
    /// Take over one that was made elsewhere.
    Import(ApiKeyImported),
    /// Change what is given, leave the rest.
    Update(UpdateApiKey),
    /// Give it a new secret.
    Rotate {
        /// The new secret.
        secret: Secret,
        /// How long the old one still opens, in seconds; 0 ends it at once.
        overlap_seconds: u32,
    },
    /// End it for good.
    Revoke,
}

/// The content of a new API key.
#[derive(Debug, Clone)]
pub struct CreateApiKey {
    /// What people call it.
    pub name: String,
    /// What it may do; never empty.
    pub scopes: BTreeSet<Scope>,
    /// When it ends; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// Its secret.
    pub secret: Secret,
}

/// Changes to an API key; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct UpdateApiKey {
    /// New name.
    pub name: Option<String>,
    /// New scopes as a whole; never empty.
    pub scopes: Option<BTreeSet<Scope>>,
    /// New end; `Some(None)` is never.
    pub expires_at: Option<Option<Timestamp>>,
}

/// Why an API key refuses a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyError {
    /// There is no such key, or it was revoked.
    #[error("API key not found")]
    NotFound,
    /// The id is taken.
    #[error("API key already exists")]
    AlreadyExists,
    /// Its end lies in the past.
    #[error("the expiry must lie in the future")]
    ExpiryNotInFuture,
    /// It has ended: a new secret would not open anything.
    #[error("the API key has expired")]
    Expired,
}
