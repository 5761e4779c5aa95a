//! A ledger's events from the newest on, for people who look around in it.

use vinzy_projections::StoredEvent;
use vinzy_projections::event_log::{self, Look, Looked, newest, newest_of_stream};

use crate::app::App;
use crate::event_feed::Filter;

/// Events that one question looks at, at most: rare types on a long ledger take several.
pub const SPAN: u64 = 20_000;

/// Which events to show.
#[derive(Debug, Clone)]
pub struct Question {
    /// Only positions before this one.
    pub before: Option<u64>,
    /// Of which types.
    pub types: Filter,
    /// Of which stream.
    pub stream_id: Option<String>,
    /// At most so many.
    pub limit: u32,
}

/// What there is.
#[derive(Debug)]
pub struct Shown {
    /// Events, newest first.
    pub events: Vec<StoredEvent>,
    /// Number of events in the ledger.
    pub size: u64,
    /// Before which position to go on; `None` when there is nothing older.
    pub next_before: Option<u64>,
}

/// The newest events that a question is about.
pub async fn events(app: &App, ledger_id: &str, question: &Question) -> sqlx::Result<Shown> {
    let mut conn = app.pool.acquire().await?;
    let size = event_log::size(&mut conn, ledger_id).await?;
    let look = Look {
        ledger_id,
        before: question.before.map_or(size, |before| before.min(size)),
        event_types: question.types.event_types(),
        limit: question.limit,
        span: SPAN,
    };
    let Looked { events, next_before } = match &question.stream_id {
        None => newest(&mut conn, look).await?,
        Some(stream_id) => newest_of_stream(&mut conn, look, stream_id).await?,
    };
    Ok(Shown {
        events,
        size,
        next_before,
    })
}

/// The event at a position, if the ledger has so many.
pub async fn event(app: &App, ledger_id: &str, position: u64) -> sqlx::Result<Option<StoredEvent>> {
    let mut conn = app.pool.acquire().await?;
    event_log::event_at(&mut conn, ledger_id, position).await
}
