//! `vinzy audit verify`

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use futures::{StreamExt, stream};
use vinzy_events::ledger::{
    ChainVerifier, Checkpoint, CheckpointError, Examined, Hash, InvalidTile, LeafError, TileKind, TilePath,
    VerifierKey, entries, root_of, split_hashes,
};
use vinzy_events::stream::is_known_event;

use super::Stop;
use super::source::{Ledger, Location, Source, untrusted};
use crate::cli::verify::progress_bar;

/// Hashes or events in a full tile.
const WIDTH: u64 = 256;
/// Tiles that are read and examined at a time.
const AHEAD: usize = 8;

#[derive(Debug, Args)]
#[command(
    after_help = "Reads every event and every tile that the checkpoint covers: that events parse, are canonical, were \
                  built on the one before, are the next of their stream, are no older than the one before, and are of \
                  a known type; that the tiles are those of these events; that the root is the one that was signed; \
                  and, with an older checkpoint, that history up to there is still the same. Where the ledger was handed \
                  over to another key, that each key signed which one comes next."
)]
pub(super) struct Verify {
    #[command(flatten)]
    location: Location,

    /// A file with a checkpoint that you kept: the ledger must continue it
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
}

impl Verify {
    pub(super) async fn run(self) -> Result<(), Stop> {
        let ledger = self.location.open().await?;
        let since = match self.since {
            Some(file) => Some(Kept::read(&ledger, fs::read_to_string(file)?)?),
            None => None,
        };
        let bar = progress_bar(&ledger.checkpoint.origin, "events");
        bar.set_length(ledger.checkpoint.size);
        let mut walk = Walk::new(&ledger, since);
        let walked = walk.run(|done| bar.set_position(done)).await;
        bar.finish_and_clear();
        let Checkpoint { origin, size, root } = &ledger.checkpoint;
        walked.inspect_err(|_| {
            println!(
                "{origin}: {} of {size} events were good before that",
                walk.verifier.size()
            );
        })?;
        check_keys(&ledger, walk.verifier.keys(), walk.since.as_ref())?;
        println!("{origin}: {size} events verified, root {root}");
        println!(
            "proven: every event is whole, in its order and built on the one before; all tiles are those of these \
             events; {} signed their root",
            ledger.key.name()
        );
        if let Some(old) = walk.since {
            println!(
                "proven: the ledger continues the checkpoint of {} events",
                old.checkpoint.size
            );
        }
        if let [first, .., last] = walk.verifier.keys() {
            println!(
                "proven: the ledger was handed over from the key {first} to {last} by whoever had the former"
            );
        }
        ledger.say_whose_key();
        Ok(())
    }
}

/// Checks a ledger's saved files, all that their checkpoint covers, as signed by who can be reached from `key`.
pub(in crate::cli) async fn saved(directory: &Path, key: VerifierKey) -> Result<(), Stop> {
    let source = Source::Directory(directory.to_owned());
    let ledger = Ledger::open(source, Some(key)).await?;
    let bar = progress_bar(&ledger.checkpoint.origin, "events verified");
    bar.set_length(ledger.checkpoint.size);
    let mut walk = Walk::new(&ledger, None);
    let walked = walk.run(|done| bar.set_position(done)).await;
    bar.finish_and_clear();
    walked?;
    check_keys(&ledger, walk.verifier.keys(), None)
}

/// A checkpoint that the auditor kept.
struct Kept {
    note: String,
    /// What it says; whether the ledger's key signed it is known when all keys are.
    checkpoint: Checkpoint,
}

impl Kept {
    fn read(ledger: &Ledger, note: String) -> Result<Self, Stop> {
        let checkpoint = match ledger.key.open(&note) {
            Err(CheckpointError::NotSigned) => Checkpoint::claimed(&note),
            opened => opened,
        };
        let checkpoint = checkpoint.map_err(untrusted)?;
        let (old, size) = (checkpoint.size, ledger.checkpoint.size);
        if old > size {
            let problem =
                format!("it is missing: the checkpoint that you kept counts {old} events, this one {size}");
            return Err(Stop::at(size, problem));
        }
        Ok(Self { note, checkpoint })
    }
}

