//! Archived events: their rows stay, and their bytes are in files. Nobody else empties a leaf or fills one again, and the
//! rights to do so the server does not have: it needs `UPDATE (leaf)` on the events and to set `session_replication_role`,
//! which the trigger that refuses changes to history heeds.

use std::collections::HashSet;

use sqlx::{Connection, PgConnection, PgPool};
use vinzy_events::Timestamp;
use vinzy_events::ledger::{TileKind, TilePath, event_hash};
use vinzy_events::license::License;
use vinzy_events::meter::Meter;
use vinzy_events::stream::StreamAggregate;
use vinzy_projections::event_log::{signed, unsigned};
use vinzy_projections::tiles::{self, TileError};

use super::load::StreamStore;
use super::operation::LedgerError;
use super::snapshot;

/// The types of the streams that grow for ever. Events of others are few, and are needed from the first on.
pub const STREAM_TYPES: [&str; 2] = [
    <License as cqrs_es::Aggregate>::TYPE,
    <Meter as cqrs_es::Aggregate>::TYPE,
];

/// So many events at the end of each stream keep their bytes: processes look back over less.
const KEPT: i64 = 32;

/// PostgreSQL's code for a lock that was not to be had in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// What a ledger's archive is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// Leaves before this position may be empty.
    pub size: u64,
    /// How far they have been removed.
    pub removed_to: u64,
    /// Where the files are.
    pub location: String,
}

/// Why events are not archived, or not restored.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveFailure {
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// A stream cannot be read, so that its state cannot be kept.
    #[error("the stream {stream_id} cannot be loaded")]
    Stream {
        /// Which one.
        stream_id: String,
        /// Why.
        #[source]
        source: LedgerError,
    },
    /// A snapshot cannot be written.
    #[error("a snapshot cannot be written")]
    Snapshot(#[from] serde_json::Error),
    /// The archive holds another event.
    #[error(
        "the archive holds another event at position {position} than the ledger: nothing of it was changed"
    )]
    OtherEvent {
        /// Where.
        position: u64,
    },
    /// The archive does not hold what is missing.
    #[error("the event at position {position} is archived, and this archive does not hold it")]
    NotHere {
        /// Where.
        position: u64,
    },
    /// The hashes that stayed contradict each other.
    #[error("the hashes of the events from position {position} on are not those of their tile")]
    OtherTile {
        /// Where the tile begins.
        position: u64,
    },
}

impl From<TileError> for ArchiveFailure {
    fn from(error: TileError) -> Self {
        match error {
            TileError::Database(error) => Self::Database(error),
            TileError::Archived { position } => Self::NotHere { position },
        }
    }
}

/// The archive of a ledger, if it has one.
pub async fn archived(conn: &mut PgConnection, ledger_id: &str) -> sqlx::Result<Option<Archived>> {
    let row = sqlx::query!(
        "SELECT size, removed_to, location FROM archives WHERE ledger_id = $1",
        ledger_id
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Archived {
        size: unsigned(row.size),
        removed_to: unsigned(row.removed_to),
        location: row.location,
    }))
}

/// Who follows a ledger's events and has come least far, with where that is.
pub async fn last_follower(
    conn: &mut PgConnection,
    ledger_id: &str,
    followers: &[String],
) -> sqlx::Result<Option<(String, u64)>> {
    let row = sqlx::query!(
        r#"SELECT x.name AS "name!", coalesce(c.position, 0) AS "position!"
           FROM unnest($2::text[]) AS x(name)
           LEFT JOIN projection_checkpoints c ON c.ledger_id = $1 AND c.projection = x.name
           ORDER BY 2, 1
           LIMIT 1"#,
        ledger_id,
        followers,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.name, unsigned(row.position))))
}

/// Where the oldest event stands that is still to be sent to somebody.
pub async fn oldest_undelivered(conn: &mut PgConnection, ledger_id: &str) -> sqlx::Result<Option<u64>> {
    let position = sqlx::query_scalar!(
        "SELECT min(position) FROM deliveries WHERE ledger_id = $1 AND status IN ('pending', 'sending')",
        ledger_id
    )
    .fetch_one(conn)
    .await?;
    Ok(position.map(unsigned))
}

