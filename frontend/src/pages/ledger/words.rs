//! What events say, in words.

use serde_json::Value;
use vinzy_client::audit::LedgerEvent;

use crate::{format, place, session};

/// What happened, as a sentence without its full stop.
#[expect(clippy::too_many_lines, reason = "one arm for each type of event")]
pub fn sentence(event: &LedgerEvent) -> String {
    let text = |name: &str| {
        event
            .data
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let because = |words: &str| match text("reason") {
        reason if reason.is_empty() => words.to_owned(),
        reason => format!("{words}: {reason}"),
    };
    match event.event_type.as_str() {
        "ledger.opened" => "The ledger was opened, and named the key that signs its checkpoints".to_owned(),
        "ledger.key_rotated" => {
            "The ledger was handed over to a new signing key, and the old one signed that".to_owned()
        }
        "product.created" => format!("Product {} was added: {}", text("code"), text("name")),
        "product.imported" => format!("Product {} was imported: {}", text("code"), text("name")),
        "product.updated" => changed("A product was changed", event),
        "product.deleted" => "A product was deleted".to_owned(),
        "customer.created" => "A customer was registered; their personal data are sealed".to_owned(),
        "customer.imported" => "A customer was imported; their personal data are sealed".to_owned(),
        "customer.updated" => changed("A customer's data were changed", event),
        "customer.deleted" => "A customer was deleted".to_owned(),
        "customer.erased" => "A customer's personal data were destroyed for good".to_owned(),
        "license.created" => format!(
            "A license of {} was issued, tier {}",
            text("product_code"),
            text("tier")
        ),
        "license.imported" => format!(
            "A license of {} was imported, tier {}",
            text("product_code"),
            text("tier")
        ),
        "license.history_imported" => format!(
            "Noted by the system before, and imported: {} at {}",
            text("event_type"),
            text("created_at")
        ),
        "license.updated" => changed("A license was changed", event),
        "license.suspended" => because("A license was suspended"),
        "license.reinstated" => because("A license was reinstated"),
        "license.renewed" => renewed(&text("expires_at")),
        "license.revoked" => because("A license was revoked"),
        "license.deleted" => "A license was deleted; its history stays".to_owned(),
        "license.validated" => validated(event),
        "activation.created" => "A machine took a seat of a license".to_owned(),
        "activation.imported" => "A machine of a license was imported".to_owned(),
        "activation.removed" => "A machine's seat became free".to_owned(),
        "activation.heartbeat" => "A machine said that it is alive".to_owned(),
        "usage.recorded" => format!(
            "{} of {} recorded, {} in all",
            figure(event, "value"),
            text("metric"),
            figure(event, "total")
        ),
        "usage.imported" => format!(
            "{} of {} imported, {} in all",
            figure(event, "value"),
            text("metric"),
            figure(event, "total")
        ),
        "anomaly.imported" => format!(
            "Unusual use of {} was imported: {}",
            text("metric"),
            text("severity")
        ),
        "anomaly.detected" => format!(
            "Unusual use of {} was noticed: {}",
            text("metric"),
            text("severity")
        ),
        "anomaly.resolved" => "An anomaly was dealt with".to_owned(),
        "api_key.created" => format!("API key {} was made", text("name")),
        "api_key.imported" => format!("API key {} was imported", text("name")),
        "api_key.updated" => changed("An API key was changed", event),
        "api_key.rotated" => "An API key got a new secret".to_owned(),
        "api_key.revoked" => "An API key was revoked".to_owned(),
        "endpoint.created" => format!("A webhook to {} was set up", text("url")),
        "endpoint.imported" => format!("A webhook to {} was imported", text("url")),
        "endpoint.updated" => changed("A webhook was changed", event),
        "endpoint.secret_rotated" => "A webhook got a new signing secret".to_owned(),
        "endpoint.disabled" => because("A webhook was disabled"),
        "endpoint.deleted" => "A webhook was deleted".to_owned(),
        "purchase.completed" => format!(
            "A license of {} was issued for a purchase at {}, tier {}",
            text("product_code"),
            text("provider"),
            text("tier")
        ),
        "purchase.paid" => format!("A subscription at {} was paid", text("provider")),
        "purchase.standing_changed" => {
            format!(
                "A subscription at {} became {}",
                text("provider"),
                text("standing")
            )
        }
        "purchase.refunded" => format!("A payment at {} was refunded", text("provider")),
        "purchase.linked" => format!("{} told what a payment was for", text("provider")),
        "purchase.applied" => "A purchase changed its license".to_owned(),
        other => format!("Something happened of the type {other}"),
    }
}

fn validated(event: &LedgerEvent) -> String {
    let count = event.data.get("count").and_then(Value::as_u64).unwrap_or(1);
    format!(
        "A license key was checked {}",
        format::counted(count, "time", "times")
    )
}

/// Figures are decimal texts; imported ones may be numbers.
fn figure(event: &LedgerEvent, name: &str) -> String {
    match event.data.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => format::number(number),
        _ => String::new(),
    }
}

