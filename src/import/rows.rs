//! What each kind of row must be, and what is made of one that is otherwise: it is taken as it is, mended, or not taken.
//! docs/import.md lists these rules for whoever reads a report. What depends on other rows is dealt with in `importer`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use uuid::Uuid;
use vinzy_events::anomaly::{AnomalyImported, AnomalyResolved, Severity, detection};
use vinzy_events::customer::{CustomerImported, EmailAddress};
use vinzy_events::endpoint::{EndpointStatus, EventPattern};
use vinzy_events::key::KeyDigest;
use vinzy_events::license::{ActivationImported, HistoryImported, Standing};
use vinzy_events::meter::{ImportUsage, MAX_METRIC};
use vinzy_events::product::{ProductCode, ProductImported};
use vinzy_events::tenant::{TenantImported, TenantSettings, TenantSlug};
use vinzy_events::webhook::SigningSecret;
use vinzy_events::{AnomalyId, LicenseId, MachineId, Timestamp};

use super::record::{NotTaken, Record, Taking};
use crate::personal_data::store::PersonalData;
use crate::webhooks::target::Target;

/// Longest fingerprint, in characters.
const MAX_FINGERPRINT: usize = 255;
/// Digits behind the point of an amount.
const MAX_PLACES: u64 = 40;
/// Seconds that an endpoint may take for its answer.
const TIMEOUT: std::ops::RangeInclusive<i64> = 1..=60;
/// Seconds for an answer when nothing is said.
const DEFAULT_TIMEOUT: u32 = 10;
/// Further tries of a delivery, at most.
const MAX_RETRIES: i64 = 50;
/// The tier of a product that names none.
const STANDARD: &str = "standard";
/// Stands where an address stood that does not belong into a ledger.
const REMOVED: &str = "(an e-mail address, left out)";

fn refuse<T>(reason: impl Into<String>) -> Taking<T> {
    Err(NotTaken(reason.into()))
}

/// A tenant, before it is known whether its slug is free.
pub(super) struct TenantRow {
    pub(super) id: Uuid,
    pub(super) imported: TenantImported,
    pub(super) api_key: Option<KeyDigest>,
}