/// Keeps other archivers of a ledger, and whoever removes its snapshots, away as long as the connection lasts; `false`
/// if one is at work. One that was killed is waited for, until the database has noticed.
pub async fn lock(conn: &mut PgConnection, ledger_id: &str) -> sqlx::Result<bool> {
    let mut tx = conn.begin().await?;
    sqlx::query!("SET LOCAL lock_timeout = '10s'")
        .execute(&mut *tx)
        .await?;
    let locked = sqlx::query!(
        r#"SELECT pg_advisory_lock(hashtextextended('vinzy archive ' || $1::text, 0))::text AS "locked?""#,
        ledger_id,
    )
    .fetch_one(&mut *tx)
    .await;
    match locked {
        Ok(_) => {
            tx.commit().await?;
            Ok(true)
        }
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(LOCK_NOT_AVAILABLE) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Notes that the events before `size` are in files. From now on leaves before that may be empty. What was removed
/// before is looked through again if there is more to remove.
pub async fn note(
    conn: &mut PgConnection,
    ledger_id: &str,
    size: u64,
    location: &str,
    at: Timestamp,
) -> sqlx::Result<Archived> {
    let row = sqlx::query!(
        "INSERT INTO archives AS a (ledger_id, size, removed_to, location, archived_at)
         VALUES ($1, $2, 0, $3, $4)
         ON CONFLICT (ledger_id) DO UPDATE
         SET removed_to = CASE WHEN excluded.size > a.size THEN 0 ELSE a.removed_to END,
             size = greatest(a.size, excluded.size), location = excluded.location,
             archived_at = excluded.archived_at
         RETURNING size, removed_to",
        ledger_id,
        signed(size),
        location,
        at.to_chrono(),
    )
    .fetch_one(conn)
    .await?;
    Ok(Archived {
        size: unsigned(row.size),
        removed_to: unsigned(row.removed_to),
        location: location.to_owned(),
    })
}

/// Events next to each other, as an archive holds them.
pub struct Stretch<'a> {
    /// The ledger.
    pub ledger_id: &'a str,
    /// Position of the first.
    pub from: u64,
    /// The bytes of each.
    pub leaves: &'a [Vec<u8>],
}

impl Stretch<'_> {
    fn to(&self) -> u64 {
        self.from + self.leaves.len() as u64
    }

    fn positions(&self) -> Vec<i64> {
        (self.from..self.to()).map(signed).collect()
    }
}

/// Removes events' bytes from the database.
pub struct Remover {
    pool: PgPool,
    /// The streams whose states are in snapshots of this program by now.
    kept: HashSet<(String, String)>,
}

impl Remover {
    /// Removes in the database of `pool`.
    pub fn new(pool: PgPool) -> Self {
        Self {
            pool,
            kept: HashSet::new(),
        }
    }