/// Checks the signatures, now that it is known which keys the ledger's events name, by turns.
fn check_keys(ledger: &Ledger, keys: &[VerifierKey], since: Option<&Kept>) -> Result<(), Stop> {
    for key in ledger.told.iter().chain([&ledger.key]) {
        if !keys.contains(key) {
            let problem = format!("neither it nor a later event names the key {key}");
            return Err(Stop::at(0, problem));
        }
    }
    if let Some(last) = keys.last() {
        last.open(&ledger.note).map_err(untrusted)?;
    }
    if since.is_some_and(|old| keys.iter().all(|key| key.open(&old.note).is_err())) {
        let problem = "NOT PROVEN: no key of this ledger has signed the checkpoint that you kept";
        return Err(Stop::Wrong(problem.into()));
    }
    Ok(())
}

/// Follows a ledger from its first event.
struct Walk<'a> {
    ledger: &'a Ledger,
    verifier: ChainVerifier,
    since: Option<Kept>,
    /// Of each level above the lowest the tiles that were filled, and the hashes of the one that is not.
    upper: Vec<(u64, Vec<Hash>)>,
}

impl<'a> Walk<'a> {
    fn new(ledger: &'a Ledger, since: Option<Kept>) -> Self {
        Self {
            ledger,
            verifier: ChainVerifier::new(ledger.checkpoint.origin.clone(), is_known_event),
            since,
            upper: vec![],
        }
    }

    async fn run(&mut self, progress: impl Fn(u64)) -> Result<(), Stop> {
        let Checkpoint { size, root, .. } = self.ledger.checkpoint;
        let ledger = self.ledger;
        let tiles = (0..size.div_ceil(WIDTH)).map(|index| Examination::of(ledger, index));
        // In order, and some of them ahead.
        let mut tiles = std::pin::pin!(stream::iter(tiles).buffered(AHEAD));
        while let Some(tile) = tiles.next().await {
            let hashes = self.events(tile?)?;
            if hashes.len() as u64 == WIDTH {
                self.filled(root_of(&hashes)).await?;
            }
            progress(self.verifier.size());
        }
        for level in 0..self.upper.len() {
            if !self.upper[level].1.is_empty() {
                self.compare(level).await?;
            }
        }
        if self.verifier.root() != root {
            let problem =
                "BROKEN checkpoint: it was signed over another history than these events: they give the root";
            return Err(Stop::Wrong(format!(
                "{problem} {}, it says {root}",
                self.verifier.root()
            )));
        }
        Ok(())
    }

    /// Checks the events of a tile, each with its hash; gives the hashes.
    fn events(&mut self, tile: Examination) -> Result<Vec<Hash>, Stop> {
        let Examination {
            first,
            path,
            hash_path,
            hashes,
            events,
            holds_more,
        } = tile;
        let hashes = hashes.map_err(|error| Stop::at(first, error))?;
        let mut events = events.into_iter();
        for (position, hash) in (first..).zip(&hashes) {
            let (own, examined) = events
                .next()
                .ok_or_else(|| Stop::at(position, format!("{path} does not hold it")))?;
            if own != *hash {
                let problem = format!("the event in {path} does not have the hash that {hash_path} says");
                return Err(Stop::at(position, problem));
            }
            self.event(position, examined)?;
        }
        if holds_more {
            let problem = format!("{path} holds more than its events");
            return Err(Stop::at(self.verifier.size(), problem));
        }
        Ok(hashes)
    }

