//! Reading the event store from the newest event on, so much of it at a time.

use std::cmp::Reverse;

use sqlx::PgConnection;
use vinzy_events::Timestamp;
use vinzy_events::stream::stream_types;

use super::{StoredEvent, signed, unsigned};

/// Which events to look for.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// The ledger.
    pub ledger_id: &'a str,
    /// Only positions before this one.
    pub before: u64,
    /// Only these event types; empty means all.
    pub event_types: &'a [String],
    /// At most so many events.
    pub limit: u32,
    /// So many events are looked at, at most, whether or not they are what is looked for.
    pub span: u64,
}

/// What was found, newest first.
#[derive(Debug, Default)]
pub struct Looked {
    /// The events.
    pub events: Vec<StoredEvent>,
    /// From this position on, everything was looked at; `None` when there is nothing before it.
    pub next_before: Option<u64>,
}

/// The newest events of a ledger.
pub async fn newest(conn: &mut PgConnection, look: Look<'_>) -> sqlx::Result<Looked> {
    let from = look.before.saturating_sub(look.span);
    let rows = sqlx::query!(
        "SELECT position, event_id, stream_type, stream_id, stream_seq, event_type, type_ver, recorded_at,
                license_id, event_hash, leaf
         FROM events
         WHERE ledger_id = $1 AND position >= $2 AND position < $3
           AND (cardinality($4::text[]) = 0 OR event_type = ANY($4))
         ORDER BY position DESC
         LIMIT $5",
        look.ledger_id,
        signed(from),
        signed(look.before),
        look.event_types,
        i64::from(look.limit),
    )
    .fetch_all(conn)
    .await?;
    let events: Vec<StoredEvent> = rows.into_iter().map(|row| stored_event!(row)).collect();
    let reached = match events.last() {
        Some(last) if events.len() >= look.limit as usize => last.position,
        _ => from,
    };
    Ok(Looked {
        events,
        next_before: Some(reached).filter(|reached| *reached > 0),
    })
}

/// The newest events of the stream with an id; of all of them, if there are several of different types.
pub async fn newest_of_stream(
    conn: &mut PgConnection,
    look: Look<'_>,
    stream_id: &str,
) -> sqlx::Result<Looked> {
    let types = stream_types().map(str::to_owned);
    let types = sqlx::query_scalar!(
        r#"SELECT x.stream_type AS "stream_type!" FROM unnest($3::text[]) AS x(stream_type)
           WHERE EXISTS (SELECT 1 FROM events e
                         WHERE e.ledger_id = $1 AND e.stream_type = x.stream_type AND e.stream_id = $2)"#,
        look.ledger_id,
        stream_id,
        &types,
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut all = Looked::default();
    for stream_type in types {
        let of_one = newest_of(conn, look, &stream_type, stream_id).await?;
        all.events.extend(of_one.events);
        all.next_before = all.next_before.max(of_one.next_before);
    }
    // Before that, not every stream was looked at.
    all.events
        .retain(|event| all.next_before.is_none_or(|reached| event.position >= reached));
    all.events.sort_by_key(|event| Reverse(event.position));
    let limit = look.limit as usize;
    if all.events.len() > limit {
        all.events.truncate(limit);
        all.next_before = all.events.last().map(|last| last.position);
    }
    Ok(all)
}

async fn newest_of(
    conn: &mut PgConnection,
    look: Look<'_>,
    stream_type: &str,
    stream_id: &str,
) -> sqlx::Result<Looked> {
    let to = events_until(conn, look, stream_type, stream_id).await?;
    let from = to.saturating_sub(look.span) + 1;
    let rows = sqlx::query!(
        "SELECT position, event_id, stream_type, stream_id, stream_seq, event_type, type_ver, recorded_at,
                license_id, event_hash, leaf
         FROM events
         WHERE ledger_id = $1 AND stream_type = $2 AND stream_id = $3 AND stream_seq >= $4 AND stream_seq <= $5
           AND (cardinality($6::text[]) = 0 OR event_type = ANY($6))
         ORDER BY stream_seq DESC
         LIMIT $7",
        look.ledger_id,
        stream_type,
        stream_id,
        signed(from),
        signed(to),
        look.event_types,
        i64::from(look.limit),
    )
    .fetch_all(&mut *conn)
    .await?;
    let events: Vec<StoredEvent> = rows.into_iter().map(|row| stored_event!(row)).collect();
    let next_before = match events.last() {
        Some(last) if events.len() >= look.limit as usize => {
            Some(last.position).filter(|_| last.stream_seq > 1)
        }
        _ if from > 1 => {
            let reached = super::event_of_stream(conn, look.ledger_id, stream_type, stream_id, from).await?;
            reached.map(|event| event.position)
        }
        _ => None,
    };
    Ok(Looked { events, next_before })
}

/// How many events of a stream stand before a position: positions grow with the stream's numbers, so it takes the
/// logarithm of their number.
async fn events_until(
    conn: &mut PgConnection,
    look: Look<'_>,
    stream_type: &str,
    stream_id: &str,
) -> sqlx::Result<u64> {
    let count = sqlx::query_scalar!(
        r#"WITH RECURSIVE search(low, high) AS (
               SELECT 0::bigint, max(stream_seq) FROM events
               WHERE ledger_id = $1 AND stream_type = $2 AND stream_id = $3
               UNION ALL
               SELECT CASE WHEN e.position < $4 THEN e.stream_seq ELSE s.low END,
                      CASE WHEN e.position < $4 THEN s.high ELSE e.stream_seq - 1 END
               FROM search s
               JOIN events e ON e.ledger_id = $1 AND e.stream_type = $2 AND e.stream_id = $3
                            AND e.stream_seq = (s.low + s.high + 1) / 2
               WHERE s.low < s.high
           )
           SELECT low AS "low!" FROM search WHERE low >= high"#,
        look.ledger_id,
        stream_type,
        stream_id,
        signed(look.before),
    )
    .fetch_optional(conn)
    .await?;
    Ok(count.map_or(0, unsigned))
}
