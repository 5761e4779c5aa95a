//! Cold loads: an aggregate from its snapshot and the events after it, through `postgres-es`.

use std::collections::HashMap;
use std::sync::Arc;

use cqrs_es::persist::{PersistedEventRepository, PersistenceError, SerializedEvent};
use postgres_es::PostgresEventRepository;
use serde_json::Value;
use sqlx::PgPool;
use vinzy_events::ledger::{LeafError, event_hash};
use vinzy_events::stream::{StreamAggregate, StreamEvent};
use vinzy_projections::event_log::{self, DecodeError, unsigned};

use super::cache::Versioned;
use super::operation::{BoxFuture, BoxedStream, LedgerError, Receipt, StreamPoint};
use super::snapshot;

/// Loads a stream of a type that the caller need not know.
pub(super) type StreamLoader =
    fn(Arc<StreamStore>, String) -> BoxFuture<'static, Result<BoxedStream, LedgerError>>;

/// Reads the streams of one ledger.
pub struct StreamStore {
    pool: PgPool,
    ledger_id: String,
    repository: PostgresEventRepository,
}

impl StreamStore {
    /// Where it reads.
    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The streams of `ledger_id`, which must be one of ours: it is written into the statement, because
    /// `postgres-es` binds nothing but type and id.
    pub fn new(pool: PgPool, ledger_id: &str) -> Self {
        let literal = ledger_id.replace('\'', "''");
        let of_ledger = |table: &str| format!("(SELECT * FROM {table} WHERE ledger_id = '{literal}') AS s");
        let repository = PostgresEventRepository::new(pool.clone())
            .with_tables(&of_ledger("event_streams"), &of_ledger("snapshots"));
        Self {
            pool,
            ledger_id: ledger_id.to_owned(),
            repository,
        }
    }

    /// The aggregate with `id` as of its last event.
    pub async fn load<A: StreamAggregate>(&self, id: &str) -> Result<Versioned<A>, LedgerError> {
        let mut versioned = self.snapshot::<A>(id).await?;
        let after = usize::try_from(versioned.seq).map_err(|_| LedgerError::Unreadable)?;
        let events = self
            .repository
            .get_last_events::<A>(id, after)
            .await
            .map_err(|error| told(&error))?;
        for event in events {
            versioned.seq = event.sequence as u64;
            versioned.aggregate.apply(decoded::<A>(event)?);
        }
        Ok(versioned)
    }

    /// The aggregates with `ids` as of their last events, in two queries however many they are. Those that
    /// have no events are as new.
    pub async fn load_many<A: StreamAggregate>(
        &self,
        ids: &[String],
    ) -> Result<HashMap<String, Versioned<A>>, LedgerError> {
        let snapshots = sqlx::query!(
            "SELECT aggregate_id, last_sequence, payload FROM snapshots
             WHERE ledger_id = $1 AND aggregate_type = $2 AND aggregate_id = ANY($3)",
            self.ledger_id,
            A::TYPE,
            ids,
        )
        .fetch_all(&self.pool)
        .await
        .map_err(|error| failed(&error))?;
        let mut loaded: HashMap<String, Versioned<A>> =
            ids.iter().map(|id| (id.clone(), Versioned::default())).collect();
        for row in snapshots {
            if let Some(aggregate) = snapshot::read(row.payload) {
                let seq = unsigned(row.last_sequence);
                loaded.insert(row.aggregate_id, Versioned { aggregate, seq });
            }
        }
        let mut conn = self.pool.acquire().await.map_err(|error| failed(&error))?;
        let after: Vec<(&str, u64)> = loaded
            .iter()
            .map(|(id, versioned)| (id.as_str(), versioned.seq))
            .collect();
        let events = event_log::events_after(&mut conn, &self.ledger_id, A::TYPE, &after)
            .await
            .map_err(|error| failed(&error))?;
        for event in events {
            let Some(versioned) = loaded.get_mut(&event.stream_id) else {
                continue;
            };
            versioned
                .aggregate
                .apply(event.decode().map_err(|error| unreadable(&error))?);
            versioned.seq = event.stream_seq;
        }
        Ok(loaded)
    }

