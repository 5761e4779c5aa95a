//! The read model of the ledgers' Merkle trees: full tiles of hashes. What is not full yet is put together when it is
//! asked for, from the events' hashes or from the tiles below.

use sqlx::PgConnection;
use vinzy_events::ledger::{Hash, TileKind, TilePath, join_entries, root_of};

use crate::event_log::{DecodeError, signed};
use crate::projection::BoxFuture;
use crate::rows::poison;
use crate::{ApplyError, Projection, StoredEvent};

/// Name of the projection.
pub const NAME: &str = "tiles";

/// Hashes in a full tile.
const WIDTH: u64 = 256;
/// Bytes of a hash.
const HASH: usize = 32;
/// Bytes of a full tile.
const FULL: usize = 256 * HASH;

pub(crate) struct Tiles;

impl Projection for Tiles {
    fn name(&self) -> &'static str {
        NAME
    }

    fn stream_types(&self) -> &'static [&'static str] {
        &[]
    }

    fn tables(&self) -> &'static [&'static str] {
        &["tiles"]
    }

    fn apply<'a>(
        &'a self,
        conn: &'a mut PgConnection,
        ledger_id: &'a str,
        events: &'a [StoredEvent],
    ) -> BoxFuture<'a, Result<usize, ApplyError>> {
        Box::pin(async move {
            apply(conn, ledger_id, events).await?;
            Ok(events.len())
        })
    }
}

/// Tiles of a level, next to each other.
#[derive(Clone, Copy)]
struct Run {
    level: u8,
    begin: u64,
    end: u64,
}

impl Run {
    /// The tiles above that these fill up.
    fn above(self) -> Option<Self> {
        let run = Self {
            level: self.level + 1,
            begin: self.begin / WIDTH,
            end: self.end / WIDTH,
        };
        (run.begin < run.end).then_some(run)
    }
}

async fn apply(conn: &mut PgConnection, ledger_id: &str, events: &[StoredEvent]) -> Result<(), ApplyError> {
    let (Some(first), Some(last)) = (events.first(), events.last()) else {
        return Ok(());
    };
    let run = Run {
        level: 0,
        begin: first.position / WIDTH,
        end: (last.position + 1) / WIDTH,
    };
    if run.begin == run.end {
        return Ok(());
    }
    // The first tile may have begun in batches before this one.
    let mut hashes = event_hashes(conn, ledger_id, run.begin * WIDTH, first.position).await?;
    let within = events.iter().filter(|event| event.position < run.end * WIDTH);
    within.for_each(|event| hashes.extend_from_slice(&event.event_hash));
    let mut next = Some((run, hashes));
    while let Some((run, hashes)) = next {
        if hashes.len() as u64 != (run.end - run.begin) * FULL as u64 {
            return Err(poison(first, DecodeError::Gap));
        }
        save(conn, ledger_id, run, &hashes).await?;
        next = match run.above() {
            Some(above) => {
                let roots = roots(conn, ledger_id, run.level, above.begin * WIDTH, above.end * WIDTH);
                Some((above, roots.await?))
            }
            None => None,
        };
    }
    Ok(())
}

async fn save(conn: &mut PgConnection, ledger_id: &str, run: Run, hashes: &[u8]) -> sqlx::Result<()> {
    let indices: Vec<i64> = (run.begin..run.end).map(signed).collect();
    let tiles: Vec<Vec<u8>> = hashes.chunks_exact(FULL).map(<[u8]>::to_vec).collect();
    let roots: Vec<Vec<u8>> = tiles.iter().map(|tile| root(tile)).collect();
    sqlx::query!(
        "INSERT INTO tiles (ledger_id, level, tile_index, hashes, root)
         SELECT $1, $2, x.tile_index, x.hashes, x.root
         FROM unnest($3::bigint[], $4::bytea[], $5::bytea[]) AS x(tile_index, hashes, root)",
        ledger_id,
        i16::from(run.level),
        &indices,
        &tiles,
        &roots,
    )
    .execute(conn)
    .await?;
    Ok(())
}

