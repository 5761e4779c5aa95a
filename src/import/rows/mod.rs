//! What each kind of row must be, and what is made of one that is otherwise: it is taken as it is, mended, or not taken.
//! docs/import.md lists these rules for whoever reads a report. What depends on other rows is dealt with in `importer`.

mod belongings;
mod endpoint;
mod history;
mod license;
mod owners;
mod tenant;

use serde_json::{Map, Value};
use uuid::Uuid;
use vinzy_events::key::KeyDigest;

use super::record::{NotTaken, Record, Taking};

pub(super) use belongings::{anomaly, machine, usage};
pub(super) use endpoint::{EndpointRow, endpoint};
pub(super) use history::history;
pub(super) use license::{LicenseRow, license};
pub(super) use owners::{CustomerRow, customer, product, stand_in};
pub(super) use tenant::tenant;

fn refuse<T>(reason: impl Into<String>) -> Taking<T> {
    Err(NotTaken(reason.into()))
}

/// Features, or overrides of them. A list of names switches them on; what else is no object is none.
fn features(record: &mut Record<'_>, field: &str) -> Map<String, Value> {
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

/// SHA-256 in hex, whatever the case.
fn digest(text: &str) -> Option<KeyDigest> {
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