    /// One event of a stream of aggregate `A`: what a repeated request led to.
    pub async fn event<A: StreamAggregate>(&self, point: &StreamPoint) -> Result<A::Event, LedgerError> {
        let mut conn = self.pool.acquire().await.map_err(|error| failed(&error))?;
        let (id, seq) = (&point.stream_id, point.seq);
        event_log::event_of_stream(&mut conn, &self.ledger_id, A::TYPE, id, seq)
            .await
            .map_err(|error| failed(&error))?
            .ok_or(LedgerError::Unreadable)?
            .decode()
            .map_err(|error| unreadable(&error))
    }

    /// Where an event of a stream stands in the ledger.
    pub async fn receipt(&self, point: &StreamPoint) -> Result<Option<Receipt>, LedgerError> {
        let mut conn = self.pool.acquire().await.map_err(|error| failed(&error))?;
        let (stream_type, id, seq) = (&point.stream_type, &point.stream_id, point.seq);
        let event = event_log::event_of_stream(&mut conn, &self.ledger_id, stream_type, id, seq)
            .await
            .map_err(|error| failed(&error))?;
        Ok(event.map(|event| Receipt {
            position: event.position,
            event_hash: if event.is_archived() {
                event.columns().event_hash
            } else {
                event_hash(&event.leaf)
            },
        }))
    }

    /// The aggregate as of an earlier event.
    pub async fn load_as_of<A: StreamAggregate>(&self, point: &StreamPoint) -> Result<A, LedgerError> {
        let events = self
            .repository
            .get_events::<A>(&point.stream_id)
            .await
            .map_err(|error| told(&error))?;
        let mut aggregate = A::default();
        for event in events {
            if event.sequence as u64 > point.seq {
                break;
            }
            aggregate.apply(decoded::<A>(event)?);
        }
        Ok(aggregate)
    }

    async fn snapshot<A: StreamAggregate>(&self, id: &str) -> Result<Versioned<A>, LedgerError> {
        let snapshot = self
            .repository
            .get_snapshot::<A>(id)
            .await
            .map_err(|error| told(&error))?;
        let Some(snapshot) = snapshot else {
            return Ok(Versioned::default());
        };
        let seq = snapshot.current_sequence as u64;
        Ok(snapshot::read(snapshot.aggregate)
            .map_or_else(Versioned::default, |aggregate| Versioned { aggregate, seq }))
    }
}

/// An event as one of its version. `cqrs-es` would read it as if it were of the newest.
fn decoded<A: StreamAggregate>(event: SerializedEvent) -> Result<A::Event, LedgerError> {
    let payload = match event.payload {
        Value::Object(mut by_type) => by_type.remove(&event.event_type),
        _ => None,
    };
    // What is archived the view shows without its payload.
    let payload = payload.ok_or(LedgerError::Archived)?;
    // Versions begin at 1: of 0 there is nothing.
    let version = event.event_version.parse().unwrap_or(0);
    A::Event::from_stored(&event.event_type, version, payload).map_err(|error| unreadable(&error.into()))
}

pub(super) fn load_boxed<A: StreamAggregate>(
    store: Arc<StreamStore>,
    id: String,
) -> BoxFuture<'static, Result<BoxedStream, LedgerError>> {
    Box::pin(async move { Ok(Box::new(store.load::<A>(&id).await?) as BoxedStream) })
}

fn told(error: &PersistenceError) -> LedgerError {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "stream could not be loaded"
    );
    match error {
        PersistenceError::DeserializationError(_) => LedgerError::Unreadable,
        _ => LedgerError::Unavailable,
    }
}

fn failed(error: &sqlx::Error) -> LedgerError {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "streams could not be loaded"
    );
    LedgerError::Unavailable
}

impl From<DecodeError> for LedgerError {
    fn from(error: DecodeError) -> Self {
        unreadable(&error)
    }
}

fn unreadable(error: &DecodeError) -> LedgerError {
    if matches!(error, DecodeError::Leaf(LeafError::Archived)) {
        return LedgerError::Archived;
    }
    tracing::error!(
        error = error as &dyn std::error::Error,
        "a stored event cannot be read"
    );
    LedgerError::Unreadable
}
