//! Moving a ledger's older events into files, and back. The files are those that `vinzy audit export` writes, so whoever
//! audits can verify them without this program; what of the database is emptied is [`crate::ledger::archive`]'s.

use std::fs;
use std::io;
use std::path::Path;

use sqlx::{PgConnection, PgPool};
use vinzy_events::Timestamp;
use vinzy_events::ledger::{TileKind, TilePath, VerifierKey, split_entries, split_hashes};
use vinzy_projections::archive::{Archive, ArchiveError, Archives, CHECKPOINT};
use vinzy_projections::tiles::{self, TileError};
use vinzy_projections::{Projection, event_log};

use crate::ledger::archive::{self, ArchiveFailure, Archived, Remover, Stretch};
use crate::ledger::checkpoint::SignedCheckpoint;
use crate::ledger::{checkpoint, named_keys};
use crate::processes::{anomaly_detection, webhook_outbox};

/// The file with the key that the checkpoint verifies with.
const KEY_FILE: &str = "vkey";
/// Events of a tile: archives end where one does.
pub const TILE: u64 = 256;

/// Why events are not moved.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// Leaves could not be removed, or given back.
    #[error(transparent)]
    Ledger(#[from] ArchiveFailure),
    /// The archive cannot be read.
    #[error("the archive cannot be read")]
    Archive(#[from] ArchiveError),
    /// A file cannot be written.
    #[error("the archive cannot be written")]
    File(#[from] io::Error),
    /// There is no such ledger.
    #[error("there is no ledger {0} in this database")]
    NoLedger(String),
    /// Somebody else does.
    #[error("another archiver of ledger {0}, or whoever removes its snapshots, is at work")]
    Running(String),
    /// Nothing of the ledger is signed yet.
    #[error("no checkpoint of ledger {0} was signed yet: a server does that every second")]
    Unsigned(String),
    /// Events are wanted that no checkpoint covers.
    #[error("only the events before position {signed} are covered by a signed checkpoint")]
    Uncovered {
        /// How many it covers.
        signed: u64,
    },
    /// A read model or process has not seen the events yet.
    #[error("{name} has come to position {position} only: events that it has not seen are not archived")]
    Unseen {
        /// Who.
        name: String,
        /// Where it stands.
        position: u64,
    },
    /// A webhook waits for an event.
    #[error(
        "the event at position {0} is still to be sent to a webhook: deliveries first have to be finished"
    )]
    Undelivered(u64),
    /// A tile is not there to be written.
    #[error("{0} cannot be read from the database")]
    NoTile(TilePath),
    /// What is to be written is in another archive.
    #[error(
        "the event at position {position} is archived already; this directory does not hold it as a whole, but: {location}"
    )]
    Elsewhere {
        /// Where the event stands.
        position: u64,
        /// Where the archive is.
        location: String,
    },
    /// The ledger has no archive.
    #[error("no event of ledger {0} is archived")]
    NotArchived(String),
    /// Events are in an archive that was not given.
    #[error(
        "events of ledger {ledger_id} before position {size} are archived: {location}; name the directory with --archive"
    )]
    NotGiven {
        /// The ledger.
        ledger_id: String,
        /// All archived events stand before this.
        size: u64,
        /// Where the archive is.
        location: String,
    },
}

/// A ledger whose events are moved, by this program alone.
pub struct Mover {
    pool: PgPool,
    /// Holds the lock.
    conn: PgConnection,
    ledger_id: String,
}

impl Mover {
    /// Begins to move events of a ledger.
    pub async fn begin(pool: &PgPool, ledger_id: &str) -> Result<Self, MoveError> {
        let mut conn = pool.acquire().await?.detach();
        if !archive::lock(&mut conn, ledger_id).await? {
            return Err(MoveError::Running(ledger_id.to_owned()));
        }
        Ok(Self {
            pool: pool.clone(),
            conn,
            ledger_id: ledger_id.to_owned(),
        })
    }

    /// The checkpoint up to which files are written.
    pub async fn signed(&self) -> Result<SignedCheckpoint, MoveError> {
        let last = checkpoint::last(&self.pool, &self.ledger_id).await?;
        last.ok_or_else(|| MoveError::Unsigned(self.ledger_id.clone()))
    }

