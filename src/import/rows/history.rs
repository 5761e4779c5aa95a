//! Entries of the audit trail.

use serde_json::Value;
use vinzy_events::customer::EmailAddress;
use vinzy_events::license::HistoryImported;

use super::refuse;
use crate::import::record::{Record, Taking};

/// Stands where an address stood that does not belong into a ledger.
const REMOVED: &str = "(an e-mail address, left out)";

pub(in crate::import) fn history(record: &mut Record<'_>) -> Taking<HistoryImported> {
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
