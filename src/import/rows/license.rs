//! Licenses.

use serde_json::{Map, Value};
use uuid::Uuid;
use vinzy_events::Timestamp;
use vinzy_events::key::KeyDigest;
use vinzy_events::license::Standing;

use super::{digest, features, refuse};
use crate::import::record::{Record, Taking};

/// A license, before it is known what it belongs to.
pub(in crate::import) struct LicenseRow {
    pub(in crate::import) id: Uuid,
    pub(in crate::import) product_id: Option<Uuid>,
    pub(in crate::import) product_code: Option<String>,
    pub(in crate::import) customer_id: Option<Uuid>,
    pub(in crate::import) key_digest: KeyDigest,
    pub(in crate::import) standing: Standing,
    pub(in crate::import) tier: Option<String>,
    pub(in crate::import) machines_limit: Option<u32>,
    pub(in crate::import) expires_at: Option<Timestamp>,
    pub(in crate::import) features: Map<String, Value>,
    pub(in crate::import) entitlements: Map<String, Value>,
    pub(in crate::import) metadata: Map<String, Value>,
    pub(in crate::import) created_at: Timestamp,
    pub(in crate::import) updated_at: Option<Timestamp>,
    pub(in crate::import) deleted_at: Option<Timestamp>,
}

pub(in crate::import) fn license(record: &mut Record<'_>, now: Timestamp) -> Taking<LicenseRow> {
    let id = record.id("id", "licenses")?;
    let hash = record.text("key_hash")?.unwrap_or_default();
    let Some(key_digest) = digest(&hash) else {
        return refuse("its key is not stored as SHA-256 in hex");
    };
    let created_at = record.created_at("created_at");
    let updated_at = record.past_time("updated_at");
    let mut deleted_at = record.deleted_at(created_at)?;
    // One that cannot be read must not become one that never comes.
    let mut expires_at = record.time("expires_at")?;
    let status = record.text("status")?.unwrap_or_else(|| "active".to_owned());
    let last_changed = updated_at.unwrap_or(created_at);
    let standing = match status.trim().to_lowercase().as_str() {
        "active" => Standing::Active,
        "suspended" => Standing::Suspended,
        "revoked" => Standing::Revoked,
        "expired" => {
            if expires_at.is_none_or(|at| at > now) {
                record.mended("its status was expired although its end was not reached: it ends when it was last changed");
                expires_at = Some(last_changed);
            }
            Standing::Active
        }
        "deleted" => {
            deleted_at = deleted_at.or(Some(last_changed));
            Standing::Revoked
        }
        _ => {
            let shown: String = status.chars().take(40).collect();
            record.mended(format!(
                "its status {shown:?} is unknown: it is active, as it was in effect"
            ));
            Standing::Active
        }
    };
    Ok(LicenseRow {
        id,
        product_id: record.reference("product_id", "products")?,
        product_code: record.text("product_code")?.filter(|code| !code.is_empty()),
        customer_id: record.reference("customer_id", "customers")?,
        key_digest,
        standing,
        tier: record.text("tier")?.filter(|tier| !tier.is_empty()),
        machines_limit: machines_limit(record)?,
        expires_at,
        features: features(record, "features"),
        entitlements: features(record, "entitlements"),
        metadata: record.object("metadata"),
        created_at,
        updated_at,
        deleted_at,
    })
}

fn machines_limit(record: &mut Record<'_>) -> Taking<Option<u32>> {
    let Some(limit) = record.integer("machines_limit")? else {
        return Ok(None);
    };
    if limit < 1 {
        record.mended(format!(
            "its machines_limit {limit} is 1, the least that a license can have"
        ));
        return Ok(Some(1));
    }
    Ok(Some(u32::try_from(limit).unwrap_or_else(|_| {
        record.mended(format!(
            "its machines_limit {limit} is {}, the most that a license can have",
            u32::MAX
        ));
        u32::MAX
    })))
}