    /// How many events were recorded up to a time.
    pub async fn recorded_until(&mut self, time: Timestamp) -> Result<u64, MoveError> {
        Ok(event_log::recorded_until(&mut self.conn, &self.ledger_id, time).await?)
    }

    /// Refuses if somebody still needs an event before `size`.
    pub async fn check_unneeded(&mut self, size: u64, signed: &SignedCheckpoint) -> Result<(), MoveError> {
        let signed = signed.checkpoint.size;
        if size > signed {
            return Err(MoveError::Uncovered { signed });
        }
        let mut followers: Vec<String> = vinzy_projections::all()
            .iter()
            .map(|projection| projection.name().to_owned())
            .collect();
        followers.extend([anomaly_detection::NAME, webhook_outbox::NAME].map(str::to_owned));
        let last = archive::last_follower(&mut self.conn, &self.ledger_id, &followers).await?;
        if let Some((name, position)) = last.filter(|(_, position)| *position < size) {
            return Err(MoveError::Unseen { name, position });
        }
        match archive::oldest_undelivered(&mut self.conn, &self.ledger_id).await? {
            Some(position) if position < size => Err(MoveError::Undelivered(position)),
            _ => Ok(()),
        }
    }

    /// Writes all events and hashes that a checkpoint covers to a directory; what is there already stays. Everything is
    /// on disk when this returns, the checkpoint last. Nothing that is written has been checked: that is the next step.
    pub async fn write(
        &mut self,
        directory: &Path,
        signed: &SignedCheckpoint,
        progress: impl Fn(u64, u64),
    ) -> Result<(), MoveError> {
        let size = signed.checkpoint.size;
        let tiles = TilePath::all(size).count() as u64;
        for (done, path) in (1..).zip(TilePath::all(size)) {
            let file = directory.join(path.to_string());
            if !holds(&file, path) {
                put(&file, &self.tile(path).await?)?;
            }
            progress(done, tiles);
        }
        put(
            &directory.join(KEY_FILE),
            format!("{}\n", signed.verifier_key).as_bytes(),
        )?;
        nix::unistd::sync();
        put(&directory.join(CHECKPOINT), signed.note.as_bytes())?;
        nix::unistd::sync();
        for path in TilePath::all(size).filter(|path| path.is_full()) {
            // What an earlier checkpoint covered of it.
            let _ = fs::remove_dir_all(directory.join(format!("{path}.p")));
        }
        Ok(())
    }

    async fn tile(&mut self, path: TilePath) -> Result<Vec<u8>, MoveError> {
        match tiles::read(&mut self.conn, &self.ledger_id, path).await {
            Ok(tile) => tile.ok_or(MoveError::NoTile(path)),
            Err(TileError::Database(error)) => Err(error.into()),
            Err(TileError::Archived { position }) => {
                let archived = archive::archived(&mut self.conn, &self.ledger_id).await?;
                Err(MoveError::Elsewhere {
                    position,
                    location: archived.map_or_else(String::new, |archived| archived.location),
                })
            }
        }
    }

    /// Notes that the events before `size` are archived at a place that people know by `location`.
    pub async fn note(&mut self, size: u64, location: &str, at: Timestamp) -> Result<Archived, MoveError> {
        Ok(archive::note(&mut self.conn, &self.ledger_id, size, location, at).await?)
    }

    /// Removes bytes of archived events from the database, so many events at a time, from where an earlier call was
    /// interrupted. Gives the number of events.
    pub async fn remove(
        &mut self,
        files: &Archive,
        archived: &Archived,
        batch: u64,
        progress: impl Fn(u64, u64),
    ) -> Result<u64, MoveError> {
        let mut remover = Remover::new(self.pool.clone());
        let (mut from, mut removed) = (archived.removed_to, 0);
        while from < archived.size {
            let leaves = leaves(files, from, archived.size.min(from + batch))?;
            let stretch = Stretch {
                ledger_id: &self.ledger_id,
                from,
                leaves: &leaves,
            };
            removed += remover.remove(&mut self.conn, &stretch).await?;
            from += leaves.len() as u64;
            progress(from, archived.size);
        }
        Ok(removed)
    }