fn root(tile: &[u8]) -> Vec<u8> {
    let (hashes, _) = tile.as_chunks::<HASH>();
    let hashes: Vec<Hash> = hashes.iter().copied().map(Hash::from_bytes).collect();
    root_of(&hashes).as_bytes().to_vec()
}

/// Why a tile cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TileError {
    /// The database failed.
    #[error("database failed")]
    Database(#[from] sqlx::Error),
    /// An entry of it is archived.
    #[error("the event at position {position} is archived")]
    Archived {
        /// Where the first such event stands.
        position: u64,
    },
}

/// The bytes of a tile, full or not; `None` while the read model has not come so far, or the ledger has not.
/// What is published the caller knows.
pub async fn read(
    conn: &mut PgConnection,
    ledger_id: &str,
    path: TilePath,
) -> Result<Option<Vec<u8>>, TileError> {
    let width = u64::from(path.width());
    let Some(from) = path.index().checked_mul(WIDTH) else {
        return Ok(None);
    };
    let to = from.saturating_add(width);
    let bytes = match path.kind() {
        TileKind::Entries => return entries(conn, ledger_id, from, to).await,
        TileKind::Hashes { level } if path.is_full() => full(conn, ledger_id, level, path.index()).await?,
        TileKind::Hashes { level: 0 } => event_hashes(conn, ledger_id, from, to).await?,
        TileKind::Hashes { level } => roots(conn, ledger_id, level - 1, from, to).await?,
    };
    Ok((bytes.len() == usize::from(path.width()) * HASH).then_some(bytes))
}

async fn full(conn: &mut PgConnection, ledger_id: &str, level: u8, index: u64) -> sqlx::Result<Vec<u8>> {
    let hashes = sqlx::query_scalar!(
        "SELECT hashes FROM tiles WHERE ledger_id = $1 AND level = $2 AND tile_index = $3",
        ledger_id,
        i16::from(level),
        signed(index),
    )
    .fetch_optional(conn)
    .await?;
    Ok(hashes.unwrap_or_default())
}

/// The hashes over the full tiles of a level, from one to before another, one after the other.
async fn roots(
    conn: &mut PgConnection,
    ledger_id: &str,
    level: u8,
    from: u64,
    to: u64,
) -> sqlx::Result<Vec<u8>> {
    let roots = sqlx::query_scalar!(
        "SELECT string_agg(root, ''::bytea ORDER BY tile_index)
         FROM tiles
         WHERE ledger_id = $1 AND level = $2 AND tile_index >= $3 AND tile_index < $4",
        ledger_id,
        i16::from(level),
        signed(from),
        signed(to),
    )
    .fetch_one(conn)
    .await?;
    Ok(roots.unwrap_or_default())
}

/// The hashes of the events from one position to before another, one after the other.
async fn event_hashes(conn: &mut PgConnection, ledger_id: &str, from: u64, to: u64) -> sqlx::Result<Vec<u8>> {
    if from == to {
        return Ok(vec![]);
    }
    let hashes = sqlx::query_scalar!(
        "SELECT string_agg(event_hash, ''::bytea ORDER BY position)
         FROM events
         WHERE ledger_id = $1 AND position >= $2 AND position < $3",
        ledger_id,
        signed(from),
        signed(to),
    )
    .fetch_one(conn)
    .await?;
    Ok(hashes.unwrap_or_default())
}

async fn entries(
    conn: &mut PgConnection,
    ledger_id: &str,
    from: u64,
    to: u64,
) -> Result<Option<Vec<u8>>, TileError> {
    let leaves = sqlx::query_scalar!(
        "SELECT leaf FROM events
         WHERE ledger_id = $1 AND position >= $2 AND position < $3
         ORDER BY position",
        ledger_id,
        signed(from),
        signed(to),
    )
    .fetch_all(conn)
    .await?;
    if leaves.len() as u64 != to - from {
        return Ok(None);
    }
    if let Some((position, _)) = (from..).zip(&leaves).find(|(_, leaf)| leaf.is_empty()) {
        return Err(TileError::Archived { position });
    }
    Ok(join_entries(leaves.iter().map(Vec::as_slice)))
}
