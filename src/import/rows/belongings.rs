//! What belongs to a license: machines, usage, anomalies.

use vinzy_events::anomaly::{AnomalyImported, AnomalyResolved, Severity, detection};
use vinzy_events::license::ActivationImported;
use vinzy_events::meter::{ImportUsage, MAX_METRIC};
use vinzy_events::{AnomalyId, LicenseId, MachineId, Timestamp};

use super::refuse;
use crate::import::record::{Record, Taking};

/// Longest fingerprint, in characters.
const MAX_FINGERPRINT: usize = 255;
/// Digits behind the point of an amount.
const MAX_PLACES: u64 = 40;

pub(in crate::import) fn machine(record: &mut Record<'_>) -> Taking<ActivationImported> {
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

pub(in crate::import) fn usage(record: &mut Record<'_>, license_id: LicenseId) -> Taking<ImportUsage> {
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

pub(in crate::import) fn anomaly(record: &mut Record<'_>, license_id: LicenseId) -> Taking<AnomalyImported> {
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
