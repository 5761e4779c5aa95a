//! Who is let in: API keys and sessions, and what they may do. Knows nothing of HTTP.

mod lookup;
pub mod sessions;
mod uses;

use std::collections::BTreeSet;
use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use sqlx::PgPool;
use subtle::{Choice, ConstantTimeEq};
use uuid::Uuid;
use vinzy_events::access::Scope;
use vinzy_events::api_key::Secret;
use vinzy_events::key::KeyDigest;
use vinzy_events::{ApiKeyId, Timestamp};

use crate::secrets::Secrets;
use lookup::{Lookup, Opened};
pub use uses::Uses;

/// What every secret of a tenant's API key begins with.
pub const PREFIX: &str = "vzt_";
/// Characters of a secret by which people recognise it.
const HINT: usize = 8;
/// Longest secret that is looked at, in bytes.
const MAX_SECRET: usize = 256;

/// Somebody who was let in.
#[derive(Debug, Clone)]
pub struct Principal {
    /// What opened.
    pub key: Key,
    /// SHA-256 of the secret that was shown.
    pub digest: KeyDigest,
}

impl Principal {
    /// What the requests of a key are counted by, whatever its secret.
    pub fn bucket(&self) -> Uuid {
        match &self.key {
            Key::Tenant(key) => key.id.as_uuid(),
            Key::Admin => Uuid::nil(),
            Key::SuperAdmin => Uuid::max(),
        }
    }
}

/// A key that opens something.
#[derive(Debug, Clone)]
pub enum Key {
    /// The operator's: manages tenants and shows what the server is set to, and opens nothing in tenants.
    SuperAdmin,
    /// The admin's: everything in the default tenant.
    Admin,
    /// One of a tenant's.
    Tenant(TenantKey),
}

/// A tenant's API key.
#[derive(Debug, Clone)]
pub struct TenantKey {
    /// The tenant's ledger.
    pub ledger_id: Arc<str>,
    /// The key.
    pub id: ApiKeyId,
    /// What it is called.
    pub name: String,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// When it stops.
    pub valid_until: Option<Timestamp>,
}

/// It cannot be found out at the moment who is asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("API keys cannot be looked up at the moment")]
pub struct Unavailable;

/// Knows all keys.
pub struct Access {
    admin: KeyDigest,
    super_admin: KeyDigest,
    lookup: Lookup,
    /// When keys were last used.
    pub uses: Uses,
}

impl Access {
    /// The keys of `secrets`, and those in the database of `pool`. Looks up on the current runtime.
    pub fn new(secrets: &Secrets, pool: PgPool) -> Self {
        Self {
            admin: KeyDigest::of(secrets.api_key.expose()),
            super_admin: KeyDigest::of(secrets.super_admin_key.expose()),
            lookup: Lookup::start(pool),
            uses: Uses::default(),
        }
    }

    /// Who shows `secret`; `None` for nobody we know. A key that was revoked before this call is nobody's.
    pub async fn who(&self, secret: &[u8], now: Timestamp) -> Result<Option<Principal>, Unavailable> {
        if secret.len() > MAX_SECRET {
            return Ok(None);
        }
        let digest = KeyDigest::of_bytes(secret);
        self.who_has(digest, secret.starts_with(PREFIX.as_bytes()), now)
            .await
    }

    /// As [`Access::who`], by the digest of a secret that was shown before.
    pub async fn who_had(&self, digest: KeyDigest, now: Timestamp) -> Result<Option<Principal>, Unavailable> {
        self.who_has(digest, true, now).await
    }

    async fn who_has(
        &self,
        digest: KeyDigest,
        is_tenants: bool,
        now: Timestamp,
    ) -> Result<Option<Principal>, Unavailable> {
        // Both are compared whatever the first gives, so that time tells nothing.
        let (admin, super_admin) = (same(&digest, &self.admin), same(&digest, &self.super_admin));
        let key = if bool::from(super_admin) {
            Some(Key::SuperAdmin)
        } else if bool::from(admin) {
            Some(Key::Admin)
        } else if is_tenants {
            self.lookup
                .find(digest)
                .await?
                .filter(|opened| opened.valid_until.is_none_or(|until| now < until))
                .map(|opened| self.used(opened, now))
        } else {
            None
        };
        Ok(key.map(|key| Principal { key, digest }))
    }

    fn used(&self, opened: Opened, now: Timestamp) -> Key {
        let Opened {
            ledger_id,
            api_key_id,
            name,
            scopes,
            valid_until,
        } = opened;
        self.uses.note(&ledger_id, api_key_id, now);
        Key::Tenant(TenantKey {
            ledger_id,
            id: api_key_id,
            name,
            scopes,
            valid_until,
        })
    }
}

/// The text of a new secret, out of 32 random bytes, and what is kept of it.
pub fn new_secret(entropy: [u8; 32]) -> (String, Secret) {
    let text = format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&entropy));
    let secret = Secret {
        digest: KeyDigest::of(&text),
        hint: text[..HINT].to_owned(),
    };
    (text, secret)
}

fn same(one: &KeyDigest, other: &KeyDigest) -> Choice {
    one.as_bytes().ct_eq(other.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_recognised_by_its_first_characters() {
        let (text, secret) = new_secret([7; 32]);
        assert_eq!((text.len(), &*secret.hint), (47, "vzt_BwcH"));
        assert_eq!(secret.digest, KeyDigest::of(&text));
    }
}
