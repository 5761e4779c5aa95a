//! What is sent: made from the ledger's leaf each time, so that it is the same bytes at every try and no copy of it is
//! kept. Leaves hold no personal data, and so does nothing that is sent.

use data_encoding::HEXLOWER;
use serde::Serialize;
use serde_json::{Map, Value, json};
use vinzy_events::Timestamp;
use vinzy_events::ledger::{Leaf, LeafError, StreamRef};

/// What a test is called, which is no event.
pub const TEST: &str = "webhook.test";
/// Members of payloads that are of no use to receivers: hashes of keys.
const LEFT_OUT: [&str; 1] = ["key_digest"];

/// A body before it is written. Members in this order.
#[derive(Debug, Serialize)]
pub struct Message {
    /// What happened.
    pub event_type: String,
    /// When it was recorded.
    pub timestamp: Timestamp,
    /// The event's payload and the ids of what it belongs to.
    pub data: Map<String, Value>,
    /// Where it stands; nothing for a test.
    pub ledger: Option<Place>,
}

/// An event's place in the ledger.
#[derive(Debug, Serialize)]
pub struct Place {
    /// Its position: what has the greater one came later.
    pub position: u64,
    /// Its hash, as lower hex.
    pub event_hash: String,
}

impl Message {
    /// The message of an event.
    pub fn of_event(leaf: &[u8], event_hash: &[u8]) -> Result<Self, LeafError> {
        let leaf = Leaf::parse(leaf)?;
        let mut data = ids(&leaf.stream);
        if let Value::Object(payload) = leaf.payload {
            data.extend(payload);
        }
        data.retain(|name, _| !LEFT_OUT.contains(&name.as_str()));
        Ok(Self {
            event_type: leaf.event_type,
            timestamp: leaf.recorded_at,
            data,
            ledger: Some(Place {
                position: leaf.pos,
                event_hash: HEXLOWER.encode(event_hash),
            }),
        })
    }

    /// A test's message.
    pub fn of_test(at: Timestamp) -> Self {
        let message = json!("Test ping from Vinzy-Engine");
        Self {
            event_type: TEST.to_owned(),
            timestamp: at,
            data: Map::from_iter([("message".to_owned(), message)]),
            ledger: None,
        }
    }

    /// The bytes that are sent.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a message has string keys")
    }
}

/// The ids of what a stream belongs to, under the names that payloads have for them.
fn ids(stream: &StreamRef) -> Map<String, Value> {
    let names: &[&str] = match stream.stream_type.as_str() {
        "product" => &["product_id"],
        "customer" => &["customer_id"],
        "license" => &["license_id"],
        "meter" => &["license_id", "metric"],
        "anomaly" => &["license_id", "anomaly_id"],
        "api_key" => &["api_key_id"],
        _ => &[],
    };
    let parts = stream.id.splitn(names.len().max(1), '/');
    let named = names.iter().zip(parts);
    named
        .map(|(name, id)| ((*name).to_owned(), Value::from(id)))
        .collect()
}

#[cfg(test)]
mod tests {
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
        let message =
            Message::of_event(&leaf("license", "l-1", "license.created", payload), &[0xab; 32]).unwrap();
        assert_eq!(
            String::from_utf8(message.to_bytes()).unwrap(),
            format!(
                r#"{{"event_type":"license.created","timestamp":"2026-03-01T12:00:00.000000Z","data":{{"license_id":"l-1","product_code":"PRD","tier":"x"}},"ledger":{{"position":7,"event_hash":"{}"}}}}"#,
                "ab".repeat(32)
            )
        );
    }

    #[test]
    fn ids_are_told_apart_and_metrics_may_hold_anything() {
        let data = |stream_type, id| {
            let leaf = leaf(stream_type, id, "x.y", "{}");
            Value::Object(Message::of_event(&leaf, &[]).unwrap().data)
        };
        assert_eq!(
            data("meter", "l-1/a/b"),
            json!({"license_id": "l-1", "metric": "a/b"})
        );
        assert_eq!(
            data("anomaly", "l-1/a-2"),
            json!({"license_id": "l-1", "anomaly_id": "a-2"})
        );
        assert_eq!(data("customer", "c"), json!({"customer_id": "c"}));
        assert_eq!(data("unheard of", "c"), json!({}));
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
