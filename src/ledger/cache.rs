//! Aggregates that the writer keeps at hand, each with the number of the last event it has followed.

use std::any::Any;

use lru::LruCache;
use vinzy_events::stream::StreamAggregate;
use vinzy_projections::StoredEvent;
use vinzy_projections::event_log::DecodeError;

/// Names a stream within a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct StreamKey {
    /// The aggregate's type.
    pub(super) stream_type: &'static str,
    /// The aggregate's id.
    pub(super) stream_id: String,
}

impl StreamKey {
    /// The stream of aggregate `A` with `id`.
    pub(super) fn of<A: StreamAggregate>(id: impl ToString) -> Self {
        Self {
            stream_type: A::TYPE,
            stream_id: id.to_string(),
        }
    }
}

/// An aggregate as of an event of its stream.
#[derive(Debug, Clone, Default)]
pub struct Versioned<A> {
    /// The state.
    pub aggregate: A,
    /// Number of the last event applied; 0 before the first.
    pub seq: u64,
}

/// A [`Versioned`] aggregate of any type.
pub(super) trait CachedStream: Send + Sync {
    fn as_any(&self) -> &dyn Any;

    fn seq(&self) -> u64;

    /// About how many parts the state has.
    fn size(&self) -> usize;

    /// Follows an event that another node appended. One that is already contained is skipped; a gap,
    /// which the caller must answer by dropping the entry, is `false`.
    fn follow(&mut self, event: &StoredEvent) -> Result<bool, DecodeError>;

    /// The state as JSON, for a snapshot.
    fn snapshot(&self) -> serde_json::Result<String>;
}

impl<A: StreamAggregate> CachedStream for Versioned<A> {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn seq(&self) -> u64 {
        self.seq
    }

    fn size(&self) -> usize {
        self.aggregate.size()
    }

    fn follow(&mut self, event: &StoredEvent) -> Result<bool, DecodeError> {
        if event.stream_seq <= self.seq {
            return Ok(true);
        }
        if event.stream_seq != self.seq + 1 {
            return Ok(false);
        }
        self.aggregate.apply(event.decode::<A::Event>()?);
        self.seq = event.stream_seq;
        Ok(true)
    }

    fn snapshot(&self) -> serde_json::Result<String> {
        super::snapshot::write(&self.aggregate)
    }
}

/// The writer's cache: the most recently used streams of one ledger.
pub(super) struct StreamCache {
    streams: LruCache<StreamKey, Box<dyn CachedStream>>,
    capacity: usize,
}

impl StreamCache {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            streams: LruCache::unbounded(),
            capacity,
        }
    }

    pub(super) fn contains(&self, key: &StreamKey) -> bool {
        self.streams.contains(key)
    }

    /// The number of the last event that a stream at hand has followed.
    pub(super) fn seq(&self, key: &StreamKey) -> Option<u64> {
        self.streams.peek(key).map(|stream| stream.seq())
    }

    /// The aggregate, if it is at hand. Marks it as used.
    pub(super) fn get<A: StreamAggregate>(&mut self, key: &StreamKey) -> Option<&Versioned<A>> {
        self.streams.get(key)?.as_any().downcast_ref()
    }

    pub(super) fn put(&mut self, key: StreamKey, stream: Box<dyn CachedStream>) {
        self.streams.put(key, stream);
    }

    pub(super) fn remove(&mut self, key: &StreamKey) {
        self.streams.pop(key);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.streams.clear();
    }

    /// Forgets the least recently used beyond the capacity. Called between batches, so that nothing a
    /// batch touches vanishes under it.
    pub(super) fn trim(&mut self) {
        while self.streams.len() > self.capacity {
            self.streams.pop_lru();
        }
    }

    /// Follows an event of another node, if its stream is at hand.
    pub(super) fn follow(&mut self, event: &StoredEvent) {
        let Some(key) = key_of(event) else { return };
        let Some(stream) = self.streams.peek_mut(&key) else {
            return;
        };
        match stream.follow(event) {
            Ok(true) => {}
            Ok(false) => self.remove(&key),
            Err(error) => {
                // The next command on it loads the stream and meets the same event, with a caller to tell.
                tracing::error!(
                    position = event.position,
                    error = &error as &dyn std::error::Error
                );
                self.remove(&key);
            }
        }
    }
}

fn key_of(event: &StoredEvent) -> Option<StreamKey> {
    let stream_type = super::STREAM_TYPES
        .iter()
        .find(|&&name| name == event.stream_type)?;
    Some(StreamKey {
        stream_type,
        stream_id: event.stream_id.clone(),
    })
}
