//! Follows a ledger event by event, from its first or from where another verification was.

use vinzy_events::ledger::{
    ChainVerifier, Checkpoint, Examined, Hash, TileKind, TilePath, VerifierState, entries, event_hash,
    root_of, split_hashes,
};
use vinzy_events::stream::is_known_event;

use crate::Stop;
use crate::message::Kind;

/// Hashes or events in a full tile.
pub(crate) const WIDTH: u64 = 256;
/// States of more streams than these are not kept: a browser is no database.
const MAX_STREAMS: usize = 300_000;

/// A walk along a ledger.
pub(crate) struct Walk {
    checkpoint: Checkpoint,
    verifier: ChainVerifier,
    from: u64,
    /// A checkpoint that the ledger must have been at.
    since: Option<Checkpoint>,
    /// Roots of the full tiles that were walked through from their first event, and the number of the first of them.
    roots: (u64, Vec<Hash>),
    last_recorded_at: Option<String>,
}

impl Walk {
    /// From the first event.
    pub(crate) fn whole(checkpoint: Checkpoint, since: Option<Checkpoint>) -> Self {
        let verifier = ChainVerifier::new(checkpoint.origin.clone(), is_known_event);
        Self::new(checkpoint, verifier, since)
    }

    /// From where another verification was; `None` if what it knew is not what it proved.
    pub(crate) fn onward(checkpoint: Checkpoint, state: &str, since: Checkpoint) -> Option<Self> {
        let state: VerifierState = serde_json::from_str(state).ok()?;
        let verifier = ChainVerifier::resume(state, is_known_event).ok()?;
        let fits = verifier.size() == since.size && verifier.root() == since.root;
        fits.then(|| Self::new(checkpoint, verifier, Some(since)))
    }

    fn new(checkpoint: Checkpoint, verifier: ChainVerifier, since: Option<Checkpoint>) -> Self {
        let from = verifier.size();
        Self {
            checkpoint,
            verifier,
            from,
            since,
            roots: (from.div_ceil(WIDTH), vec![]),
            last_recorded_at: None,
        }
    }

    /// The first event that is read.
    pub(crate) const fn from(&self) -> u64 {
        self.from
    }

    /// How many events are good so far.
    pub(crate) const fn checked(&self) -> u64 {
        self.verifier.size()
    }

    /// What has passed every check.
    pub(crate) const fn verifier(&self) -> &ChainVerifier {
        &self.verifier
    }

    /// When the last event was recorded that was read.
    pub(crate) fn last_recorded_at(&self) -> Option<String> {
        self.last_recorded_at.clone()
    }

    /// What to go on from later; `None` if it is too large to be kept.
    pub(crate) fn state(&self) -> Option<String> {
        let is_small = self.verifier.stream_count() <= MAX_STREAMS;
        is_small
            .then(|| serde_json::to_string(&self.verifier.state()).ok())
            .flatten()
    }

    /// The numbers of the tiles that are to be read.
    pub(crate) const fn tiles(&self) -> std::ops::Range<u64> {
        self.from / WIDTH..self.checkpoint.size.div_ceil(WIDTH)
    }

    /// Where a tile is read, as far as the checkpoint covers it.
    pub(crate) fn path(&self, kind: TileKind, index: u64) -> Option<TilePath> {
        TilePath::widest(kind, index, self.checkpoint.size)
    }

    /// Checks the events of a tile against those before.
    pub(crate) fn tile(&mut self, index: u64, events: &[u8]) -> Result<(), Stop> {
        let first = index * WIDTH;
        let path = self.path(TileKind::Entries, index);
        let path = path.ok_or_else(|| at(first, "no checkpoint covers it".to_owned()))?;
        let mut leaves = entries(events);
        let mut hashes = Vec::with_capacity(path.width().into());
        let mut read = 0;
        for position in (first..).take(path.width().into()) {
            let leaf = leaves
                .next()
                .ok_or_else(|| at(position, format!("{path} does not hold it")))?;
            read += leaf.len() + 2;
            if position >= self.from {
                hashes.push(self.event(position, leaf)?);
            }
        }
        if read != events.len() {
            return Err(at(self.checked(), format!("{path} holds more than its events")));
        }
        if hashes.len() as u64 == WIDTH {
            self.roots.1.push(root_of(&hashes));
        }
        Ok(())
    }

