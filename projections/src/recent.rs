//! The newest events of each ledger, in memory: what was committed a moment ago need not be read again, once
//! per projection.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use crate::StoredEvent;

/// Bytes of leaves that are kept, in all ledgers together.
const CAPACITY: usize = 16 * 1024 * 1024;

/// Committed events, kept while there is room.
#[derive(Default)]
pub(crate) struct Recent(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    ledgers: HashMap<String, Window>,
    bytes: usize,
}

/// Neighbouring events, the last one the newest that this node has heard of.
#[derive(Default)]
struct Window {
    first: u64,
    events: VecDeque<Arc<StoredEvent>>,
}

/// Events out of memory.
pub(crate) struct Remembered {
    pub(crate) events: Vec<StoredEvent>,
    /// Every event before this position has been looked at.
    pub(crate) to: u64,
}

impl Recent {
    /// Keeps what was committed. `events` are neighbours and come in order.
    pub(crate) fn push(&self, ledger_id: &str, events: &[StoredEvent]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { ledgers, bytes } = &mut *kept;
        let size = |event: &StoredEvent| event.leaf.len();
        *bytes += events.iter().map(size).sum::<usize>();
        if *bytes > CAPACITY {
            // One ledger that is busy pushes out those that are not, and then its own oldest events.
            let others = ledgers.extract_if(|other, _| other != ledger_id);
            *bytes -= others.map(|(_, window)| window.bytes()).sum::<usize>();
        }
        if !ledgers.contains_key(ledger_id) {
            ledgers.insert(ledger_id.to_owned(), Window::default());
        }
        let Some(window) = ledgers.get_mut(ledger_id) else {
            return;
        };
        if events.first().is_some_and(|event| event.position != window.end()) {
            *bytes -= window.bytes();
            *window = Window::default();
        }
        if let (true, Some(first)) = (window.events.is_empty(), events.first()) {
            window.first = first.position;
        }
        window.events.extend(events.iter().cloned().map(Arc::new));
        while *bytes > CAPACITY
            && let Some(oldest) = window.events.pop_front()
        {
            *bytes -= size(&oldest);
            window.first += 1;
        }
    }

    /// Events from a position on, of some stream types (all, if none is named) and at most so many; `None` when
    /// the event at that position is not kept.
    pub(crate) fn since(
        &self,
        ledger_id: &str,
        from: u64,
        stream_types: &[&str],
        limit: usize,
    ) -> Option<Remembered> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = kept.ledgers.get(ledger_id)?;
        let skipped = usize::try_from(from.checked_sub(window.first)?).ok()?;
        if skipped >= window.events.len() {
            return None;
        }
        let mut wanted = vec![];
        let mut to = window.end();
        for event in window.events.range(skipped..) {
            if wanted.len() == limit {
                to = event.position;
                break;
            }
            if stream_types.is_empty() || stream_types.contains(&event.stream_type.as_str()) {
                wanted.push(Arc::clone(event));
            }
        }
        drop(kept);
        let events = wanted.iter().map(|event| StoredEvent::clone(event)).collect();
        Some(Remembered { events, to })
    }
}

impl Window {
    fn end(&self) -> u64 {
        self.first + self.events.len() as u64
    }

    fn bytes(&self) -> usize {
        self.events.iter().map(|event| event.leaf.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use vinzy_events::Timestamp;

    use super::*;

    fn event(position: u64, stream_type: &str, bytes: usize) -> StoredEvent {
        StoredEvent {
            position,
            event_id: uuid::Uuid::nil(),
            stream_type: stream_type.to_owned(),
            stream_id: String::new(),
            stream_seq: 1,
            event_type: String::new(),
            type_ver: 1,
            recorded_at: Timestamp::UNIX_EPOCH,
            license_id: None,
            event_hash: vec![],
            leaf: vec![0; bytes],
        }
    }

    fn events(positions: std::ops::Range<u64>, bytes: usize) -> Vec<StoredEvent> {
        let kind = |position: u64| if position.is_multiple_of(2) { "even" } else { "odd" };
        positions
            .map(|position| event(position, kind(position), bytes))
            .collect()
    }

    fn positions(remembered: Option<Remembered>) -> Option<(Vec<u64>, u64)> {
        let remembered = remembered?;
        let positions = remembered.events.iter().map(|event| event.position).collect();
        Some((positions, remembered.to))
    }

    #[test]
    fn neighbours_are_kept_and_given_by_type() {
        let recent = Recent::default();
        recent.push("a", &events(5..8, 1));
        recent.push("a", &events(8..10, 1));
        assert_eq!(
            positions(recent.since("a", 6, &[], 100)),
            Some((vec![6, 7, 8, 9], 10))
        );
        assert_eq!(
            positions(recent.since("a", 5, &["even"], 100)),
            Some((vec![6, 8], 10))
        );
        assert_eq!(
            positions(recent.since("a", 5, &["odd"], 2)),
            Some((vec![5, 7], 8))
        );
        assert_eq!(positions(recent.since("a", 6, &["none"], 2)), Some((vec![], 10)));
        for (ledger, from) in [("a", 4), ("a", 10), ("a", 11), ("b", 5)] {
            assert_eq!(positions(recent.since(ledger, from, &[], 100)), None);
        }
    }

    #[test]
    fn a_gap_makes_a_new_beginning() {
        let recent = Recent::default();
        recent.push("a", &events(0..3, 1));
        recent.push("a", &events(7..9, 1));
        assert_eq!(positions(recent.since("a", 0, &[], 100)), None);
        assert_eq!(positions(recent.since("a", 7, &[], 100)), Some((vec![7, 8], 9)));
    }

    #[test]
    fn memory_is_bounded() {
        let recent = Recent::default();
        recent.push("idle", &events(0..10, 1000));
        for start in 0..40 {
            recent.push("busy", &events(start * 10..start * 10 + 10, 60_000));
        }
        assert_eq!(positions(recent.since("idle", 0, &[], 1)), None);
        assert_eq!(positions(recent.since("busy", 100, &[], 1)), None);
        assert_eq!(
            positions(recent.since("busy", 399, &[], 1)),
            Some((vec![399], 400))
        );
        let kept = recent.0.lock().unwrap();
        assert!(kept.bytes <= CAPACITY && kept.bytes > CAPACITY - 60_000);
        assert_eq!(
            kept.bytes,
            kept.ledgers.values().map(Window::bytes).sum::<usize>()
        );
    }
}
