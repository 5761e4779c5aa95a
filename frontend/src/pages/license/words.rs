//! Events of a license as sentences.

use serde_json::Value;
use vinzy_client::audit::AuditEntry;

use super::entitlements::{period, words as feature};
use crate::format;
use crate::text;

/// An event in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The sentence.
    pub sentence: String,
    /// What it changed, a line each.
    pub changes: Vec<String>,
    /// How it is marked: `good`, `warning`, `bad`, `quiet` or nothing.
    pub tone: &'static str,
}

/// The kinds of events that a license's history can have, with their names.
pub const KINDS: [(&str, &str); 19] = [
    ("license.created", "Issued"),
    ("license.imported", "Imported"),
    ("license.history_imported", "History from before"),
    ("license.updated", "Changed"),
    ("license.suspended", "Suspended"),
    ("license.reinstated", "Reinstated"),
    ("license.renewed", "Renewed"),
    ("license.revoked", "Revoked"),
    ("license.deleted", "Deleted"),
    ("license.validated", "Validations"),
    ("activation.created", "Machine activated"),
    ("activation.imported", "Machine imported"),
    ("activation.removed", "Machine deactivated"),
    ("activation.heartbeat", "Heartbeats"),
    ("usage.recorded", "Usage"),
    ("usage.imported", "Usage imported"),
    ("anomaly.imported", "Anomaly imported"),
    ("anomaly.detected", "Anomaly found"),
    ("anomaly.resolved", "Anomaly resolved"),
];

/// Who did it, as the subject of a sentence.
pub fn who(entry: &AuditEntry) -> String {
    match (&entry.actor_name, entry.actor.as_str()) {
        (Some(name), _) => name.clone(),
        (None, "admin") => "The admin".to_owned(),
        (None, "super_admin") => "The server\u{2019}s admin".to_owned(),
        (None, actor) if actor == entry.license_id => "An application with its key".to_owned(),
        (None, "validations" | "anomaly_detection") => "The server".to_owned(),
        (None, actor) if actor.len() == 36 => format!("API key {}", text::short_id(actor)),
        (None, actor) => actor.to_owned(),
    }
}

/// An event in words.
pub fn tell(entry: &AuditEntry) -> Told {
    let who = who(entry);
    let detail = &entry.detail;
    let (sentence, tone) = match entry.event_type.as_str() {
        "license.created" => (issued(&who, detail), "good"),
        "license.imported" => (imported(detail), "good"),
        "license.history_imported" => (history(detail), "quiet"),
        "license.updated" => (format!("{who} changed it."), ""),
        "license.suspended" => (because(format!("{who} suspended it"), detail), "warning"),
        "license.reinstated" => (because(format!("{who} reinstated it"), detail), "good"),
        "license.renewed" => (renewed(&who, detail), "good"),
        "license.revoked" => (because(format!("{who} revoked it for good"), detail), "bad"),
        "license.deleted" => (format!("{who} deleted it."), "bad"),
        "license.validated" => (validated(detail), "quiet"),
        "activation.created" => (format!("Machine {} took a seat.", machine(detail)), ""),
        "activation.imported" => (machine_imported(detail), ""),
        "activation.removed" => (removed(entry, &who), ""),
        "activation.heartbeat" => (heartbeat(detail), "quiet"),
        "usage.recorded" => (used(&who, detail), "quiet"),
        "usage.imported" => (used_before(detail), "quiet"),
        "anomaly.detected" | "anomaly.imported" => (anomaly(detail), "warning"),
        "anomaly.resolved" => (resolved(&who, detail), "good"),
        other => (format!("{who}: {other}."), ""),
    };
    let changes = if entry.event_type == "license.updated" {
        changes(detail)
    } else {
        vec![]
    };
    Told {
        sentence,
        changes,
        tone,
    }
}

