//! Checks a ledger leaf by leaf, trusting nothing but the bytes.

use std::collections::HashMap;

use super::{Frontier, Hash, KeyError, KeyRotation, Leaf, LeafError, Outline, VerifierKey, event_hash};
use crate::stream::{LEDGER_KEY_ROTATED, LEDGER_OPENED};
use crate::{EventId, LicenseId, Timestamp};

mod state;

pub use state::{InvalidState, VerifierState};

/// Says whether an event type is known in a version.
pub type EventCatalog = fn(event_type: &str, type_ver: u32) -> bool;

/// Walks a ledger from its first event. After a finding it stays where it was: what comes later cannot be
/// judged without what is wrong.
pub struct ChainVerifier {
    origin: String,
    known: EventCatalog,
    head_hash: Hash,
    frontier: Frontier,
    last_recorded_at: Timestamp,
    streams: HashMap<StreamId, u64>,
    keys: Vec<VerifierKey>,
}

/// A stream's type and id, as `type/id`; types hold no slash.
type StreamId = Box<str>;

/// An event that has passed every check.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifiedEvent {
    /// The leaf.
    pub leaf: Outline,
    /// Its hash.
    pub hash: Hash,
}

/// An event's bytes, looked at without their surroundings: most of the work, and it can be done for many at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Examined {
    leaf: Outline,
    hash: Hash,
    canonical: bool,
}

impl Examined {
    /// Parses and hashes, and looks whether the bytes are in canonical form.
    pub fn of(bytes: &[u8]) -> Result<Self, LeafError> {
        let (leaf, canonical) = Leaf::examine(bytes)?;
        Ok(Self {
            leaf,
            hash: event_hash(bytes),
            canonical,
        })
    }

    /// As [`Examined::of`], with the hash, which bytes have that are no event, too.
    pub fn with_hash(bytes: &[u8]) -> (Hash, Result<Self, LeafError>) {
        let examined = Self::of(bytes);
        let hash = examined.as_ref().map_or_else(|_| event_hash(bytes), Self::hash);
        (hash, examined)
    }

    /// The hash of the event.
    pub const fn hash(&self) -> Hash {
        self.hash
    }
}

/// The first thing that is wrong.
#[derive(Debug, thiserror::Error)]
#[error("event {position}: {problem}")]
pub struct Finding {
    /// Where.
    pub position: u64,
    /// What.
    #[source]
    pub problem: Problem,
}

/// What can be wrong with an event.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The bytes are no event.
    #[error("the stored bytes are no event: {0}")]
    Unparseable(#[from] LeafError),
    /// The bytes are an event, but not as it must be written.
    #[error("the stored bytes are not in canonical form")]
    NotCanonical,
    /// It belongs to another ledger.
    #[error("it belongs to the ledger {found}")]
    WrongLedger {
        /// The ledger that it names.
        found: String,
    },
    /// Another event stands where this one should.
    #[error("it is missing: position {found} comes instead")]
    Missing {
        /// The position that comes instead.
        found: u64,
    },
    /// It was not built on the event before it.
    #[error("it was not built on the event before it: that has the hash {expected}, it names {found}")]
    BrokenChain {
        /// Hash of the event before.
        expected: Hash,
        /// The hash it names.
        found: Hash,
    },
    /// A number of its stream is missing or repeated.
    #[error("event {expected} of its stream should come, it is number {found}")]
    StreamSequence {
        /// The number that should come.
        expected: u64,
        /// The number it has.
        found: u64,
    },
    /// It was recorded before the event before it.
    #[error("its time {found} lies before that of the event before it, {before}")]
    TimeWentBack {
        /// Time of the event before.
        before: Timestamp,
        /// Its time.
        found: Timestamp,
    },
    /// Nobody knows what it means.
    #[error("its type {event_type} version {type_ver} is not known")]
    UnknownType {
        /// Its type.
        event_type: String,
        /// Its version.
        type_ver: u32,
    },
    /// It does not say rightly which key the ledger's checkpoints verify with.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A column beside the leaf says something else than the leaf.
    #[error("column {column} does not say what the event says")]
    ColumnMismatch {
        /// The column.
        column: &'static str,
    },
    /// The ledger ends before its head says.
    #[error("it is missing: the ledger ends here, but its head counts {size} events")]
    TailMissing {
        /// How many events the head counts.
        size: u64,
    },
    /// The ledger goes on after its head.
    #[error("it stands behind the head, which counts {size} events")]
    BeyondHead {
        /// How many events the head counts.
        size: u64,
    },
    /// The head does not belong to the events.
    #[error("the ledger's head names another {what} than the events give")]
    HeadMismatch {
        /// What does not fit.
        what: &'static str,
    },
}

