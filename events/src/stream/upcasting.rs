//! No event of the product has had a second version yet. An aggregate made for this test has had three, and its events
//! are declared as all others are.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::StreamEvent;

stream_events! {
    /// A fact about a parcel.
    pub(super) enum ParcelEvent {
        /// It was sent.
        "parcel.sent" v 3 from [grams_instead_of_kilograms, one_of_many_recipients] => Sent(ParcelSent),
        /// It was lost.
        "parcel.lost" v 1 => Lost(ParcelLost),
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct ParcelSent {
    grams: u64,
    recipients: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct ParcelLost {}

/// Version 1 had `kilograms`.
fn grams_instead_of_kilograms(payload: &mut Map<String, Value>) {
    if let Some(kilograms) = payload.remove("kilograms").and_then(|value| value.as_u64()) {
        payload.insert("grams".into(), (kilograms * 1_000).into());
    }
}

/// Version 2 had one `recipient`.
fn one_of_many_recipients(payload: &mut Map<String, Value>) {
    if let Some(recipient) = payload.remove("recipient") {
        payload.insert("recipients".into(), vec![recipient].into());
    }
}

fn read(type_name: &str, version: u32, payload: &Value) -> Option<ParcelEvent> {
    let of_value = ParcelEvent::from_stored(type_name, version, payload.clone()).ok();
    // Streams are read from raw JSON, too.
    let text = payload.to_string();
    let of_text =
        ParcelEvent::from_stored(type_name, version, &mut serde_json::Deserializer::from_str(&text));
    assert_eq!(of_value, of_text.ok());
    of_value
}

#[test]
fn every_version_that_there_was_is_read_as_the_newest() {
    let golden = [
        (1, json!({"kilograms": 2, "recipient": "Ada"})),
        (2, json!({"grams": 2_000, "recipient": "Ada"})),
        (3, json!({"grams": 2_000, "recipients": ["Ada"]})),
    ];
    for (version, payload) in &golden {
        let event = read("parcel.sent", *version, payload).unwrap();
        let sent = ParcelSent {
            grams: 2_000,
            recipients: vec!["Ada".into()],
        };
        assert_eq!(event, ParcelEvent::Sent(sent), "version {version}");
        assert_eq!(event.type_version(), 3);
        assert_eq!(event.payload(), golden[2].1);
    }
    assert_eq!(ParcelEvent::TYPES, &[("parcel.sent", 3), ("parcel.lost", 1)]);
}

#[test]
fn a_payload_is_read_by_its_version_alone() {
    let third = json!({"grams": 2_000, "recipients": ["Ada"]});
    let second = json!({"grams": 2_000, "recipient": "Ada"});
    assert_eq!(read("parcel.sent", 3, &second), None);
    for unknown in [0, 4] {
        assert_eq!(read("parcel.sent", unknown, &third), None, "version {unknown}");
    }
    assert_eq!(
        read("parcel.lost", 1, &json!({})),
        Some(ParcelEvent::Lost(ParcelLost {}))
    );
    assert_eq!(read("parcel.lost", 2, &json!({})), None);
}

#[test]
fn what_an_upcaster_cannot_make_sense_of_is_refused() {
    let error = ParcelEvent::from_stored("parcel.sent", 1, json!({"kilograms": "two", "recipient": "Ada"}));
    let error = error.unwrap_err();
    assert!(error.source.unwrap().to_string().contains("grams"));
    for no_object in [json!(null), json!([]), json!("x")] {
        assert_eq!(read("parcel.sent", 1, &no_object), None);
    }
}