/// Several events of one kind in a row, newest first, in words.
pub fn tell_run(entries: &[AuditEntry]) -> String {
    let count = entries.len();
    let Some(newest) = entries.first() else {
        return String::new();
    };
    match newest.event_type.as_str() {
        "usage.recorded" | "usage.imported" => {
            let sum: f64 = entries
                .iter()
                .filter_map(|entry| decimal(&entry.detail["value"])?.parse::<f64>().ok())
                .sum();
            let standing = standing(&newest.detail);
            format!(
                "{count} records of {}: {} together{standing}.",
                say(&newest.detail["metric"]),
                format::short(sum)
            )
        }
        "activation.heartbeat" => format!(
            "{count} heartbeats of machine {}.",
            say(&newest.detail["fingerprint"])
        ),
        _ => {
            let all: u64 = entries
                .iter()
                .filter_map(|entry| entry.detail["count"].as_u64())
                .sum();
            format!("Its key was validated {}.", times(all))
        }
    }
}

/// Whether two events that follow each other are told as one: what comes often and says little.
pub fn belong_together(one: &AuditEntry, other: &AuditEntry) -> bool {
    let same = |field: &str| one.detail[field] == other.detail[field];
    one.event_type == other.event_type
        && match one.event_type.as_str() {
            "usage.recorded" => same("metric") && one.actor == other.actor,
            "usage.imported" => same("metric"),
            "activation.heartbeat" => same("fingerprint"),
            "license.validated" => same("outcomes"),
            _ => false,
        }
}

fn imported(detail: &Value) -> String {
    let since = detail["created_at"]
        .as_str()
        .map(format::local_day)
        .unwrap_or_default();
    format!(
        "It was imported from the system before, where it was issued on {since}: tier {}.",
        say(&detail["tier"])
    )
}

/// What the system before had noted. Nothing proves it, and it says so.
fn history(detail: &Value) -> String {
    let at = detail["created_at"].as_str().map(format::utc).unwrap_or_default();
    format!(
        "Imported, not proven: {} by {} at {at}.",
        say(&detail["event_type"]),
        say(&detail["actor"])
    )
}

fn machine_imported(detail: &Value) -> String {
    let seat = if detail["removed_at"].is_null() {
        "with its seat"
    } else {
        "as history, without a seat"
    };
    format!("Machine {} was imported, {seat}.", machine(detail))
}

fn used_before(detail: &Value) -> String {
    let value = decimal(&detail["value"]).unwrap_or_default();
    format!("{value} of {} were imported.", say(&detail["metric"]))
}

fn issued(who: &str, detail: &Value) -> String {
    let machines = match detail["machines_limit"].as_u64() {
        Some(limit) => format::counted(limit, "machine", "machines"),
        None => "any number of machines".to_owned(),
    };
    let ends = detail["expires_at"].as_str().map_or_else(
        || "without an end".to_owned(),
        |at| format!("until {}", format::local_day(at)),
    );
    format!(
        "{who} issued it: {}, tier {}, {machines}, {ends}.",
        say(&detail["product_code"]),
        say(&detail["tier"])
    )
}

fn because(done: String, detail: &Value) -> String {
    match detail["reason"]
        .as_str()
        .map(str::trim)
        .filter(|reason| !reason.is_empty())
    {
        Some(reason) => format!("{done}: {reason}"),
        None => format!("{done}, without a reason."),
    }
}

fn renewed(who: &str, detail: &Value) -> String {
    match detail["expires_at"].as_str() {
        Some(at) => format!("{who} renewed it until {}.", format::local_day(at)),
        None => format!("{who} took its end away: it never ends."),
    }
}

fn validated(detail: &Value) -> String {
    let count = detail["count"].as_u64().unwrap_or_default();
    let outcomes = detail["outcomes"].as_object().cloned().unwrap_or_default();
    let told: Vec<_> = outcomes
        .iter()
        .map(|(code, count)| match code.as_str() {
            "OK" => format!("{} let in", format::count(count.as_u64().unwrap_or_default())),
            "SUSPENDED" => format!(
                "{} refused as suspended or revoked",
                format::count(count.as_u64().unwrap_or_default())
            ),
            "EXPIRED" => format!(
                "{} refused as expired",
                format::count(count.as_u64().unwrap_or_default())
            ),
            code => format!(
                "{} told {code}",
                format::count(count.as_u64().unwrap_or_default())
            ),
        })
        .collect();
    format!("Its key was validated {}: {}.", times(count), told.join(", "))
}

fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        count => format!("{} times", format::count(count)),
    }
}

fn machine(detail: &Value) -> String {
    let fingerprint = say(&detail["fingerprint"]);
    match detail["hostname"].as_str().filter(|name| !name.is_empty()) {
        Some(name) => format!("{name} ({fingerprint})"),
        None => fingerprint,
    }
}

fn removed(entry: &AuditEntry, who: &str) -> String {
    let machine = machine(&entry.detail);
    if entry.actor == entry.license_id {
        format!("Machine {machine} gave up its seat.")
    } else {
        format!("{who} deactivated machine {machine}: its seat is free.")
    }
}

fn heartbeat(detail: &Value) -> String {
    let version = detail["version"]
        .as_str()
        .map(|version| format!(", with version {version}"))
        .unwrap_or_default();
    format!("Machine {} was alive{version}.", say(&detail["fingerprint"]))
}

fn used(who: &str, detail: &Value) -> String {
    let value = decimal(&detail["value"]).map_or_else(String::new, |value| grouped(&value));
    let metric = say(&detail["metric"]);
    format!("{who} recorded {value} of {metric}{}.", standing(detail))
}

/// How it stood against its limit afterwards.
fn standing(detail: &Value) -> String {
    let limit = &detail["limit"];
    match (decimal(&limit["used"]), decimal(&limit["amount"])) {
        (Some(used), Some(amount)) => {
            let period = period(limit["period"].as_str());
            format!("; {} of {}{period} used then", grouped(&used), grouped(&amount))
        }
        _ => decimal(&detail["total"])
            .map(|total| format!("; {} in all then", grouped(&total)))
            .unwrap_or_default(),
    }
}

fn anomaly(detail: &Value) -> String {
    let number = |field: &str| {
        decimal(&detail[field])
            .and_then(|text| text.parse::<f64>().ok())
            .unwrap_or_default()
    };
    format!(
        "The server found an anomaly: {} of {} at once, where about {} is usual ({}).",
        format::short(number("observed_value")),
        say(&detail["metric"]),
        format::short(number("baseline_mean")),
        say(&detail["severity"])
    )
}

fn resolved(who: &str, detail: &Value) -> String {
    let by = say(&detail["resolved_by"]);
    if by == who {
        format!("{who} resolved an anomaly.")
    } else {
        format!("{who} resolved an anomaly: {by}")
    }
}

/// What an update changed, a line each.
fn changes(detail: &Value) -> Vec<String> {
    let Some(fields) = detail.as_object() else {
        return vec![];
    };
    fields.iter().map(|(field, value)| change(field, value)).collect()
}

fn change(field: &str, value: &Value) -> String {
    match (field, value) {
        ("tier", value) => format!("Tier: {}", say(value)),
        ("machines_limit", Value::Null) => "Machines: without a limit".to_owned(),
        ("machines_limit", value) => format!("Machines: up to {}", say(value)),
        ("expires_at", Value::Null) => "End: never".to_owned(),
        ("expires_at", value) => format!("End: {}", format::local(&say(value))),
        ("features", value) => format!("Features of its own: {}", features(value)),
        ("entitlements", value) => format!("Overrides: {}", features(value)),
        ("metadata", value) => format!("Metadata: {value}"),
        (field, value) => format!("{}: {value}", text::capitalized(&field.replace('_', " "))),
    }
}

fn features(value: &Value) -> String {
    match value.as_object() {
        Some(fields) if fields.is_empty() => "none".to_owned(),
        Some(fields) => fields
            .iter()
            .map(|(name, value)| format!("{name} {}", feature(value)))
            .collect::<Vec<_>>()
            .join("; "),
        None => value.to_string(),
    }
}

/// Amounts stand in events as text, so that no digit is lost.
fn decimal(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn grouped(text: &str) -> String {
    format::amount(&vinzy_client::Amount::from(text.to_owned()))
}

fn say(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