    /// Empties the leaves of a stretch, in one transaction with how far that has come: those of streams that grow for
    /// ever, but not the last ones of a stream, and only where a snapshot holds what they led to. Gives their number.
    ///
    /// # Errors
    /// [`ArchiveFailure::OtherEvent`] if the archive does not hold every leaf that is there, byte by byte; nothing is
    /// changed then.
    pub async fn remove(
        &mut self,
        conn: &mut PgConnection,
        stretch: &Stretch<'_>,
    ) -> Result<u64, ArchiveFailure> {
        self.keep_states(conn, stretch).await?;
        let positions = stretch.positions();
        let mut tx = conn.begin().await?;
        let other = sqlx::query_scalar!(
            "SELECT e.position
             FROM unnest($2::bigint[], $3::bytea[]) AS x(position, leaf)
             JOIN events e ON e.ledger_id = $1 AND e.position = x.position
             WHERE e.leaf <> ''::bytea AND e.leaf <> x.leaf
             ORDER BY e.position
             LIMIT 1",
            stretch.ledger_id,
            &positions,
            stretch.leaves,
        )
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(position) = other {
            return Err(ArchiveFailure::OtherEvent {
                position: unsigned(position),
            });
        }
        heed_no_triggers(&mut tx).await?;
        let removed = sqlx::query!(
            "UPDATE events e SET leaf = ''::bytea
             WHERE e.ledger_id = $1 AND e.position >= $2 AND e.position < $3 AND e.leaf <> ''::bytea
               AND e.stream_type = ANY($4)
               AND EXISTS (SELECT 1 FROM events n
                           WHERE n.ledger_id = e.ledger_id AND n.stream_type = e.stream_type
                             AND n.stream_id = e.stream_id AND n.stream_seq = e.stream_seq + $5)
               AND EXISTS (SELECT 1 FROM snapshots s
                           WHERE s.ledger_id = e.ledger_id AND s.aggregate_type = e.stream_type
                             AND s.aggregate_id = e.stream_id AND s.last_sequence >= e.stream_seq)",
            stretch.ledger_id,
            signed(stretch.from),
            signed(stretch.to()),
            &STREAM_TYPES as &[&str],
            KEPT,
        )
        .execute(&mut *tx)
        .await?
        .rows_affected();
        sqlx::query!(
            "UPDATE archives SET removed_to = $2 WHERE ledger_id = $1",
            stretch.ledger_id,
            signed(stretch.to()),
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(removed)
    }

    /// Writes the states of the streams of which a stretch has something to remove.
    async fn keep_states(
        &mut self,
        conn: &mut PgConnection,
        stretch: &Stretch<'_>,
    ) -> Result<(), ArchiveFailure> {
        let streams = sqlx::query!(
            "SELECT DISTINCT e.stream_type, e.stream_id
             FROM events e
             WHERE e.ledger_id = $1 AND e.position >= $2 AND e.position < $3 AND e.leaf <> ''::bytea
               AND e.stream_type = ANY($4)
               AND EXISTS (SELECT 1 FROM events n
                           WHERE n.ledger_id = e.ledger_id AND n.stream_type = e.stream_type
                             AND n.stream_id = e.stream_id AND n.stream_seq = e.stream_seq + $5)",
            stretch.ledger_id,
            signed(stretch.from),
            signed(stretch.to()),
            &STREAM_TYPES as &[&str],
            KEPT,
        )
        .fetch_all(&mut *conn)
        .await?;
        let store = StreamStore::new(self.pool.clone(), stretch.ledger_id);
        for stream in streams {
            let key = (stream.stream_type, stream.stream_id);
            if self.kept.contains(&key) {
                continue;
            }
            if key.0 == <License as cqrs_es::Aggregate>::TYPE {
                keep_state::<License>(conn, &store, stretch.ledger_id, &key.1).await?;
            } else {
                keep_state::<Meter>(conn, &store, stretch.ledger_id, &key.1).await?;
            }
            self.kept.insert(key);
        }
        Ok(())
    }
}

async fn keep_state<A: StreamAggregate>(
    conn: &mut PgConnection,
    store: &StreamStore,
    ledger_id: &str,
    stream_id: &str,
) -> Result<(), ArchiveFailure> {
    let loaded = store.load::<A>(stream_id).await;
    let loaded = loaded.map_err(|source| ArchiveFailure::Stream {
        stream_id: stream_id.to_owned(),
        source,
    })?;
    let state = snapshot::write(&loaded.aggregate)?;
    // The server may have written a later one meanwhile.
    sqlx::query!(
        "INSERT INTO snapshots AS s (ledger_id, aggregate_type, aggregate_id, last_sequence, current_snapshot,
                                     payload)
         VALUES ($1, $2, $3, $4, 1, $5::text::json)
         ON CONFLICT (ledger_id, aggregate_type, aggregate_id) DO UPDATE
         SET last_sequence = excluded.last_sequence, current_snapshot = s.current_snapshot + 1,
             payload = excluded.payload
         WHERE s.last_sequence <= excluded.last_sequence",
        ledger_id,
        A::TYPE,
        stream_id,
        signed(loaded.seq),
        state,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives the events of a stretch, which is a tile or the begin of one, their bytes back where they are gone. Gives their
/// number.
///
/// # Errors
/// [`ArchiveFailure::OtherEvent`] if a leaf does not have the hash that stayed, [`ArchiveFailure::OtherTile`] if those
/// hashes are not the ones of the ledger's tree; nothing is changed then.
pub async fn restore(conn: &mut PgConnection, stretch: &Stretch<'_>) -> Result<u64, ArchiveFailure> {
    let hashes: Vec<[u8; 32]> = stretch
        .leaves
        .iter()
        .map(|leaf| *event_hash(leaf).as_bytes())
        .collect();
    let width = u16::try_from(stretch.leaves.len()).unwrap_or(u16::MAX);
    let tile = TilePath::try_new(TileKind::Hashes { level: 0 }, stretch.from / 256, width);
    let other_tile = || ArchiveFailure::OtherTile {
        position: stretch.from,
    };
    let mut tx = conn.begin().await?;
    let other = sqlx::query_scalar!(
        "SELECT e.position
         FROM unnest($2::bigint[], $3::bytea[]) AS x(position, hash)
         JOIN events e ON e.ledger_id = $1 AND e.position = x.position
         WHERE e.event_hash <> x.hash
         ORDER BY e.position
         LIMIT 1",
        stretch.ledger_id,
        &stretch.positions(),
        &hashes.iter().map(|hash| hash.to_vec()).collect::<Vec<_>>(),
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(position) = other {
        return Err(ArchiveFailure::OtherEvent {
            position: unsigned(position),
        });
    }
    let tile = tiles::read(&mut tx, stretch.ledger_id, tile.ok_or_else(other_tile)?).await?;
    if tile.ok_or_else(other_tile)? != hashes.concat() {
        return Err(other_tile());
    }
    heed_no_triggers(&mut tx).await?;
    let restored = sqlx::query!(
        "UPDATE events e SET leaf = x.leaf
         FROM unnest($2::bigint[], $3::bytea[]) AS x(position, leaf)
         WHERE e.ledger_id = $1 AND e.position = x.position AND e.leaf = ''::bytea",
        stretch.ledger_id,
        &stretch.positions(),
        stretch.leaves,
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    // Whoever archives again has all of it to do again.
    sqlx::query!(
        "UPDATE archives SET removed_to = 0 WHERE ledger_id = $1 AND removed_to > 0",
        stretch.ledger_id,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(restored)
}

/// Ends a ledger's archive when no event is archived any more; gives the position of the first that is.
pub async fn end(conn: &mut PgConnection, ledger_id: &str, size: u64) -> sqlx::Result<Option<u64>> {
    let mut tx = conn.begin().await?;
    let left = sqlx::query_scalar!(
        "SELECT position FROM events
         WHERE ledger_id = $1 AND position < $2 AND leaf = ''::bytea
         ORDER BY position
         LIMIT 1",
        ledger_id,
        signed(size),
    )
    .fetch_optional(&mut *tx)
    .await?;
    if left.is_none() {
        sqlx::query!("DELETE FROM archives WHERE ledger_id = $1", ledger_id)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    Ok(left.map(unsigned))
}

/// Lets this transaction, and no other, change what is append-only for everybody else. Refused to roles that may not.
async fn heed_no_triggers(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("SET LOCAL session_replication_role = replica")
        .execute(conn)
        .await?;
    Ok(())
}

/// Removes the snapshots of a ledger that can be made anew from its events; gives how many, and how many stay
/// because their streams begin with archived events.
pub async fn drop_snapshots(conn: &mut PgConnection, ledger_id: &str) -> sqlx::Result<(u64, u64)> {
    let dropped = sqlx::query!(
        "DELETE FROM snapshots s
         WHERE s.ledger_id = $1
           AND NOT EXISTS (SELECT 1 FROM events e
                           WHERE e.ledger_id = s.ledger_id AND e.stream_type = s.aggregate_type
                             AND e.stream_id = s.aggregate_id AND e.stream_seq = 1 AND e.leaf = ''::bytea)",
        ledger_id,
    )
    .execute(&mut *conn)
    .await?
    .rows_affected();
    let left = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM snapshots WHERE ledger_id = $1"#,
        ledger_id
    )
    .fetch_one(conn)
    .await?;
    Ok((dropped, unsigned(left)))
}
