//! Events as they were written once, one file for each type and version (`golden/TYPE.vVERSION.json`: the payload).
//!
//! Ledgers out there hold such events for ever: these files are history, too. They are added to, never changed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use vinzy_events::anomaly::AnomalyEvent;
use vinzy_events::api_key::ApiKeyEvent;
use vinzy_events::customer::CustomerEvent;
use vinzy_events::endpoint::EndpointEvent;
use vinzy_events::ledger::{KeyRotation, VerifierKey};
use vinzy_events::license::LicenseEvent;
use vinzy_events::meter::MeterEvent;
use vinzy_events::product::ProductEvent;
use vinzy_events::purchase::PurchaseEvent;
use vinzy_events::stream::{LEDGER_KEY_ROTATED, LEDGER_OPENED, StreamEvent, catalogue};
use vinzy_events::tenant::TenantEvent;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn golden(type_name: &str, version: u32) -> Value {
    let path = directory().join(format!("{type_name}.v{version}.json"));
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}: keep an event of this version there", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// What this program makes of a stored event, written anew; `None` if it is no event of this kind.
fn written_anew<E: StreamEvent>(type_name: &str, version: u32, payload: &Value) -> Option<Value> {
    E::TYPES.iter().any(|(name, _)| *name == type_name).then(|| {
        let event = E::from_stored(type_name, version, payload.clone())
            .unwrap_or_else(|error| panic!("{type_name} version {version}: {error}: {:?}", error.source));
        assert_eq!(event.type_name(), type_name);
        event.payload()
    })
}

fn of_the_ledger(type_name: &str, payload: &Value) -> Option<Value> {
    match type_name {
        LEDGER_OPENED => {
            let key: VerifierKey = payload["vkey"].as_str().unwrap().parse().unwrap();
            Some(serde_json::json!({"vkey": key.to_string()}))
        }
        LEDGER_KEY_ROTATED => {
            let rotation: KeyRotation = serde_json::from_value(payload.clone()).unwrap();
            Some(serde_json::to_value(rotation).unwrap())
        }
        _ => None,
    }
}

#[test]
fn every_event_that_was_ever_written_is_read() {
    for (type_name, newest) in catalogue() {
        for version in 1..=newest {
            let payload = golden(type_name, version);
            let anew = of_the_ledger(type_name, &payload)
                .or_else(|| written_anew::<ProductEvent>(type_name, version, &payload))
                .or_else(|| written_anew::<CustomerEvent>(type_name, version, &payload))
                .or_else(|| written_anew::<LicenseEvent>(type_name, version, &payload))
                .or_else(|| written_anew::<MeterEvent>(type_name, version, &payload))
                .or_else(|| written_anew::<AnomalyEvent>(type_name, version, &payload))
                .or_else(|| written_anew::<ApiKeyEvent>(type_name, version, &payload))
                .or_else(|| written_anew::<EndpointEvent>(type_name, version, &payload))
                .or_else(|| written_anew::<PurchaseEvent>(type_name, version, &payload))
                .or_else(|| written_anew::<TenantEvent>(type_name, version, &payload))
                .unwrap_or_else(|| panic!("{type_name} is nobody's"));
            if version == newest {
                assert_eq!(anew, payload, "{type_name}: something of it is lost or changed");
            }
        }
    }
}

#[test]
fn nothing_else_is_kept() {
    let known: BTreeSet<String> = catalogue()
        .flat_map(|(name, newest)| (1..=newest).map(move |version| format!("{name}.v{version}.json")))
        .collect();
    let kept: BTreeSet<String> = std::fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(kept, known, "a type or version went away that ledgers still hold");
}

#[test]
fn what_a_newer_program_wrote_is_refused() {
    for (type_name, newest) in catalogue() {
        let payload = golden(type_name, newest);
        assert!(
            ProductEvent::from_stored(type_name, newest + 1, payload).is_err(),
            "{type_name}"
        );
    }
}
