//! The state of a stream as a snapshot holds it. A snapshot saves reading a long stream from its first event; whatever
//! is wrong with one, the stream is read without it.

use serde::Serialize;
use serde_json::{Value, json};
use vinzy_events::stream::StreamAggregate;

/// A state with the version that tells what it was made by.
#[derive(Serialize)]
struct Snapshot<'a, A> {
    version: u32,
    state: &'a A,
}

/// The text of a snapshot.
pub(super) fn write<A: StreamAggregate>(aggregate: &A) -> serde_json::Result<String> {
    serde_json::to_string(&Snapshot {
        version: A::STATE_VERSION,
        state: aggregate,
    })
}

/// The state that a snapshot holds; `None` if another program wrote it, whose states are others or came about in
/// another way, or if it is none.
pub(super) fn read<A: StreamAggregate>(mut snapshot: Value) -> Option<A> {
    if snapshot.get("version") != Some(&json!(A::STATE_VERSION)) {
        return None;
    }
    serde_json::from_value(snapshot.get_mut("state")?.take()).ok()
}