pub(super) fn tenant(record: &mut Record<'_>, versions: Option<&BTreeSet<u8>>) -> Taking<TenantRow> {
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

pub(super) fn product(record: &mut Record<'_>) -> Taking<(Uuid, ProductImported)> {
    let id = record.id("id", "products")?;
    let given = record.text("code")?.unwrap_or_default();
    let code = match ProductCode::parse(&given) {
        Ok(code) => code,
        // As license keys have it: upper case, three letters.
        Err(_) => {
            let text: String = given.trim().to_uppercase().chars().take(3).collect();
            let code = ProductCode::parse(&text);
            let code = code.or_else(|error| refuse(format!("its code {given:?} {error}")))?;
            record.mended(format!(
                "its code {given:?} is {code} here, as in its license keys"
            ));
            code
        }
    };
    let created_at = record.created_at("created_at");
    let name = Some(record.words("name")).filter(|name| !name.is_empty());
    let tier = Some(record.words("default_tier")).filter(|tier| !tier.is_empty());
    let imported = ProductImported {
        name: name.unwrap_or_else(|| code.to_string()),
        code,
        description: record.words("description"),
        default_tier: tier.unwrap_or_else(|| STANDARD.to_owned()),
        features: features(record, "features"),
        metadata: record.object("metadata"),
        created_at,
        updated_at: record.past_time("updated_at"),
        deleted_at: record.deleted_at(created_at)?,
    };
    Ok((id, imported))
}

/// Features, or overrides of them. A list of names switches them on; what else is no object is none.
pub(super) fn features(record: &mut Record<'_>, field: &str) -> Map<String, Value> {
    let features = match record.json(field) {
        Ok(None) => return Map::new(),
        Ok(Some(Value::Object(features))) => features,
        Ok(Some(Value::Array(items))) if !items.is_empty() && items.iter().all(Value::is_string) => {
            record.mended(format!("its {field} are a list: each name in it is on"));
            let names = items.iter().filter_map(Value::as_str);
            names.map(|name| (name.to_owned(), Value::Bool(true))).collect()
        }
        Ok(Some(Value::Array(items))) if items.is_empty() => return Map::new(),
        Ok(Some(_)) => {
            record.mended(format!("its {field} are no object, and were left out"));
            return Map::new();
        }
        Err(_) => {
            record.mended(format!("its {field} are not JSON, and were left out"));
            return Map::new();
        }
    };
    let (features, changes) = super::features::mend(features);
    for change in changes {
        record.mended(format!("of its {field}, {change}"));
    }
    features
}

/// A customer, before it is known whether the address is free.
pub(super) struct CustomerRow {
    pub(super) id: Uuid,
    pub(super) imported: CustomerImported,
    pub(super) data: PersonalData,
    pub(super) email: EmailAddress,
}

pub(super) fn customer(record: &mut Record<'_>) -> Taking<CustomerRow> {
    let id = record.id("id", "customers")?;
    let created_at = record.created_at("created_at");
    let given = record.words("email");
    let mut data = PersonalData {
        name: record.words("name"),
        email: String::new(),
        company: record.words("company"),
        metadata: record.object("metadata"),
    };
    let email = match EmailAddress::parse(given.trim()) {
        Ok(email) => email,
        Err(_) => {
            record.mended("its e-mail address is none: it stands in its metadata, as \"imported_email\"");
            stand_in(id, given, &mut data)
        }
    };
    email.as_str().clone_into(&mut data.email);
    let imported = CustomerImported {
        created_at,
        updated_at: record.past_time("updated_at"),
        deleted_at: record.deleted_at(created_at)?,
    };
    Ok(CustomerRow {
        id,
        imported,
        data,
        email,
    })
}

/// An address that belongs to nobody, for a customer whose own cannot be one; that is kept with their data.
pub(super) fn stand_in(id: Uuid, own: String, data: &mut PersonalData) -> EmailAddress {
    data.metadata.insert("imported_email".to_owned(), own.into());
    let text = format!("{id}@import.invalid");
    let email = EmailAddress::parse(&text).expect("an id and a domain are an address");
    data.email = text;
    email
}

/// A license, before it is known what it belongs to.
pub(super) struct LicenseRow {
    pub(super) id: Uuid,
    pub(super) product_id: Option<Uuid>,
    pub(super) product_code: Option<String>,
    pub(super) customer_id: Option<Uuid>,
    pub(super) key_digest: KeyDigest,
    pub(super) standing: Standing,
    pub(super) tier: Option<String>,
    pub(super) machines_limit: Option<u32>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) features: Map<String, Value>,
    pub(super) entitlements: Map<String, Value>,
    pub(super) metadata: Map<String, Value>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Option<Timestamp>,
    pub(super) deleted_at: Option<Timestamp>,
}