    /// Gives archived events their bytes back, tile by tile, and ends the archive. The files stay. Gives the number of
    /// events.
    pub async fn restore(&mut self, files: &Archive, progress: impl Fn(u64, u64)) -> Result<u64, MoveError> {
        let archived = archive::archived(&mut self.conn, &self.ledger_id).await?;
        let archived = archived.ok_or_else(|| MoveError::NotArchived(self.ledger_id.clone()))?;
        let (mut from, mut restored) = (0, 0);
        while from < archived.size {
            let leaves = leaves(files, from, archived.size.min(from + TILE))?;
            let stretch = Stretch {
                ledger_id: &self.ledger_id,
                from,
                leaves: &leaves,
            };
            restored += archive::restore(&mut self.conn, &stretch).await?;
            from += leaves.len() as u64;
            progress(from, archived.size);
        }
        match archive::end(&mut self.conn, &self.ledger_id, archived.size).await? {
            None => Ok(restored),
            Some(position) => Err(ArchiveFailure::NotHere { position }.into()),
        }
    }

    /// Removes the snapshots that can be made anew; gives how many, and how many stay.
    pub async fn drop_snapshots(&mut self) -> Result<(u64, u64), MoveError> {
        Ok(archive::drop_snapshots(&mut self.conn, &self.ledger_id).await?)
    }
}

/// The leaves from one position to before another; both are where tiles begin.
fn leaves(files: &Archive, from: u64, to: u64) -> Result<Vec<Vec<u8>>, ArchiveError> {
    let mut leaves = vec![];
    for tile in from / TILE..to / TILE {
        leaves.extend(files.leaves(tile)?);
    }
    Ok(leaves)
}

/// Whether a file is a whole tile.
fn holds(file: &Path, path: TilePath) -> bool {
    fs::read(file).is_ok_and(|bytes| match path.kind() {
        TileKind::Entries => split_entries(path, &bytes).is_ok(),
        TileKind::Hashes { .. } => split_hashes(path, &bytes).is_ok(),
    })
}

/// Writes a file as a whole or not at all.
fn put(file: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory)?;
    }
    let new = file.with_extension("new");
    fs::write(&new, bytes)?;
    fs::rename(new, file)
}

/// Opens archives, each with the ledger of this database that it is of.
pub async fn open<'a>(
    pool: &PgPool,
    directories: impl IntoIterator<Item = &'a Path>,
) -> Result<Archives, MoveError> {
    let mut archives = vec![];
    for directory in directories {
        let files = Archive::open(directory)?;
        archives.push((ledger_of(pool, &files).await?, files));
    }
    Ok(Archives::of(archives))
}

/// The id of the ledger of a database that an archive is of.
pub async fn ledger_of(pool: &PgPool, files: &Archive) -> Result<String, MoveError> {
    let known = named_keys(pool).await?;
    let ledger = known.into_iter().find(|named| named.origin == files.origin());
    let ledger = ledger.ok_or_else(|| MoveError::NoLedger(files.origin().to_owned()))?;
    Ok(ledger.ledger_id)
}

/// Whether a read model is made from events that may be archived.
pub fn needs_archive(projection: &dyn Projection) -> bool {
    let types = projection.stream_types();
    archive::STREAM_TYPES.iter().any(|name| types.contains(name))
}

/// Refuses if a ledger of a database, or the one that is named, has an archive that is not among those given.
pub async fn check_given(
    pool: &PgPool,
    ledger_id: Option<&str>,
    archives: &Archives,
) -> Result<(), MoveError> {
    let mut conn = pool.acquire().await?;
    for named in named_keys(pool).await? {
        let id = named.ledger_id;
        if ledger_id.is_some_and(|wanted| wanted != id) || archives.get(&id).is_some() {
            continue;
        }
        if let Some(archived) = archive::archived(&mut conn, &id).await? {
            return Err(MoveError::NotGiven {
                ledger_id: id,
                size: archived.size,
                location: archived.location,
            });
        }
    }
    Ok(())
}

/// The key that a ledger names.
pub async fn verifier_key(pool: &PgPool, ledger_id: &str) -> Result<VerifierKey, MoveError> {
    let named = crate::ledger::named_key(pool, ledger_id).await?;
    let key = named.and_then(|named| named.verifier_key.parse().ok());
    key.ok_or_else(|| MoveError::NoLedger(ledger_id.to_owned()))
}