/// What the SQL columns beside a leaf say.
#[derive(Debug, Clone, Copy)]
pub struct StoredColumns<'a> {
    /// `position`.
    pub position: u64,
    /// `event_id`.
    pub event_id: EventId,
    /// `stream_type`.
    pub stream_type: &'a str,
    /// `stream_id`.
    pub stream_id: &'a str,
    /// `stream_seq`.
    pub stream_seq: u64,
    /// `event_type`.
    pub event_type: &'a str,
    /// `type_ver`.
    pub type_ver: u32,
    /// `recorded_at`.
    pub recorded_at: Timestamp,
    /// `event_hash`.
    pub event_hash: Hash,
    /// `license_id`.
    pub license_id: Option<LicenseId>,
}

impl StoredColumns<'_> {
    /// Compares every column with the leaf and its hash.
    pub fn check<P>(&self, leaf: &Leaf<P>, hash: Hash) -> Result<(), Problem> {
        let columns = [
            ("position", self.position == leaf.pos),
            ("event_id", self.event_id == leaf.event_id),
            ("stream_type", self.stream_type == leaf.stream.stream_type),
            ("stream_id", self.stream_id == leaf.stream.id),
            ("stream_seq", self.stream_seq == leaf.stream.seq),
            ("event_type", self.event_type == leaf.event_type),
            ("type_ver", self.type_ver == leaf.type_ver),
            ("recorded_at", self.recorded_at == leaf.recorded_at),
            ("event_hash", self.event_hash == hash),
            ("license_id", self.license_id == leaf.license_id()),
        ];
        match columns.into_iter().find(|(_, same)| !same) {
            Some((column, _)) => Err(Problem::ColumnMismatch { column }),
            None => Ok(()),
        }
    }
}

/// Where a ledger claims to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Number of events.
    pub size: u64,
    /// Hash of the last one; zeros when there is none.
    pub head_hash: Hash,
    /// Merkle root.
    pub root: Hash,
}

impl ChainVerifier {
    /// A verifier for the ledger named `origin`, before its first event.
    pub fn new(origin: impl Into<String>, known: EventCatalog) -> Self {
        Self {
            origin: origin.into(),
            known,
            head_hash: Hash::ZERO,
            frontier: Frontier::new(),
            last_recorded_at: Timestamp::UNIX_EPOCH,
            streams: HashMap::new(),
            keys: vec![],
        }
    }

    /// Checks the next event: it parses, is canonical, belongs here, was built on the one before, is the
    /// next of its stream, is no older than the one before, and is of a known type.
    pub fn push(&mut self, leaf: &[u8]) -> Result<VerifiedEvent, Finding> {
        self.push_examined(Examined::of(leaf), None)
    }

    /// As [`ChainVerifier::push`], and compares the columns beside the leaf with it.
    pub fn push_stored(
        &mut self,
        columns: &StoredColumns<'_>,
        leaf: &[u8],
    ) -> Result<VerifiedEvent, Finding> {
        self.push_examined(Examined::of(leaf), Some(columns))
    }

    /// As [`ChainVerifier::push`], for an event that was examined before; compares columns beside the leaf with it, if
    /// there are any.
    pub fn push_examined(
        &mut self,
        examined: Result<Examined, LeafError>,
        columns: Option<&StoredColumns<'_>>,
    ) -> Result<VerifiedEvent, Finding> {
        let position = self.size();
        let finding = |problem| Finding { position, problem };
        let Examined {
            leaf,
            hash,
            canonical,
        } = examined.map_err(|error| finding(error.into()))?;
        if !canonical {
            return Err(finding(Problem::NotCanonical));
        }
        self.check_place(&leaf).map_err(finding)?;
        let stream = stream_id(&leaf);
        self.check_stream(&stream, leaf.stream.seq).map_err(finding)?;
        self.check_content(&leaf).map_err(finding)?;
        let key = self.named_key(&leaf).map_err(|error| finding(error.into()))?;
        if let Some(columns) = columns {
            columns.check(&leaf, hash).map_err(finding)?;
        }
        self.streams.insert(stream, leaf.stream.seq);
        self.keys.extend(key);
        self.head_hash = hash;
        self.frontier.push(hash);
        self.last_recorded_at = leaf.recorded_at;
        Ok(VerifiedEvent { leaf, hash })
    }