    fn event(&mut self, position: u64, leaf: &[u8]) -> Result<Hash, Stop> {
        let (hash, examined) = Examined::with_hash(leaf);
        let verified = self
            .verifier
            .push_examined(examined, None)
            .map_err(|finding| at(finding.position, finding.problem.to_string()))?;
        if self.verifier.size() == self.checkpoint.size {
            self.last_recorded_at = Some(verified.leaf.recorded_at.to_string());
        }
        match &self.since {
            Some(since) if since.size == self.verifier.size() && since.root != self.verifier.root() => {
                let problem = format!(
                    "history up to here is not the one that the checkpoint of {} events was signed over",
                    since.size
                );
                Err(Stop::broken(Kind::History, Some(position), problem))
            }
            _ => Ok(hash),
        }
    }

    /// The tiles above the lowest level, each with the number of the first hash that is known, and those from there on:
    /// the events gave them.
    pub(crate) fn upper_tiles(&self) -> Vec<(TilePath, usize, Vec<Hash>)> {
        let mut tiles = vec![];
        let (mut first, mut hashes) = self.roots.clone();
        for level in 1..=u8::MAX {
            if hashes.is_empty() {
                break;
            }
            let (mut next_first, mut next) = (None, vec![]);
            let end = first + hashes.len() as u64;
            for index in first / WIDTH..end.div_ceil(WIDTH) {
                let begin = (index * WIDTH).max(first);
                let known = &hashes[place(begin - first)..place(((index + 1) * WIDTH).min(end) - first)];
                if let Some(path) = self.path(TileKind::Hashes { level }, index) {
                    tiles.push((path, place(begin - index * WIDTH), known.to_vec()));
                }
                if known.len() as u64 == WIDTH {
                    next_first.get_or_insert(index);
                    next.push(root_of(known));
                }
            }
            (first, hashes) = (next_first.unwrap_or(0), next);
        }
        tiles
    }

    /// Compares the root with the one that was signed.
    pub(crate) fn finish(&self) -> Result<(), Stop> {
        let (root, signed) = (self.verifier.root(), self.checkpoint.root);
        if root == signed {
            return Ok(());
        }
        let problem = format!(
            "it was signed over another history than these events: they give the root {root}, it says {signed}"
        );
        Err(Stop::broken(Kind::Checkpoint, None, problem))
    }
}

/// Compares a tile above the lowest level with what the events gave.
pub(crate) fn compare(path: TilePath, skip: usize, expected: &[Hash], bytes: &[u8]) -> Result<(), Stop> {
    let span = WIDTH.saturating_pow(path.level().unwrap_or(0).into());
    let first = path.index() * WIDTH * span;
    let hashes = split_hashes(path, bytes).map_err(|error| at(first, error.to_string()))?;
    let mut pairs = (0..).zip(&hashes).skip(skip).zip(expected);
    match pairs.find(|((_, told), expected)| told != expected) {
        Some(((number, _), _)) => Err(at(
            first + number * span,
            format!("{path} has another hash for the {span} events from here on than they give"),
        )),
        None => Ok(()),
    }
}

/// Compares the events of a tile with the tile of their hashes: names the first that has another one.
pub(crate) fn blame(
    (path, events): (TilePath, &[u8]),
    (hash_path, hashes): (TilePath, &[u8]),
) -> Result<(), Stop> {
    let first = path.index() * WIDTH;
    let hashes = split_hashes(hash_path, hashes).map_err(|error| at(first, error.to_string()))?;
    let mut pairs = (first..).zip(entries(events).zip(&hashes));
    match pairs.find(|(_, (leaf, told))| event_hash(leaf) != **told) {
        Some((position, _)) => {
            let problem = format!("the event in {path} does not have the hash that {hash_path} says");
            Err(at(position, problem))
        }
        None => Ok(()),
    }
}

fn at(position: u64, problem: String) -> Stop {
    Stop::broken(Kind::Event, Some(position), problem)
}

fn place(number: u64) -> usize {
    usize::try_from(number).expect("what is in memory can be counted")
}

#[cfg(test)]
mod tests;
