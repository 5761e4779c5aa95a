//! Projections that keep one row per stream: load the rows that a batch touches, fold, write them back.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::marker::PhantomData;

use sqlx::PgConnection;
use uuid::Uuid;
use vinzy_events::stream::{StreamAggregate, StreamEvent};

use crate::event_log::{DecodeError, unsigned};
use crate::projection::BoxFuture;
use crate::{ApplyError, Projection, StoredEvent};

/// A read model with one row per stream.
pub(crate) trait RowModel: Send + Sync + 'static {
    const NAME: &'static str;
    const STREAM_TYPES: &'static [&'static str];
    const TABLES: &'static [&'static str];
    type Event: StreamEvent;
    type Row: Send + Sync;

    /// The id of a stream's row, out of the stream's id.
    fn row_id(stream_id: &str) -> Option<Uuid> {
        Uuid::parse_str(stream_id).ok()
    }

    /// The row after `event`; `None` is no row.
    fn fold(row: Option<Self::Row>, event: Recorded<Self::Event>) -> Option<Self::Row>;

    /// The rows that exist among `ids`.
    fn load(
        conn: &mut PgConnection,
        ledger_id: &str,
        ids: &[Uuid],
    ) -> impl Future<Output = sqlx::Result<Vec<(Uuid, Self::Row)>>> + Send;

    /// Inserts or replaces rows.
    fn save(
        conn: &mut PgConnection,
        ledger_id: &str,
        rows: &[(Uuid, Self::Row)],
    ) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// Removes rows.
    fn remove(
        conn: &mut PgConnection,
        ledger_id: &str,
        ids: &[Uuid],
    ) -> impl Future<Output = sqlx::Result<()>> + Send;
}

/// An event with where it stands in the ledger.
pub(crate) struct Recorded<E> {
    pub(crate) event: E,
    pub(crate) position: u64,
}

/// The row of most models: an aggregate, and where its stream began.
pub(crate) struct Placed<A> {
    pub(crate) aggregate: A,
    pub(crate) created_position: u64,
}

impl<A: StreamAggregate> Placed<A> {
    /// The aggregate that a row's columns tell, and their position.
    pub(crate) fn at(created_position: i64, state: impl Into<A>) -> Self {
        Self {
            aggregate: state.into(),
            created_position: unsigned(created_position),
        }
    }

    /// The row after an event, as long as the aggregate `stays`.
    pub(crate) fn fold(
        row: Option<Self>,
        recorded: Recorded<A::Event>,
        stays: impl FnOnce(&A) -> bool,
    ) -> Option<Self> {
        let mut row = row.unwrap_or_else(|| Self {
            aggregate: A::default(),
            created_position: recorded.position,
        });
        row.aggregate.apply(recorded.event);
        stays(&row.aggregate).then_some(row)
    }
}

/// Makes a [`Projection`] of a [`RowModel`].
pub(crate) struct Rows<M>(PhantomData<fn() -> M>);

impl<M> Default for Rows<M> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<M: RowModel> Projection for Rows<M> {
    fn name(&self) -> &'static str {
        M::NAME
    }

    fn stream_types(&self) -> &'static [&'static str] {
        M::STREAM_TYPES
    }

    fn tables(&self) -> &'static [&'static str] {
        M::TABLES
    }

    fn apply<'a>(
        &'a self,
        conn: &'a mut PgConnection,
        ledger_id: &'a str,
        events: &'a [StoredEvent],
    ) -> BoxFuture<'a, Result<usize, ApplyError>> {
        Box::pin(async move {
            apply::<M>(conn, ledger_id, events).await?;
            Ok(events.len())
        })
    }
}

async fn apply<M: RowModel>(
    conn: &mut PgConnection,
    ledger_id: &str,
    events: &[StoredEvent],
) -> Result<(), ApplyError> {
    let mut ids = Vec::with_capacity(events.len());
    for event in events {
        ids.push(M::row_id(&event.stream_id).ok_or_else(|| unreadable(event))?);
    }
    let mut distinct = ids.clone();
    distinct.sort_unstable();
    distinct.dedup();

    // A stream that begins in this batch has no row yet.
    let begun: HashSet<Uuid> = ids
        .iter()
        .zip(events)
        .filter(|(_, event)| event.stream_seq == 1)
        .map(|(id, _)| *id)
        .collect();
    let known: Vec<Uuid> = distinct
        .iter()
        .copied()
        .filter(|id| !begun.contains(id))
        .collect();
    let loaded = if known.is_empty() {
        vec![]
    } else {
        M::load(conn, ledger_id, &known).await?
    };
    let mut rows: HashMap<Uuid, Option<M::Row>> =
        loaded.into_iter().map(|(id, row)| (id, Some(row))).collect();
    for (id, stored) in ids.into_iter().zip(events) {
        let event = stored.decode().map_err(|source| poison(stored, source))?;
        let slot = rows.entry(id).or_default();
        let recorded = Recorded {
            event,
            position: stored.position,
        };
        *slot = M::fold(slot.take(), recorded);
    }

    let (mut kept, mut gone) = (Vec::new(), Vec::new());
    for id in distinct {
        match rows.remove(&id).flatten() {
            Some(row) => kept.push((id, row)),
            None => gone.push(id),
        }
    }
    if !kept.is_empty() {
        M::save(conn, ledger_id, &kept).await?;
    }
    if !gone.is_empty() {
        M::remove(conn, ledger_id, &gone).await?;
    }
    Ok(())
}

pub(crate) fn unreadable(event: &StoredEvent) -> ApplyError {
    let unreadable = vinzy_events::stream::UnreadableEvent {
        type_name: event.event_type.clone(),
        type_version: event.type_ver,
        source: None,
    };
    poison(event, DecodeError::Event(unreadable))
}

pub(crate) fn poison(event: &StoredEvent, source: DecodeError) -> ApplyError {
    ApplyError::Poison {
        position: event.position,
        source,
    }
}

/// A JSON object as the text that a `json` column takes.
pub(crate) fn json_text(object: &serde_json::Map<String, serde_json::Value>) -> String {
    serde_json::to_string(object).expect("a JSON object has string keys")
}

/// A JSON object out of a `json` column; anything else, which no projection writes, reads as empty.
pub(crate) fn json_object(value: serde_json::Value) -> serde_json::Map<String, serde_json::Value> {
    match value {
        serde_json::Value::Object(object) => object,
        _ => serde_json::Map::new(),
    }
}
