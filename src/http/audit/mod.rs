//! `/audit` and `/ledger`: what happened, and the proof of it.

pub mod event;
pub mod events;
pub mod ledger;
pub mod list;
pub mod prove_consistency;
pub mod prove_inclusion;
pub mod receipt;
pub mod verify;

use vinzy_client::audit as wire;
use vinzy_client::events::EventStream;
use vinzy_events::LicenseId;
use vinzy_events::ledger::{Hash, LeafError};
use vinzy_projections::StoredEvent;

use super::caller::Caller;
use super::problem::Problem;
use crate::app::App;
use crate::audit::{Damage, Walk};

fn entry(license_id: LicenseId, event: &StoredEvent) -> Result<wire::AuditEntry, LeafError> {
    let leaf = event.parse_leaf()?;
    Ok(wire::AuditEntry {
        id: leaf.event_id.to_string(),
        license_id: license_id.to_string(),
        event_type: leaf.event_type,
        actor: leaf.meta.actor.id,
        actor_name: leaf.meta.actor.name,
        detail: leaf.payload,
        prev_hash: (leaf.prev != Hash::ZERO).then(|| leaf.prev.to_string()),
        event_hash: vinzy_events::ledger::event_hash(&event.leaf).to_string(),
        position: leaf.pos,
        created_at: leaf.recorded_at.to_string(),
    })
}

/// An event as it stands in the ledger, which is its leaf: the columns beside that only find it.
fn event(event: &StoredEvent) -> Result<wire::LedgerEvent, LeafError> {
    let leaf = event.parse_leaf()?;
    Ok(wire::LedgerEvent {
        position: leaf.pos,
        event_id: leaf.event_id.to_string(),
        event_type: leaf.event_type,
        stream: EventStream {
            stream_type: leaf.stream.stream_type,
            id: leaf.stream.id,
            seq: leaf.stream.seq,
        },
        actor: leaf.meta.actor.id,
        actor_name: leaf.meta.actor.name,
        recorded_at: leaf.recorded_at.to_string(),
        // Every payload is an object.
        data: leaf.payload.as_object().cloned().unwrap_or_default(),
        prev_hash: (leaf.prev != Hash::ZERO).then(|| leaf.prev.to_string()),
        event_hash: vinzy_events::ledger::event_hash(&event.leaf).to_string(),
    })
}

/// Begins a walk on the caller's behalf.
fn walk(app: &App, caller: &Caller) -> Result<Walk, Problem> {
    app.walks.begin(&caller.ledger_id).ok_or_else(|| {
        let detail = "A verification is under way: repeat the request when it is done.";
        Problem::unavailable("VERIFICATION_BUSY", detail, 5)
    })
}

fn verification(events_checked: u64, damage: Option<Damage>) -> wire::Verification {
    wire::Verification {
        valid: damage.is_none(),
        events_checked,
        break_at: damage.as_ref().map(|damage| damage.position),
        problem: damage.map(|damage| damage.problem),
    }
}

/// What a position must be.
const POSITION: &str = "must be a whole number of at least 0";

/// A position or size of a ledger: the database can count so far.
fn in_range(text: &str, minimum: u64) -> Option<u64> {
    let number: i64 = text.parse().ok()?;
    number.try_into().ok().filter(|number| *number >= minimum)
}

fn hex(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(Hash::to_string).collect()
}
