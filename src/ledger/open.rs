//! Opening a ledger: its head row and its first event, exactly once, whoever comes first.

use serde_json::{Value, json};
use sqlx::PgPool;
use vinzy_events::ledger::{Actor, Hash, Leaf, LeafVersion, LedgerOpened, Meta, StreamRef, event_hash};
use vinzy_events::stream::{LEDGER_OPENED, LEDGER_STREAM};
use vinzy_events::{EventId, Timestamp};
use vinzy_projections::StoredEvent;

use super::append::Rows;
use super::checkpoint_keys::CheckpointKeys;
use super::head::{self, Head, HeadError};
use crate::clock::{Clock, Entropy};

/// Why a ledger cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database failed.
    #[error("database failed")]
    Database(#[from] sqlx::Error),
    /// The ledger's checkpoints verify with none of the keys of this server.
    #[error(
        "the signing key does not belong to this database: ledger {origin} was opened with the key {expected}, \
         this server has {}. Start it with the VINZY_SIGNING_KEY (or the data directory) of before; a seed \
         may go only when every ledger was handed over to another in the list",
        found.join(" and ")
    )]
    ForeignKey {
        /// The ledger.
        origin: String,
        /// The key that the ledger names.
        expected: String,
        /// The keys of this server.
        found: Vec<String>,
    },
    /// The head row is not that of a new ledger.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The first event could not be made.
    #[error("the ledger's name or key does not fit into an event")]
    Unopenable,
}

/// What a new ledger is called.
#[derive(Debug, Clone)]
pub struct Opening {
    /// The ledger.
    pub ledger_id: String,
    /// Its name in leaves and checkpoints, fixed for good.
    pub origin: String,
}

/// Makes sure that the ledger is there and that one of `keys` signs its checkpoints: a new one's, the first.
/// Idempotent, also when several nodes start at once.
pub async fn open(
    pool: &PgPool,
    opening: &Opening,
    keys: &CheckpointKeys,
    clock: &Clock,
    entropy: &Entropy,
) -> Result<(), OpenError> {
    let mut tx = pool.begin().await?;
    let verifier_key = keys.verifier_of_new(&opening.origin);
    // The insert of a second node waits for the first one's commit and then does nothing.
    let inserted = sqlx::query!(
        "INSERT INTO ledgers (ledger_id, origin, verifier_key, size, head_hash, frontier, last_recorded_at)
         VALUES ($1, $2, $3, 0, $4, ''::bytea, $5)
         ON CONFLICT DO NOTHING",
        opening.ledger_id,
        opening.origin,
        verifier_key,
        Hash::ZERO.as_bytes().as_slice(),
        clock.now().to_chrono(),
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if inserted == 1 {
        let empty = head::read(&mut tx, &opening.ledger_id).await?;
        let (event, head) = OwnEvent {
            event_type: LEDGER_OPENED,
            payload: json!(LedgerOpened { vkey: verifier_key }),
            seq: 1,
        }
        .after(&empty, clock.now(), entropy)?;
        let mut rows = Rows::default();
        rows.events.push(event);
        let at = head.last_recorded_at;
        if !rows
            .append_in_steps(&mut tx, &opening.ledger_id, &empty, &head, at)
            .await?
        {
            return Err(OpenError::Unopenable);
        }
        tx.commit().await?;
        return Ok(());
    }
    let existing = sqlx::query!(
        "SELECT origin, verifier_key FROM ledgers WHERE ledger_id = $1",
        opening.ledger_id
    )
    .fetch_one(&mut *tx)
    .await?;
    if keys.of_ledger(&existing.origin, &existing.verifier_key).is_none() {
        return Err(OpenError::ForeignKey {
            found: keys.verifiers(&existing.origin),
            origin: existing.origin,
            expected: existing.verifier_key,
        });
    }
    Ok(())
}

/// A ledger and the keys that it names.
#[derive(Debug, Clone)]
pub struct NamedKey {
    /// The ledger.
    pub ledger_id: String,
    /// The ledger's name.
    pub origin: String,
    /// What its checkpoints verify with.
    pub verifier_key: String,
    /// What they verified with before, by turns.
    pub superseded_keys: Vec<String>,
}

impl NamedKey {
    /// All of them, by turns.
    pub fn keys(&self) -> impl Iterator<Item = &String> {
        self.superseded_keys.iter().chain([&self.verifier_key])
    }
}

/// The ledgers of a database with the keys that they name.
pub async fn named_keys(pool: &PgPool) -> sqlx::Result<Vec<NamedKey>> {
    sqlx::query_as!(
        NamedKey,
        "SELECT ledger_id, origin, verifier_key, superseded_keys FROM ledgers ORDER BY origin"
    )
    .fetch_all(pool)
    .await
}

/// A ledger with the key that it names; `None` when there is no such ledger.
pub async fn named_key(pool: &PgPool, ledger_id: &str) -> sqlx::Result<Option<NamedKey>> {
    sqlx::query_as!(
        NamedKey,
        "SELECT ledger_id, origin, verifier_key, superseded_keys FROM ledgers WHERE ledger_id = $1",
        ledger_id
    )
    .fetch_optional(pool)
    .await
}

/// An event of the ledger itself.
pub(super) struct OwnEvent {
    pub(super) event_type: &'static str,
    pub(super) payload: Value,
    /// Its number in the ledger's own stream.
    pub(super) seq: u64,
}

impl OwnEvent {
    /// The event, and the head that it moves the ledger to.
    pub(super) fn after(
        self,
        head: &Head,
        at: Timestamp,
        entropy: &Entropy,
    ) -> Result<(StoredEvent, Head), OpenError> {
        let at = at.max(head.last_recorded_at);
        let leaf = Leaf {
            enc: vec![],
            event_id: EventId::new(at, entropy.bytes()),
            ledger: head.origin.clone(),
            meta: Meta {
                actor: Actor {
                    id: "bootstrap".into(),
                    kind: "system".into(),
                    name: None,
                    via: "server".into(),
                },
                causation_id: None,
                correlation_id: None,
            },
            payload: self.payload,
            pos: head.size,
            prev: head.hash,
            recorded_at: at,
            stream: StreamRef {
                id: head.origin.clone(),
                seq: self.seq,
                stream_type: LEDGER_STREAM.to_owned(),
            },
            event_type: self.event_type.to_owned(),
            type_ver: 1,
            version: LeafVersion::default(),
        };
        let bytes = leaf.encode().map_err(|_| OpenError::Unopenable)?;
        let hash = event_hash(&bytes);
        let mut frontier = head.frontier.clone();
        frontier.push(hash);
        let event = StoredEvent {
            position: leaf.pos,
            event_id: leaf.event_id.as_uuid(),
            stream_type: leaf.stream.stream_type,
            stream_id: leaf.stream.id,
            stream_seq: leaf.stream.seq,
            event_type: leaf.event_type,
            type_ver: 1,
            recorded_at: at,
            license_id: None,
            event_hash: hash.as_bytes().to_vec(),
            leaf: bytes,
        };
        let head = Head {
            origin: head.origin.clone(),
            size: head.size + 1,
            hash,
            frontier,
            last_recorded_at: at,
        };
        Ok((event, head))
    }
}