pub(super) fn license(record: &mut Record<'_>, now: Timestamp) -> Taking<LicenseRow> {
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

/// SHA-256 in hex, whatever the case.
pub(super) fn digest(text: &str) -> Option<KeyDigest> {
    let bytes = data_encoding::HEXLOWER_PERMISSIVE
        .decode(text.trim().as_bytes())
        .ok()?;
    bytes.try_into().ok().map(KeyDigest::from_bytes)
}

/// The license that a row belongs to.
pub(super) fn license_id(record: &Record<'_>) -> Taking<Uuid> {
    record
        .reference("license_id", "licenses")?
        .ok_or_else(|| NotTaken("it names no license".into()))
}

pub(super) fn machine(record: &mut Record<'_>) -> Taking<ActivationImported> {
    let machine_id = record.id("id", "machines")?;
    let fingerprint = record.text("fingerprint")?.unwrap_or_default();
    if !(1..=MAX_FINGERPRINT).contains(&fingerprint.chars().count()) {
        return refuse(format!(
            "its fingerprint must have 1 to {MAX_FINGERPRINT} characters"
        ));
    }
    let activated_at = record.created_at("activated_at");
    let last_heartbeat_at = record.past_time("last_heartbeat");
    let mut removed_at = record.past_time("deactivated_at");
    let status = record.text("status")?.unwrap_or_default().to_lowercase();
    let gone = record.flag("is_active")? == Some(false)
        || record.flag("is_deleted")? == Some(true)
        || ["inactive", "deactivated", "removed", "revoked", "deleted"].contains(&status.as_str());
    if gone {
        let then = record
            .past_time("updated_at")
            .or(last_heartbeat_at)
            .unwrap_or(activated_at);
        removed_at.get_or_insert(then);
    }
    Ok(ActivationImported {
        machine_id: MachineId::from(machine_id),
        fingerprint,
        hostname: record.words("hostname"),
        platform: record.words("platform"),
        version: record.text("version")?.filter(|version| !version.is_empty()),
        metadata: record.object("metadata"),
        activated_at,
        last_heartbeat_at,
        removed_at,
    })
}

pub(super) fn usage(record: &mut Record<'_>, license_id: LicenseId) -> Taking<ImportUsage> {
    let record_id = record.record_id()?;
    let metric = metric(record)?;
    let Some(value) = record.decimal("value")? else {
        return refuse("it has no value");
    };
    if !value.is_positive() {
        return refuse(format!("its value {value} is not more than 0"));
    }
    if value.is_too_large() || value.decimal_places() > MAX_PLACES {
        return refuse(format!(
            "its value is too large, or has more than {MAX_PLACES} digits behind the point"
        ));
    }
    let Some(recorded_at) = record.time("recorded_at")? else {
        return refuse("it does not say when it was recorded");
    };
    Ok(ImportUsage {
        record_id,
        license_id,
        metric,
        value,
        metadata: record.object("metadata"),
        recorded_at,
    })
}

fn metric(record: &mut Record<'_>) -> Taking<String> {
    let metric = record.text("metric")?.unwrap_or_default();
    if !(1..=MAX_METRIC).contains(&metric.chars().count()) || metric.chars().any(char::is_control) {
        return refuse(format!(
            "its metric must have 1 to {MAX_METRIC} characters, and no control characters"
        ));
    }
    Ok(metric)
}

pub(super) fn anomaly(record: &mut Record<'_>, license_id: LicenseId) -> Taking<AnomalyImported> {
    let id = record.id("id", "anomalies")?;
    let metric = metric(record)?;
    let Some(detected_at) = record.time("detected_at")? else {
        return refuse("it does not say when it was found");
    };
    let z_score = record.figure("z_score");
    let named = record.text("severity")?.unwrap_or_default();
    let severity = Severity::parse(&named.to_lowercase()).unwrap_or_else(|| {
        let severity = detection::severity(z_score.to_f64()).unwrap_or(Severity::Medium);
        record.mended(format!(
            "its severity {named:?} is unknown: it is {} here, by its score",
            severity.as_str()
        ));
        severity
    });
    let kind = Some(record.words("anomaly_type")).filter(|kind| !kind.is_empty());
    Ok(AnomalyImported {
        anomaly_id: AnomalyId::from(id),
        license_id,
        anomaly_type: kind.unwrap_or_else(|| "usage_spike".to_owned()),
        severity,
        metric,
        observed_value: record.figure("observed_value"),
        baseline_mean: record.figure("baseline_mean"),
        baseline_stddev: record.figure("baseline_stddev"),
        z_score,
        detected_at,
        resolved: resolved(record, detected_at)?,
    })
}

fn resolved(record: &mut Record<'_>, detected_at: Timestamp) -> Taking<Option<AnomalyResolved>> {
    let at = record.past_time("resolved_at");
    if !record.flag("resolved")?.unwrap_or(at.is_some()) {
        return Ok(None);
    }
    let by = Some(record.words("resolved_by")).filter(|by| !by.is_empty());
    let at = at
        .or_else(|| record.past_time("updated_at"))
        .unwrap_or(detected_at);
    Ok(Some(AnomalyResolved {
        resolved_by: by.unwrap_or_else(|| "unknown".to_owned()),
        resolved_at: at,
    }))
}

/// An endpoint, before its secret is sealed.
pub(super) struct EndpointRow {
    pub(super) id: Uuid,
    pub(super) url: String,
    pub(super) description: String,
    pub(super) event_types: BTreeSet<EventPattern>,
    pub(super) status: EndpointStatus,
    pub(super) max_retries: Option<u32>,
    pub(super) timeout_seconds: u32,
    /// What signs; `None` if a new one has to be made.
    pub(super) secret: Option<SigningSecret>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

/// An endpoint. Of one that was removed there is nothing to keep.
pub(super) fn endpoint(record: &mut Record<'_>) -> Taking<EndpointRow> {
    let id = record.id("id", "webhook_endpoints")?;
    let created_at = record.created_at("created_at");
    if record.deleted_at(created_at)?.is_some() {
        return refuse("it was deleted");
    }
    let url = record.text("url")?.unwrap_or_default();
    if let Err(error) = url.parse::<Target>() {
        return refuse(format!("its URL {error}"));
    }
    let status = record.text("status")?.unwrap_or_default().to_lowercase();
    let on = match record.flag("is_active")? {
        Some(on) => on,
        None => status.is_empty() || ["active", "enabled"].contains(&status.as_str()),
    };
    let mut status = if on {
        EndpointStatus::Active
    } else {
        EndpointStatus::Paused
    };
    let given = record.text("secret")?.unwrap_or_default();
    let secret = SigningSecret::parse(&given).ok();
    if secret.is_none() {
        record.mended("its secret cannot sign: it has a new one and is paused. Rotate that, give it to the receiver, resume");
        status = EndpointStatus::Paused;
    }
    let timeout = record.integer("timeout_seconds")?;
    let timeout_seconds = match timeout {
        None => DEFAULT_TIMEOUT,
        Some(seconds) => {
            let bounded = seconds.clamp(*TIMEOUT.start(), *TIMEOUT.end());
            if bounded != seconds {
                record.mended(format!("its timeout_seconds {seconds} is {bounded} here"));
            }
            u32::try_from(bounded).unwrap_or(DEFAULT_TIMEOUT)
        }
    };
    let max_retries = record.integer("max_retries")?.map(|retries| {
        let bounded = retries.clamp(0, MAX_RETRIES);
        if bounded != retries {
            record.mended(format!("its max_retries {retries} is {bounded} here"));
        }
        u32::try_from(bounded).unwrap_or(0)
    });
    Ok(EndpointRow {
        id,
        url,
        description: record.words("description").chars().take(500).collect(),
        event_types: event_types(record)?,
        status,
        max_retries,
        timeout_seconds,
        secret,
        created_at,
        updated_at: record.past_time("updated_at").unwrap_or(created_at),
    })
}

/// None is all. When none is left of some, it must not become all.
fn event_types(record: &mut Record<'_>) -> Taking<BTreeSet<EventPattern>> {
    let given = match record.json("event_types") {
        Ok(None) => return Ok(BTreeSet::new()),
        Ok(Some(Value::Array(items))) => items,
        Ok(Some(_)) => return refuse("its event_types are no list"),
        // Not JSON: names between commas.
        Err(_) => {
            let text = record.text("event_types")?.unwrap_or_default();
            text.split(',').map(|name| Value::from(name.trim())).collect()
        }
    };
    let mut known = BTreeSet::new();
    for item in &given {
        match item.as_str().map(str::parse) {
            Some(Ok(pattern)) => {
                known.insert(pattern);
            }
            _ => record.mended(format!(
                "there are no events {item}: it is not subscribed to them"
            )),
        }
    }
    if known.is_empty() && !given.is_empty() {
        return refuse("it is subscribed to nothing that there is");
    }
    Ok(known)
}

pub(super) fn history(record: &mut Record<'_>) -> Taking<HistoryImported> {
    let record_id = record.record_id()?;
    let Some(created_at) = record.time("created_at")? else {
        return refuse("it does not say when it was noted");
    };
    let event_type = record.text("event_type")?.filter(|name| !name.is_empty());
    let mut detail = Value::Object(record.object("detail"));
    let mut actor = Value::String(record.words("actor"));
    if leave_addresses_out(&mut detail) | leave_addresses_out(&mut actor) {
        record.mended("it held an e-mail address, which was left out: nothing personal stands in a ledger");
    }
    Ok(HistoryImported {
        record_id,
        event_type: event_type.unwrap_or_else(|| "unknown".to_owned()),
        actor: actor.as_str().unwrap_or_default().to_owned(),
        detail: detail.as_object().cloned().unwrap_or_default(),
        created_at,
        event_hash: record.text("event_hash")?,
        prev_hash: record.text("prev_hash")?,
        signature: record.text("signature")?,
    })
}

/// Replaces every text that holds an e-mail address. Whether there was one.
fn leave_addresses_out(value: &mut Value) -> bool {
    match value {
        Value::String(text) => {
            let apart = |c: char| c.is_whitespace() || "<>()[],;:\"'".contains(c);
            let found = text.contains('@') && text.split(apart).any(|word| EmailAddress::parse(word).is_ok());
            if found {
                REMOVED.clone_into(text);
            }
            found
        }
        Value::Array(items) => items
            .iter_mut()
            .fold(false, |found, item| leave_addresses_out(item) | found),
        Value::Object(fields) => fields
            .values_mut()
            .fold(false, |found, item| leave_addresses_out(item) | found),
        _ => false,
    }
}
