//! What a verifier knows after some events, to be kept and gone on from later.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::super::{Frontier, Hash};
use super::{ChainVerifier, EventCatalog};
use crate::Timestamp;

/// What a verifier knows. Whoever goes on from it trusts it as much as they trust the place where it was kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerifierState {
    origin: String,
    size: u64,
    head_hash: Hash,
    frontier: String,
    last_recorded_at: Timestamp,
    keys: Vec<String>,
    /// The newest number of each stream, by its type and its id.
    streams: BTreeMap<String, BTreeMap<String, u64>>,
}

/// This is no state that a verifier was ever in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what was kept of an earlier verification makes no sense")]
pub struct InvalidState;

impl ChainVerifier {
    /// What it knows.
    pub fn state(&self) -> VerifierState {
        let mut streams: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        for (stream, seq) in &self.streams {
            let (stream_type, id) = stream.split_once('/').unwrap_or((stream, ""));
            let of_type = streams.entry(stream_type.to_owned()).or_default();
            of_type.insert(id.to_owned(), *seq);
        }
        VerifierState {
            origin: self.origin.clone(),
            size: self.frontier.size(),
            head_hash: self.head_hash,
            frontier: HEXLOWER.encode(&self.frontier.to_bytes()),
            last_recorded_at: self.last_recorded_at,
            keys: self.keys.iter().map(ToString::to_string).collect(),
            streams,
        }
    }

    /// How many streams it knows: what its state grows with.
    pub fn stream_count(&self) -> usize {
        self.streams.len()
    }

    /// A verifier that goes on where another was.
    pub fn resume(state: VerifierState, known: EventCatalog) -> Result<Self, InvalidState> {
        let frontier = HEXLOWER
            .decode(state.frontier.as_bytes())
            .map_err(|_| InvalidState)?;
        let keys: Result<Vec<_>, _> = state.keys.iter().map(|key| key.parse()).collect();
        let streams = state.streams.into_iter().flat_map(|(stream_type, ids)| {
            ids.into_iter()
                .map(move |(id, seq)| ([stream_type.as_str(), "/", &id].concat().into(), seq))
        });
        Ok(Self {
            origin: state.origin,
            known,
            head_hash: state.head_hash,
            frontier: Frontier::from_bytes(state.size, &frontier).map_err(|_| InvalidState)?,
            last_recorded_at: state.last_recorded_at,
            streams: streams.collect(),
            keys: keys.map_err(|_| InvalidState)?,
        })
    }
}
