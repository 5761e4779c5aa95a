//! What can be put into a ledger's queue: an operation that says what it needs and then decides.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use vinzy_events::ledger::{Actor, Hash};
use vinzy_events::stream::StreamAggregate;

use super::attempt::Attempt;
use super::cache::{CachedStream, StreamKey};
use super::load::StreamLoader;

/// Who asks, and on what occasion: it stands in the meta of every event.
#[derive(Debug, Clone)]
pub struct Context {
    /// Who did it.
    pub actor: Actor,
    /// The request it came with.
    pub correlation_id: Option<String>,
    /// The event that caused it, for processes.
    pub causation_id: Option<String>,
    /// Where whoever asks finds out what it became; stands in no event.
    pub receipt: ReceiptSlot,
}

/// Where the last event of what somebody asked for stands in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Its position.
    pub position: u64,
    /// Its hash.
    pub event_hash: Hash,
}

/// Holds the receipt of what was asked for last, once it is on disk. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct ReceiptSlot(Arc<Mutex<Option<Receipt>>>);

impl ReceiptSlot {
    /// The receipt; `None` as long as nothing was written.
    pub fn get(&self) -> Option<Receipt> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of several, the one that stands last in the ledger is kept.
    pub(crate) fn put(&self, receipt: Receipt) {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_none_or(|before| before.position < receipt.position) {
            *slot = Some(receipt);
        }
    }
}

/// A decision over one or more aggregates of one ledger, as they are at the ledger's end.
///
/// It runs alone: between what it reads and what it writes nothing else happens in its ledger, on any
/// node. If it refuses, it leaves no trace and disturbs nobody. It may run twice, the first time on what has
/// turned out not to be the ledger's end; that run counts for nothing.
pub trait Operation: Clone + Send + 'static {
    /// What the caller gets.
    type Output: Send + 'static;
    /// Why it can be refused.
    type Error: From<LedgerError> + Send + 'static;

    /// What must be at hand before it runs.
    fn needs(&self, needs: &mut Needs);

    /// Decides. Synchronous and without I/O: the whole ledger waits.
    fn run(self, attempt: &mut Attempt<'_>) -> Result<Self::Output, Self::Error>;
}

/// What a write leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T> {
    /// It was done now.
    Done(T),
    /// The same request was done before: here is what it led to then.
    Replayed(StreamPoint),
}

/// A stream as of one of its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamPoint {
    /// The stream's type.
    pub stream_type: String,
    /// The stream's id.
    pub stream_id: String,
    /// The number of the event.
    pub seq: u64,
}

/// Makes an operation safe to repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The client's key, unique within the ledger.
    pub key: String,
    /// Keyed hash of the request: the same key with another request is refused.
    pub request_hash: [u8; 32],
}

/// Why the ledger did not do what was asked, whatever was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The database could not be written. Whether it was written after all is unknown only if the
    /// connection broke during the commit; an idempotency key makes repeating safe.
    #[error("the ledger cannot be written at the moment")]
    Unavailable,
    /// An event would be larger than a leaf can be.
    #[error("the change is larger than the 65,535 bytes of one ledger event")]
    EventTooLarge,
    /// The idempotency key belongs to another request.
    #[error("the idempotency key was used for a different request")]
    IdempotencyKeyReused,
    /// What is asked for was made of events that are archived.
    #[error("it was made of events that are archived")]
    Archived,
    /// A stored event cannot be read by this program.
    #[error("a stored event cannot be read")]
    Unreadable,
}

/// What an operation must find at hand.
#[derive(Default)]
pub struct Needs {
    pub(super) streams: Vec<(StreamKey, StreamLoader)>,
    pub(super) claims: Vec<(&'static str, String)>,
    pub(super) references: Vec<StreamKey>,
    pub(super) sealed_data: Vec<uuid::Uuid>,
    pub(super) idempotency_keys: Vec<String>,
}

impl Needs {
    /// The aggregate with `id`, which may or may not exist.
    pub fn stream<A: StreamAggregate>(&mut self, id: impl ToString) {
        self.streams
            .push((StreamKey::of::<A>(id), super::load::load_boxed::<A>));
    }

    /// Who holds a unique value.
    pub fn claim(&mut self, kind: &'static str, value: impl Into<String>) {
        self.claims.push((kind, value.into()));
    }

    /// How many live streams refer to the aggregate with `id`.
    pub fn references<A: StreamAggregate>(&mut self, id: impl ToString) {
        self.references.push(StreamKey::of::<A>(id));
    }

    /// What is sealed of a customer.
    pub fn sealed_data(&mut self, customer_id: vinzy_events::CustomerId) {
        self.sealed_data.push(customer_id.as_uuid());
    }
}

/// A boxed future of the loader's.
pub(super) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A loaded stream of any type.
pub(super) type BoxedStream = Box<dyn CachedStream>;