    /// Number of events checked.
    pub const fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Hash of the last event checked; zeros before the first.
    pub const fn head_hash(&self) -> Hash {
        self.head_hash
    }

    /// Merkle root over the events checked.
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// Right edge of the Merkle tree over the events checked.
    pub const fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// The keys that checkpoints of the events checked verify with, by turns: the last one does now.
    pub fn keys(&self) -> &[VerifierKey] {
        &self.keys
    }

    /// Checks that the ledger ends where its head claims.
    pub fn finish(&self, head: &Head) -> Result<(), Finding> {
        let size = self.size();
        if size < head.size {
            return Err(Finding {
                position: size,
                problem: Problem::TailMissing { size: head.size },
            });
        }
        if size > head.size {
            let problem = Problem::BeyondHead { size: head.size };
            return Err(Finding {
                position: head.size,
                problem,
            });
        }
        let position = size.saturating_sub(1);
        if head.head_hash != self.head_hash {
            return Err(Finding {
                position,
                problem: Problem::HeadMismatch { what: "hash" },
            });
        }
        if head.root != self.root() {
            return Err(Finding {
                position,
                problem: Problem::HeadMismatch { what: "Merkle root" },
            });
        }
        Ok(())
    }

    fn check_place(&self, leaf: &Outline) -> Result<(), Problem> {
        if leaf.ledger != self.origin {
            return Err(Problem::WrongLedger {
                found: leaf.ledger.clone(),
            });
        }
        if leaf.pos != self.size() {
            return Err(Problem::Missing { found: leaf.pos });
        }
        if leaf.prev != self.head_hash {
            return Err(Problem::BrokenChain {
                expected: self.head_hash,
                found: leaf.prev,
            });
        }
        Ok(())
    }

    fn check_stream(&self, stream: &str, found: u64) -> Result<(), Problem> {
        let expected = self.streams.get(stream).map_or(1, |last| last + 1);
        if found == expected {
            Ok(())
        } else {
            Err(Problem::StreamSequence { expected, found })
        }
    }

    fn check_content(&self, leaf: &Outline) -> Result<(), Problem> {
        let (before, found) = (self.last_recorded_at, leaf.recorded_at);
        if found < before {
            return Err(Problem::TimeWentBack { before, found });
        }
        if (self.known)(&leaf.event_type, leaf.type_ver) {
            return Ok(());
        }
        Err(Problem::UnknownType {
            event_type: leaf.event_type.clone(),
            type_ver: leaf.type_ver,
        })
    }

    /// The key that the event names for the ledger's checkpoints, if it is one of those that do.
    fn named_key(&self, leaf: &Outline) -> Result<Option<VerifierKey>, KeyError> {
        let key = match leaf.event_type.as_str() {
            LEDGER_OPENED if self.keys.is_empty() => {
                let key = leaf.payload.as_ref().and_then(|payload| payload.get("vkey"));
                let key = key.and_then(|key| key.as_str()?.parse().ok());
                let key = key.filter(|key: &VerifierKey| key.name() == self.origin);
                key.ok_or(KeyError::NoKey)?
            }
            LEDGER_KEY_ROTATED => {
                let payload = leaf.payload.clone().ok_or(KeyError::NoKey)?;
                let rotation: KeyRotation = serde_json::from_value(payload).map_err(|_| KeyError::NoKey)?;
                rotation.check(self.keys.last().ok_or(KeyError::OtherKey)?)?
            }
            _ => return Ok(None),
        };
        Ok(Some(key))
    }
}

fn stream_id(leaf: &Outline) -> StreamId {
    [leaf.stream.stream_type.as_str(), "/", &leaf.stream.id]
        .concat()
        .into()
}
