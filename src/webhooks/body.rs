//! What is sent: made from the ledger's leaf each time, so that it is the same bytes at every try and no copy of it is
//! kept. Leaves hold no personal data, and so does nothing that is sent.

use serde::Serialize;
use serde_json::{Map, Value, json};
use vinzy_client::events::EventPlace;
use vinzy_events::Timestamp;
use vinzy_events::ledger::LeafError;

use crate::event_feed::event_of;

/// What a test is called, which is no event.
pub const TEST: &str = "webhook.test";

/// A body before it is written. Members in this order.
#[derive(Debug, Serialize)]
pub struct Message {
    /// What happened.
    pub event_type: String,
    /// When it was recorded.
    pub timestamp: String,
    /// The event's payload and the ids of what it belongs to.
    pub data: Map<String, Value>,
    /// Where it stands; nothing for a test.
    pub ledger: Option<EventPlace>,
}

impl Message {
    /// The message of an event.
    pub fn of_event(leaf: &[u8]) -> Result<Self, LeafError> {
        let event = event_of(leaf)?;
        Ok(Self {
            event_type: event.event_type,
            timestamp: event.timestamp,
            data: event.data,
            ledger: Some(event.ledger),
        })
    }

    /// What is left to show of the message of an event that is archived. It is not sent.
    pub fn of_archived(event_type: &str, recorded_at: Timestamp) -> Self {
        Self {
            event_type: event_type.to_owned(),
            timestamp: recorded_at.to_string(),
            data: Map::from_iter([("archived".to_owned(), true.into())]),
            ledger: None,
        }
    }

    /// A test's message.
    pub fn of_test(at: Timestamp) -> Self {
        let message = json!("Test ping from Vinzy-Engine");
        Self {
            event_type: TEST.to_owned(),
            timestamp: at.to_string(),
            data: Map::from_iter([("message".to_owned(), message)]),
            ledger: None,
        }
    }

    /// The bytes that are sent.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a message has string keys")
    }
}

#[cfg(test)]
mod tests {
    use vinzy_events::ledger::event_hash;

    use super::*;

    fn leaf(stream_type: &str, id: &str, event_type: &str, payload: &str) -> Vec<u8> {
        let zeros = "0".repeat(64);
        format!(
            r#"{{"enc":[],"event_id":"0197f0a2-0000-7000-8000-000000000000","ledger":"x/t/default","meta":{{"actor":{{"id":"admin","kind":"api_key","via":"api"}},"causation_id":null,"correlation_id":null}},"payload":{payload},"pos":7,"prev":"{zeros}","recorded_at":"2026-03-01T12:00:00.000000Z","stream":{{"id":"{id}","seq":1,"type":"{stream_type}"}},"type":"{event_type}","type_ver":1,"v":"ledger-event/1"}}"#
        )
        .into_bytes()
    }

    #[test]
    fn a_message_has_the_payload_and_the_ids_of_its_stream() {
        let payload = r#"{"key_digest":"00","product_code":"PRD","tier":"x"}"#;
        let leaf = leaf("license", "l-1", "license.created", payload);
        let message = Message::of_event(&leaf).unwrap();
        assert_eq!(
            String::from_utf8(message.to_bytes()).unwrap(),
            format!(
                r#"{{"event_type":"license.created","timestamp":"2026-03-01T12:00:00.000000Z","data":{{"license_id":"l-1","product_code":"PRD","tier":"x"}},"ledger":{{"position":7,"event_hash":"{}"}}}}"#,
                event_hash(&leaf)
            )
        );
    }

    #[test]
    fn a_test_is_no_event() {
        let message: Value =
            serde_json::from_slice(&Message::of_test(Timestamp::UNIX_EPOCH).to_bytes()).unwrap();
        assert_eq!(
            message,
            json!({
                "event_type": "webhook.test", "timestamp": "1970-01-01T00:00:00.000000Z",
                "data": {"message": "Test ping from Vinzy-Engine"}, "ledger": null,
            })
        );
    }
}