fn renewed(expires_at: &str) -> String {
    if expires_at.is_empty() {
        "A license was renewed, without an end".to_owned()
    } else {
        format!("A license was renewed until {}", format::local_day(expires_at))
    }
}

/// The fields that an update names; some events list them, others are made of them.
fn changed(words: &str, event: &LedgerEvent) -> String {
    let listed = event.data.get("changed").and_then(Value::as_array);
    let fields: Vec<String> = match listed {
        Some(fields) => fields
            .iter()
            .filter_map(|field| field.as_str().map(str::to_owned))
            .collect(),
        None => event
            .data
            .keys()
            .filter(|field| *field != "updated_at")
            .cloned()
            .collect(),
    };
    if fields.is_empty() {
        return words.to_owned();
    }
    format!("{words}: {}", fields.join(", ").replace('_', " "))
}

/// Kinds of events that can be filtered by, each with its words.
pub const KINDS: [(&str, &str); 10] = [
    ("license.*", "Licenses"),
    ("activation.*", "Machines"),
    ("usage.*", "Usage"),
    ("customer.*", "Customers"),
    ("product.*", "Products"),
    ("anomaly.*", "Anomalies"),
    ("api_key.*", "API keys"),
    ("endpoint.*", "Webhooks"),
    ("purchase.*", "Purchases"),
    ("ledger.*", "The ledger itself"),
];

/// What kind of thing a stream is of.
pub fn stream(stream_type: &str) -> String {
    match stream_type {
        "meter" => "Usage meter",
        "endpoint" => "Webhook",
        "api_key" => "API key",
        "license" => "License",
        "customer" => "Customer",
        "product" => "Product",
        "anomaly" => "Anomaly",
        "ledger" => "Ledger",
        "purchase" => "Purchase",
        other => other,
    }
    .to_owned()
}

/// The page about what the event happened to: its whole address and its name, if whoever is logged in may see it.
pub fn subject(event: &LedgerEvent) -> Option<(String, &'static str)> {
    let may = session::may();
    let id = event.stream.id.as_str();
    let page = match event.stream.stream_type.as_str() {
        "license" if may.read => (place::of("/licenses", id), "Open the license"),
        // Meters are named after their license.
        "meter" if may.read => (place::of("/licenses", id.split('/').next()?), "Open the license"),
        "customer" if may.read => (place::of("/customers", id), "Open the customer"),
        "product" if may.read => (place::at("/products"), "Open the products"),
        // Anomalies are named after their license, too.
        "anomaly" if may.read => (
            place::of("/anomalies", id.rsplit('/').next()?),
            "Open the anomaly",
        ),
        "endpoint" if may.administer => (place::of("/webhooks", id), "Open the webhook"),
        "api_key" if may.administer => (place::at("/api-keys"), "Open the API keys"),
        _ => return None,
    };
    Some(page)
}

/// Who did it: a key's name with its id, or what the system calls itself.
pub fn actor(event: &LedgerEvent) -> String {
    match &event.actor_name {
        Some(name) => name.clone(),
        None => event.actor.clone(),
    }
}
