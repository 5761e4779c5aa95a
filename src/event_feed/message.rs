//! What an event looks like to integrators. Made from the ledger's leaf, which holds no personal data, and the same
//! bytes each time.

use serde_json::{Map, Value};
use vinzy_client::events::{Event, EventPlace, EventStream, FeedEvent};
use vinzy_events::ledger::{Leaf, LeafError, StreamRef, event_hash};
use vinzy_projections::StoredEvent;

/// Members of payloads that are of no use to integrators: hashes of keys.
const LEFT_OUT: [&str; 1] = ["key_digest"];

/// An event as a webhook's body has it: its payload and the ids of its stream as flat members.
pub fn event_of(leaf: &[u8]) -> Result<Event, LeafError> {
    Ok(event(Leaf::parse(leaf)?, leaf))
}

/// An event as the feed lists it.
pub fn feed_event_of(stored: &StoredEvent) -> Result<FeedEvent, LeafError> {
    let leaf = stored.parse_leaf()?;
    Ok(FeedEvent {
        event_id: leaf.event_id.to_string(),
        stream: EventStream {
            stream_type: leaf.stream.stream_type.clone(),
            id: leaf.stream.id.clone(),
            seq: leaf.stream.seq,
        },
        event: event(leaf, &stored.leaf),
    })
}

fn event(leaf: Leaf, bytes: &[u8]) -> Event {
    let mut data = ids(&leaf.stream);
    if let Value::Object(payload) = leaf.payload {
        data.extend(payload);
    }
    data.retain(|name, _| !LEFT_OUT.contains(&name.as_str()));
    Event {
        event_type: leaf.event_type,
        timestamp: leaf.recorded_at.to_string(),
        data,
        ledger: EventPlace {
            position: leaf.pos,
            event_hash: event_hash(bytes).to_string(),
        },
    }
}

/// The ids of what a stream belongs to, by the names that payloads have for them.
fn ids(stream: &StreamRef) -> Map<String, Value> {
    let names: &[&str] = match stream.stream_type.as_str() {
        "product" => &["product_id"],
        "customer" => &["customer_id"],
        "license" => &["license_id"],
        "meter" => &["license_id", "metric"],
        "anomaly" => &["license_id", "anomaly_id"],
        "api_key" => &["api_key_id"],
        "endpoint" => &["endpoint_id"],
        "purchase" => &["purchase_id"],
        _ => return Map::new(),
    };
    // Metrics may hold the separator, too; they stand last.
    let parts = stream.id.splitn(names.len(), '/');
    let named = names.iter().zip(parts);
    named
        .map(|(name, id)| ((*name).to_owned(), Value::from(id)))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn leaf(stream_type: &str, id: &str, payload: Value) -> Leaf {
        let leaf = json!({
            "enc": [], "event_id": "0197f0a2-0000-7000-8000-000000000000", "ledger": "x/t/default",
            "meta": {"actor": {"id": "admin", "kind": "api_key", "via": "api"}, "causation_id": null, "correlation_id": null},
            "payload": payload, "pos": 7, "prev": "0".repeat(64), "recorded_at": "2026-03-01T12:00:00.000000Z",
            "stream": {"id": id, "seq": 1, "type": stream_type}, "type": "x.happened", "type_ver": 1, "v": "ledger-event/1",
        });
        serde_json::from_value(leaf).unwrap()
    }

    fn data(stream_type: &str, id: &str, payload: Value) -> Value {
        Value::Object(event(leaf(stream_type, id, payload), b"").data)
    }

    #[test]
    fn an_event_has_the_payload_and_the_ids_of_its_stream() {
        let payload = json!({"key_digest": "00", "product_code": "PRD", "tier": "x"});
        let event = event(leaf("license", "l-1", payload), b"leaf");
        let expected = json!({
            "event_type": "x.happened", "timestamp": "2026-03-01T12:00:00.000000Z",
            "data": {"license_id": "l-1", "product_code": "PRD", "tier": "x"},
            "ledger": {"position": 7, "event_hash": event_hash(b"leaf").to_string()},
        });
        assert_eq!(serde_json::to_value(event).unwrap(), expected);
    }

    #[test]
    fn ids_are_told_apart_and_metrics_may_hold_anything() {
        for (stream_type, id, ids) in [
            ("product", "p", json!({"product_id": "p"})),
            ("customer", "c", json!({"customer_id": "c"})),
            ("meter", "l-1/a/b", json!({"license_id": "l-1", "metric": "a/b"})),
            (
                "anomaly",
                "l-1/a-2",
                json!({"license_id": "l-1", "anomaly_id": "a-2"}),
            ),
            ("api_key", "k", json!({"api_key_id": "k"})),
            ("unheard of", "u", json!({})),
        ] {
            assert_eq!(data(stream_type, id, json!({})), ids);
        }
    }

    #[test]
    fn what_the_payload_says_goes_before_the_stream() {
        let payload = json!({"license_id": "as it says"});
        assert_eq!(data("license", "l-1", payload.clone()), payload);
    }
}
