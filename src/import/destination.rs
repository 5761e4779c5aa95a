//! Where the rows go: what of it is there already, and how what is not gets there.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sqlx::PgPool;
use uuid::Uuid;
use vinzy_events::key::{KeyDigest, KeyRing};

use crate::app::{DEFAULT_LEDGER, opening};
use crate::clock::{Clock, Entropy};
use crate::commands::customers::AddressHasher;
use crate::commands::import::{Import, Landed, take};
use crate::commands::{CUSTOMER_EMAIL, CommandError, PRODUCT_CODE, TENANT_SLUG};
use crate::keys::MasterKeys;
use crate::ledger::{CheckpointKeys, Ledgers, OpenError, named_key, open};

/// The database of this system, opened for an import.
pub struct Destination {
    /// Its connections.
    pub pool: PgPool,
    /// Its ledgers.
    pub ledgers: Ledgers,
    /// Wrap keys.
    pub masters: MasterKeys,
    /// Hashes addresses.
    pub address_hasher: AddressHasher,
    /// Sign the checkpoints of new ledgers.
    pub checkpoint_keys: CheckpointKeys,
    /// The keys of license keys that servers on it have.
    pub key_ring: Option<KeyRing>,
    /// The time.
    pub clock: Clock,
    /// Random bytes.
    pub entropy: Entropy,
}

/// A kind of value that is unique in its ledger.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unique {
    ProductCode,
    Address,
    Slug,
}

impl Unique {
    const fn kind(self) -> &'static str {
        match self {
            Self::ProductCode => PRODUCT_CODE,
            Self::Address => CUSTOMER_EMAIL,
            Self::Slug => TENANT_SLUG,
        }
    }
}

impl Destination {
    /// How the streams with these ids begin, of those that there are.
    pub(super) async fn beginnings(
        &self,
        ledger_id: &str,
        stream_type: &str,
        ids: &[String],
    ) -> sqlx::Result<HashMap<String, String>> {
        let rows = sqlx::query!(
            "SELECT stream_id, event_type FROM events
             WHERE ledger_id = $1 AND stream_type = $2 AND stream_id = ANY($3) AND stream_seq = 1",
            ledger_id,
            stream_type,
            ids,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| (row.stream_id, row.event_type))
            .collect())
    }

    /// Which of these idempotency keys are used.
    pub(super) async fn used_keys(&self, ledger_id: &str, keys: &[String]) -> sqlx::Result<HashSet<String>> {
        let keys = sqlx::query_scalar!(
            "SELECT key FROM idempotency_keys WHERE ledger_id = $1 AND key = ANY($2)",
            ledger_id,
            keys,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(keys.into_iter().collect())
    }

    /// Who holds these unique values.
    pub(super) async fn holders(
        &self,
        ledger_id: &str,
        unique: Unique,
        values: &[String],
    ) -> sqlx::Result<HashMap<String, String>> {
        let rows = sqlx::query!(
            "SELECT value, stream_id FROM unique_claims WHERE ledger_id = $1 AND kind = $2 AND value = ANY($3)",
            ledger_id,
            unique.kind(),
            values,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| (row.value, row.stream_id)).collect())
    }

    /// Which licenses have keys with these digests, in any ledger.
    pub(super) async fn licenses_of(&self, digests: &[KeyDigest]) -> sqlx::Result<HashMap<Vec<u8>, Uuid>> {
        let digests: Vec<Vec<u8>> = digests.iter().map(|digest| digest.as_bytes().to_vec()).collect();
        let rows = sqlx::query!(
            "SELECT key_digest, license_id FROM license_keys WHERE key_digest = ANY($1)",
            &digests,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| (row.key_digest, row.license_id))
            .collect())
    }

    /// The API key that a secret with this digest opens, in any ledger.
    pub(super) async fn api_key_of(&self, digest: &KeyDigest) -> sqlx::Result<Option<Uuid>> {
        sqlx::query_scalar!(
            "SELECT api_key_id FROM api_key_secrets WHERE key_digest = $1",
            digest.as_bytes().as_slice(),
        )
        .fetch_optional(&self.pool)
        .await
    }

    /// Makes sure that a tenant's ledger is there. It is called as the others are.
    pub(super) async fn open_ledger(&self, ledger_id: &str) -> Result<(), OpenError> {
        let default = named_key(&self.pool, DEFAULT_LEDGER).await?;
        let origin = default.map(|named| named.origin).ok_or(OpenError::Unopenable)?;
        let prefix = origin.strip_suffix("/t/default").ok_or(OpenError::Unopenable)?;
        let opening = opening(prefix, ledger_id);
        open(
            &self.pool,
            &opening,
            &self.checkpoint_keys,
            &self.clock,
            &self.entropy,
        )
        .await
    }

    /// Takes something over.
    pub(super) async fn take(&self, ledger_id: Arc<str>, import: Import) -> Result<Landed, CommandError> {
        take(&self.ledgers, &ledger_id, import).await
    }
}
