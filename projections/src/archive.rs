//! Events whose bytes were moved out of the database, read from the files that they were moved to: those that
//! `vinzy audit export` writes, too (C2SP tlog-tiles).

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use vinzy_events::ledger::{Checkpoint, TileKind, TilePath, event_hash, split_entries};

use crate::StoredEvent;

/// Name of the file with the checkpoint that the files are covered by.
pub const CHECKPOINT: &str = "checkpoint";

/// Entries of a full tile.
const WIDTH: u64 = 256;

/// Why an archive cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A file cannot be read.
    #[error("{}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is not what its name says.
    #[error("{} is damaged", path.display())]
    Damaged {
        /// Which one.
        path: PathBuf,
    },
    /// The archive ends before an event.
    #[error("{} ends before position {position}", directory.display())]
    Short {
        /// The archive.
        directory: PathBuf,
        /// Where the event stands.
        position: u64,
    },
    /// It holds another event than the one that was recorded.
    #[error("{} holds another event at position {position} than the ledger", directory.display())]
    OtherEvent {
        /// The archive.
        directory: PathBuf,
        /// Where the event stands.
        position: u64,
    },
}

/// The entries of a tile that was read last.
type Cached = Option<(u64, Vec<Vec<u8>>)>;

/// The archive of one ledger. What it says is compared with the hashes that stayed in the database, so nothing of it needs
/// to be believed.
pub struct Archive {
    directory: PathBuf,
    checkpoint: Checkpoint,
    last: Mutex<Cached>,
}

impl Archive {
    /// The archive in a directory.
    pub fn open(directory: &Path) -> Result<Self, ArchiveError> {
        let path = directory.join(CHECKPOINT);
        let note = fs::read_to_string(&path).map_err(|source| ArchiveError::File {
            path: path.clone(),
            source,
        })?;
        let checkpoint = Checkpoint::claimed(&note).map_err(|_| ArchiveError::Damaged { path })?;
        Ok(Self {
            directory: directory.to_owned(),
            checkpoint,
            last: Mutex::default(),
        })
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The name of its ledger.
    pub fn origin(&self) -> &str {
        &self.checkpoint.origin
    }

    /// How many events it holds, from the ledger's first on.
    pub const fn size(&self) -> u64 {
        self.checkpoint.size
    }

    /// The bytes of the events in a tile, in order.
    pub fn leaves(&self, tile: u64) -> Result<Vec<Vec<u8>>, ArchiveError> {
        let short = || ArchiveError::Short {
            directory: self.directory.clone(),
            position: tile.saturating_mul(WIDTH),
        };
        let path = TilePath::widest(TileKind::Entries, tile, self.size()).ok_or_else(short)?;
        let file = self.directory.join(path.to_string());
        let bytes = fs::read(&file).map_err(|source| ArchiveError::File {
            path: file.clone(),
            source,
        })?;
        let leaves = split_entries(path, &bytes).map_err(|_| ArchiveError::Damaged { path: file })?;
        Ok(leaves.into_iter().map(<[u8]>::to_vec).collect())
    }

    /// Gives archived events among `events` their bytes, if those have the hash that stayed in the database.
    fn fill(&self, events: &mut [StoredEvent]) -> Result<(), ArchiveError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events.iter_mut().filter(|event| event.is_archived()) {
            let (tile, place) = (event.position / WIDTH, event.position % WIDTH);
            if last.as_ref().is_none_or(|(read, _)| *read != tile) {
                *last = Some((tile, self.leaves(tile)?));
            }
            let leaves = last.iter().flat_map(|(_, leaves)| leaves);
            let leaf = usize::try_from(place)
                .ok()
                .and_then(|place| leaves.clone().nth(place));
            let leaf = leaf.ok_or_else(|| ArchiveError::Short {
                directory: self.directory.clone(),
                position: event.position,
            })?;
            if event_hash(leaf).as_bytes().as_slice() != event.event_hash {
                return Err(ArchiveError::OtherEvent {
                    directory: self.directory.clone(),
                    position: event.position,
                });
            }
            event.leaf.clone_from(leaf);
        }
        Ok(())
    }
}

/// The archives of some ledgers.
#[derive(Default)]
pub struct Archives(HashMap<String, Archive>);

impl Archives {
    /// Archives with the ids of their ledgers.
    pub fn of(archives: impl IntoIterator<Item = (String, Archive)>) -> Self {
        Self(archives.into_iter().collect())
    }

    /// The archive of a ledger.
    pub fn get(&self, ledger_id: &str) -> Option<&Archive> {
        self.0.get(ledger_id)
    }

    /// Gives those of a ledger's events that are archived their bytes, if there is an archive of it.
    pub fn fill(&self, ledger_id: &str, events: &mut [StoredEvent]) -> Result<(), ArchiveError> {
        self.get(ledger_id).map_or(Ok(()), |archive| archive.fill(events))
    }
}
