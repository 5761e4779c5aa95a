//! Cold loads: an aggregate from its snapshot and the events after it, through `postgres-es`.

use std::collections::HashMap;
use std::sync::Arc;

use cqrs_es::EventEnvelope;
use cqrs_es::persist::{PersistedEventRepository, PersistenceError};
use postgres_es::PostgresEventRepository;
use sqlx::PgPool;
use vinzy_events::ledger::event_hash;
use vinzy_events::stream::StreamAggregate;
use vinzy_projections::event_log::{self, DecodeError, unsigned};

use super::cache::Versioned;
use super::operation::{BoxFuture, BoxedStream, LedgerError, Receipt, StreamPoint};

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
            let envelope = EventEnvelope::<A>::try_from(event).map_err(|error| told(&error))?;
            versioned.seq = envelope.sequence as u64;
            versioned.aggregate.apply(envelope.payload);
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
            if let Ok(aggregate) = serde_json::from_value(row.payload) {
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
            event_hash: event_hash(&event.leaf),
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
            let envelope = EventEnvelope::<A>::try_from(event).map_err(|error| told(&error))?;
            aggregate.apply(envelope.payload);
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
        // A snapshot is a convenience: one that an older or newer program wrote differently is passed over.
        Ok(serde_json::from_value(snapshot.aggregate).map_or_else(
            |_| Versioned::default(),
            |aggregate| Versioned {
                aggregate,
                seq: snapshot.current_sequence as u64,
            },
        ))
    }
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

fn unreadable(error: &DecodeError) -> LedgerError {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "a stored event cannot be read"
    );
    LedgerError::Unreadable
}
