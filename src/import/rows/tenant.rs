//! Tenants.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use uuid::Uuid;
use vinzy_events::key::KeyDigest;
use vinzy_events::tenant::{TenantImported, TenantSettings, TenantSlug};

use super::{digest, refuse};
use crate::import::record::{Record, Taking};

/// A tenant, before it is known whether its slug is free.
pub(in crate::import) struct TenantRow {
    pub(in crate::import) id: Uuid,
    pub(in crate::import) imported: TenantImported,
    pub(in crate::import) api_key: Option<KeyDigest>,
}

pub(in crate::import) fn tenant(
    record: &mut Record<'_>,
    versions: Option<&BTreeSet<u8>>,
) -> Taking<TenantRow> {
    let id = record.id("id", "tenants")?;
    let given = record.text("slug")?.unwrap_or_default();
    let slug = slug(record, &given)?;
    let created_at = record.created_at("created_at");
    let mut closed_at = record.deleted_at(created_at)?;
    if record.flag("is_active")? == Some(false) {
        closed_at = closed_at
            .or_else(|| record.past_time("updated_at"))
            .or(Some(created_at));
    }
    let name = Some(record.words("name")).filter(|name| !name.is_empty());
    let imported = TenantImported {
        name: name.unwrap_or_else(|| given.clone()),
        slug,
        hmac_key_version: key_version(record, versions)?,
        config_overrides: overrides(record),
        created_at,
        closed_at,
    };
    let api_key = match record.text("api_key_hash")? {
        Some(hash) if !hash.is_empty() => digest(&hash).or_else(|| {
            record.mended(
                "its API key is not stored as SHA-256: make it a new one (POST /tenants/{id}/api-keys)",
            );
            None
        }),
        _ => {
            record.noted("it has no API key: make it one (POST /tenants/{id}/api-keys)");
            None
        }
    };
    Ok(TenantRow {
        id,
        imported,
        api_key,
    })
}

/// A slug as it is, or made one: lower case, and hyphens for what a slug does not hold.
fn slug(record: &mut Record<'_>, given: &str) -> Taking<TenantSlug> {
    if let Ok(slug) = TenantSlug::parse(given) {
        return Ok(slug);
    }
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let mut text: String = given.trim().chars().map(plain).collect();
    text = text.trim_matches('-').to_owned();
    text.truncate(50);
    let text = text.trim_end_matches('-');
    let slug = TenantSlug::parse(text).or_else(|_| TenantSlug::parse(&format!("{text}-tenant")));
    let slug = slug.or_else(|_| refuse(format!("its slug {given:?} is none, and none can be made of it")))?;
    record.mended(format!("its slug {given:?} is {slug} here"));
    Ok(slug)
}

fn key_version(record: &mut Record<'_>, versions: Option<&BTreeSet<u8>>) -> Taking<Option<u8>> {
    let Some(given) = record.integer("hmac_key_version")? else {
        return Ok(None);
    };
    let known = u8::try_from(given)
        .ok()
        .filter(|version| versions.is_none_or(|known| known.contains(version)));
    if known.is_none() {
        record.mended(format!(
            "there is no HMAC key of its version {given}: new keys are signed with the newest"
        ));
    }
    Ok(known)
}

/// Settings of today that are wrong mean nothing, and must not stand where they would.
fn overrides(record: &mut Record<'_>) -> Map<String, Value> {
    let mut overrides = record.object("config_overrides");
    while let Err(problems) = TenantSettings::read(&overrides) {
        for (name, must) in problems {
            if let Some(value) = overrides.remove(&name) {
                record.mended(format!(
                    "its setting {name} {must}: it is called imported_{name} here"
                ));
                overrides.insert(format!("imported_{name}"), value);
            }
        }
    }
    overrides
}