    fn event(&mut self, position: u64, examined: Result<Examined, LeafError>) -> Result<(), Stop> {
        self.verifier
            .push_examined(examined, None)
            .map_err(|finding| Stop::at(finding.position, finding.problem))?;
        match &self.since {
            Some(old) if old.checkpoint.size == self.verifier.size() => self.compare_with(old, position),
            _ => Ok(()),
        }
    }

    /// History up to here must be the one that the auditor knows.
    fn compare_with(&self, old: &Kept, position: u64) -> Result<(), Stop> {
        let Checkpoint { size, root, .. } = old.checkpoint;
        if root == self.verifier.root() {
            return Ok(());
        }
        let mut problem =
            format!("history up to here is not the one that the checkpoint of {size} events was signed over");
        if size == self.ledger.checkpoint.size {
            problem += &format!(
                "\nTwo histories of {size} events were signed. Keep both notes, they prove it. The other one is\n\n{}",
                self.ledger.note
            );
        }
        Err(Stop::at(position, problem))
    }

    /// A tile of the lowest level is full: its hash belongs to the level above, and so on.
    async fn filled(&mut self, root: Hash) -> Result<(), Stop> {
        let mut root = root;
        for level in 0.. {
            if level == self.upper.len() {
                self.upper.push((0, vec![]));
            }
            self.upper[level].1.push(root);
            if (self.upper[level].1.len() as u64) < WIDTH {
                break;
            }
            self.compare(level).await?;
            let (index, hashes) = &mut self.upper[level];
            *index += 1;
            root = root_of(&std::mem::take(hashes));
        }
        Ok(())
    }

    /// Compares an upper tile with what the events gave.
    async fn compare(&self, level: usize) -> Result<(), Stop> {
        let (index, expected) = &self.upper[level];
        let level = u8::try_from(level + 1)?;
        let span = WIDTH.pow(level.into());
        let first = index * WIDTH * span;
        let (path, bytes) = tile(self.ledger, TileKind::Hashes { level }, *index).await?;
        let hashes = split_hashes(path, &bytes).map_err(|error| Stop::at(first, error))?;
        match (0..).zip(hashes.iter().zip(expected)).find(|(_, (a, b))| a != b) {
            Some((number, _)) => Err(Stop::at(
                first + number * span,
                format!("{path} has another hash for the {span} events from here on than they give"),
            )),
            None => Ok(()),
        }
    }
}

/// A tile that the checkpoint covers.
async fn tile(ledger: &Ledger, kind: TileKind, index: u64) -> Result<(TilePath, Vec<u8>), Stop> {
    let size = ledger.checkpoint.size;
    let path = TilePath::widest(kind, index, size)
        .ok_or_else(|| Stop::Failed(format!("a ledger of {size} events has no such tile").into()))?;
    Ok((path, ledger.tile(path).await?))
}

/// The events of a tile and their hashes, looked at without their surroundings.
struct Examination {
    first: u64,
    path: TilePath,
    hash_path: TilePath,
    hashes: Result<Vec<Hash>, InvalidTile>,
    /// Each with its hash.
    events: Vec<(Hash, Result<Examined, LeafError>)>,
    /// Whether there are bytes behind the events.
    holds_more: bool,
}

impl Examination {
    async fn of(ledger: &Ledger, index: u64) -> Result<Self, Stop> {
        let (path, bytes) = tile(ledger, TileKind::Entries, index).await?;
        let (hash_path, hashes) = tile(ledger, TileKind::Hashes { level: 0 }, index).await?;
        let examined = tokio::task::spawn_blocking(move || {
            let leaves: Vec<&[u8]> = entries(&bytes).take(path.width().into()).collect();
            let read: usize = leaves.iter().map(|leaf| leaf.len() + 2).sum();
            Self {
                first: index * WIDTH,
                path,
                hash_path,
                hashes: split_hashes(hash_path, &hashes),
                holds_more: read != bytes.len(),
                events: leaves.into_iter().map(Examined::with_hash).collect(),
            }
        });
        Ok(examined.await?)
    }
}
