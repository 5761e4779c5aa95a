//! Reading the event store in order.

use sqlx::PgConnection;
use uuid::Uuid;
use vinzy_events::ledger::{Hash, Leaf, LeafContent, LeafError, StoredColumns};
use vinzy_events::stream::{StreamEvent, UnreadableEvent};
use vinzy_events::{CustomerId, EventId, LicenseId, Timestamp};

/// One row of the event store, as stored.
#[derive(Debug, Clone)]
pub struct StoredEvent {
    /// Position in the ledger, from 0.
    pub position: u64,
    /// The event's id.
    pub event_id: Uuid,
    /// The type of its stream.
    pub stream_type: String,
    /// The id of its stream.
    pub stream_id: String,
    /// Its number in the stream, from 1.
    pub stream_seq: u64,
    /// The event's type.
    pub event_type: String,
    /// Version of the payload's shape.
    pub type_ver: u32,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// The license it belongs to.
    pub license_id: Option<Uuid>,
    /// SHA-256 of 0x00 and the leaf, as the column says.
    pub event_hash: Vec<u8>,
    /// The event itself.
    pub leaf: Vec<u8>,
}

/// Why a stored event cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The leaf is not one.
    #[error("the leaf cannot be read")]
    Leaf(#[from] LeafError),
    /// The payload is not one of its type.
    #[error(transparent)]
    Event(#[from] UnreadableEvent),
    /// An event beside it is missing.
    #[error("an event beside it is missing")]
    Gap,
}

impl StoredEvent {
    /// Whether its bytes are in an archive instead of the database.
    pub const fn is_archived(&self) -> bool {
        self.leaf.is_empty()
    }

    /// The leaf, parsed.
    pub fn parse_leaf(&self) -> Result<Leaf, LeafError> {
        Leaf::parse(&self.leaf)
    }

    /// The event as one of stream `E`.
    pub fn decode<E: StreamEvent>(&self) -> Result<E, DecodeError> {
        let leaf = LeafContent::parse(&self.leaf)?;
        Ok(E::from_stored(&leaf.event_type, leaf.type_ver, leaf.payload)?)
    }

    /// The columns beside the leaf, for a verifier.
    pub fn columns(&self) -> StoredColumns<'_> {
        StoredColumns {
            position: self.position,
            event_id: self.event_id.into(),
            stream_type: &self.stream_type,
            stream_id: &self.stream_id,
            stream_seq: self.stream_seq,
            event_type: &self.event_type,
            type_ver: self.type_ver,
            recorded_at: self.recorded_at,
            // A column of another length cannot equal any hash; zeros say so to the comparison.
            event_hash: self
                .event_hash
                .as_slice()
                .try_into()
                .map_or(Hash::ZERO, Hash::from_bytes),
            license_id: self.license_id.map(LicenseId::from),
        }
    }
}

/// Which events to read.
#[derive(Debug, Clone, Copy)]
pub struct Span<'a> {
    /// The ledger.
    pub ledger_id: &'a str,
    /// First position.
    pub from: u64,
    /// One past the last position.
    pub to: u64,
    /// Only these stream types; empty means all.
    pub stream_types: &'a [&'static str],
    /// At most so many events.
    pub limit: u32,
}

macro_rules! stored_event {
    ($row:expr) => {
        StoredEvent {
            position: unsigned($row.position),
            event_id: $row.event_id,
            stream_type: $row.stream_type,
            stream_id: $row.stream_id,
            stream_seq: unsigned($row.stream_seq),
            event_type: $row.event_type,
            type_ver: u32::try_from($row.type_ver).unwrap_or(0),
            recorded_at: Timestamp::from_chrono($row.recorded_at),
            license_id: $row.license_id,
            event_hash: $row.event_hash,
            leaf: $row.leaf,
        }
    };
}

mod backwards;

pub use backwards::{Look, Looked, newest, newest_of_stream};

/// Events of a span in order of position.
pub async fn read(conn: &mut PgConnection, span: Span<'_>) -> sqlx::Result<Vec<StoredEvent>> {
    let stream_types: Vec<String> = span.stream_types.iter().map(|&name| name.to_owned()).collect();
    let rows = sqlx::query!(
        "SELECT position, event_id, stream_type, stream_id, stream_seq, event_type, type_ver, recorded_at,
                license_id, event_hash, leaf
         FROM events
         WHERE ledger_id = $1 AND position >= $2 AND position < $3
           AND (cardinality($4::text[]) = 0 OR stream_type = ANY($4))
         ORDER BY position
         LIMIT $5",
        span.ledger_id,
        signed(span.from),
        signed(span.to),
        &stream_types,
        i64::from(span.limit),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| stored_event!(row)).collect())
}

/// Which events to look for among those of a span.
#[derive(Debug, Clone, Copy)]
pub struct Scan<'a> {
    /// The ledger.
    pub ledger_id: &'a str,
    /// First position.
    pub from: u64,
    /// One past the last position.
    pub to: u64,
    /// Only these event types; empty means all.
    pub event_types: &'a [String],
    /// None of these stream types.
    pub hidden_streams: &'a [String],
    /// At most so many events.
    pub limit: u32,
    /// No further event once those before have so many bytes.
    pub max_bytes: u32,
}

/// Events that a scan is for, in order of position.
pub async fn scan(conn: &mut PgConnection, scan: Scan<'_>) -> sqlx::Result<Vec<StoredEvent>> {
    let rows = sqlx::query!(
        "SELECT position, event_id, stream_type, stream_id, stream_seq, event_type, type_ver, recorded_at,
                license_id, event_hash, leaf
         FROM (SELECT *, sum(octet_length(leaf)) OVER (ORDER BY position) AS bytes
               FROM events
               WHERE ledger_id = $1 AND position >= $2 AND position < $3
                 AND (cardinality($4::text[]) = 0 OR event_type = ANY($4))
                 AND stream_type <> ALL($5::text[])
               ORDER BY position
               LIMIT $6) e
         WHERE bytes - octet_length(leaf) < $7
         ORDER BY position",
        scan.ledger_id,
        signed(scan.from),
        signed(scan.to),
        scan.event_types,
        scan.hidden_streams,
        i64::from(scan.limit),
        i64::from(scan.max_bytes),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| stored_event!(row)).collect())
}

/// The last `count` events of streams before given ones, stream by stream in order: `before` names streams
/// of one type with the number of the event before which to read.
pub async fn events_before(
    conn: &mut PgConnection,
    ledger_id: &str,
    stream_type: &str,
    before: &[(&str, u64)],
    count: u32,
) -> sqlx::Result<Vec<StoredEvent>> {
    let stream_ids: Vec<String> = before.iter().map(|(id, _)| (*id).to_owned()).collect();
    let numbers: Vec<i64> = before.iter().map(|(_, seq)| signed(*seq)).collect();
    let rows = sqlx::query!(
        "SELECT e.position, e.event_id, e.stream_type, e.stream_id, e.stream_seq, e.event_type, e.type_ver,
                e.recorded_at, e.license_id, e.event_hash, e.leaf
         FROM unnest($3::text[], $4::bigint[]) AS x(stream_id, seq)
         CROSS JOIN LATERAL (SELECT * FROM events
                             WHERE ledger_id = $1 AND stream_type = $2 AND stream_id = x.stream_id
                               AND stream_seq >= x.seq - $5 AND stream_seq < x.seq
                             ORDER BY stream_seq
                             OFFSET 0) e
         ORDER BY e.stream_id, e.stream_seq",
        ledger_id,
        stream_type,
        &stream_ids,
        &numbers,
        i64::from(count),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| stored_event!(row)).collect())
}

/// All events of streams after given ones, stream by stream in order.
pub async fn events_after(
    conn: &mut PgConnection,
    ledger_id: &str,
    stream_type: &str,
    after: &[(&str, u64)],
) -> sqlx::Result<Vec<StoredEvent>> {
    let stream_ids: Vec<String> = after.iter().map(|(id, _)| (*id).to_owned()).collect();
    let numbers: Vec<i64> = after.iter().map(|(_, seq)| signed(*seq)).collect();
    let rows = sqlx::query!(
        "SELECT e.position, e.event_id, e.stream_type, e.stream_id, e.stream_seq, e.event_type, e.type_ver,
                e.recorded_at, e.license_id, e.event_hash, e.leaf
         FROM unnest($3::text[], $4::bigint[]) AS x(stream_id, seq)
         CROSS JOIN LATERAL (SELECT * FROM events
                             WHERE ledger_id = $1 AND stream_type = $2 AND stream_id = x.stream_id
                               AND stream_seq > x.seq
                             ORDER BY stream_seq
                             OFFSET 0) e
         ORDER BY e.stream_id, e.stream_seq",
        ledger_id,
        stream_type,
        &stream_ids,
        &numbers,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| stored_event!(row)).collect())
}

/// All events of webhook endpoints before a position, in order.
pub async fn endpoint_events(
    conn: &mut PgConnection,
    ledger_id: &str,
    before: u64,
) -> sqlx::Result<Vec<StoredEvent>> {
    let rows = sqlx::query!(
        "SELECT position, event_id, stream_type, stream_id, stream_seq, event_type, type_ver, recorded_at,
                license_id, event_hash, leaf
         FROM events
         WHERE ledger_id = $1 AND position < $2 AND stream_type = 'endpoint'
         ORDER BY position",
        ledger_id,
        signed(before),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| stored_event!(row)).collect())
}

/// One event of a stream.
pub async fn event_of_stream(
    conn: &mut PgConnection,
    ledger_id: &str,
    stream_type: &str,
    stream_id: &str,
    stream_seq: u64,
) -> sqlx::Result<Option<StoredEvent>> {
    let row = sqlx::query!(
        "SELECT position, event_id, stream_type, stream_id, stream_seq, event_type, type_ver, recorded_at,
                license_id, event_hash, leaf
         FROM events
         WHERE ledger_id = $1 AND stream_type = $2 AND stream_id = $3 AND stream_seq = $4",
        ledger_id,
        stream_type,
        stream_id,
        signed(stream_seq),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| stored_event!(row)))
}

/// An event among those of its stream: up to `before` events before it, itself, and up to `after` events after it, in
/// their order. Nothing if there is no event with that id.
pub async fn events_around(
    conn: &mut PgConnection,
    ledger_id: &str,
    event_id: EventId,
    before: u32,
    after: u32,
) -> sqlx::Result<Vec<StoredEvent>> {
    let rows = sqlx::query!(
        "SELECT e.position, e.event_id, e.stream_type, e.stream_id, e.stream_seq, e.event_type, e.type_ver,
                e.recorded_at, e.license_id, e.event_hash, e.leaf
         FROM events c
         JOIN events e ON e.ledger_id = c.ledger_id AND e.stream_type = c.stream_type
                      AND e.stream_id = c.stream_id AND e.stream_seq >= c.stream_seq - $3
                      AND e.stream_seq <= c.stream_seq + $4
         WHERE c.ledger_id = $1 AND c.event_id = $2
         ORDER BY e.stream_seq",
        ledger_id,
        event_id.as_uuid(),
        i64::from(before),
        i64::from(after),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| stored_event!(row)).collect())
}

/// The event by which a customer was erased.
pub async fn erasure_of_customer(
    conn: &mut PgConnection,
    ledger_id: &str,
    customer_id: CustomerId,
) -> sqlx::Result<Option<StoredEvent>> {
    let row = sqlx::query!(
        "SELECT position, event_id, stream_type, stream_id, stream_seq, event_type, type_ver, recorded_at,
                license_id, event_hash, leaf
         FROM events
         WHERE ledger_id = $1 AND event_type = 'customer.erased' AND stream_id = $2
         ORDER BY position
         LIMIT 1",
        ledger_id,
        customer_id.to_string(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| stored_event!(row)))
}

/// Which of a license's events to read.
#[derive(Debug, Clone, Copy)]
pub struct LicenseHistory<'a> {
    /// The ledger.
    pub ledger_id: &'a str,
    /// The license.
    pub license_id: LicenseId,
    /// Only this type.
    pub event_type: Option<&'a str>,
    /// Only positions before this one.
    pub before: Option<u64>,
    /// Leave out so many.
    pub offset: u64,
    /// At most so many.
    pub limit: u32,
}

/// A license's events, newest first.
pub async fn license_history(
    conn: &mut PgConnection,
    history: LicenseHistory<'_>,
) -> sqlx::Result<Vec<StoredEvent>> {
    let rows = sqlx::query!(
        "SELECT position, event_id, stream_type, stream_id, stream_seq, event_type, type_ver, recorded_at,
                license_id, event_hash, leaf
         FROM events
         WHERE ledger_id = $1 AND license_id = $2 AND position < $3 AND ($4::text IS NULL OR event_type = $4)
         ORDER BY position DESC
         OFFSET $5
         LIMIT $6",
        history.ledger_id,
        history.license_id.as_uuid(),
        history.before.map_or(i64::MAX, signed),
        history.event_type,
        signed(history.offset),
        i64::from(history.limit),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| stored_event!(row)).collect())
}

/// How many events a license has, of one type or of all.
pub async fn count_license_events(
    conn: &mut PgConnection,
    ledger_id: &str,
    license_id: LicenseId,
    event_type: Option<&str>,
) -> sqlx::Result<u64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM events
           WHERE ledger_id = $1 AND license_id = $2 AND ($3::text IS NULL OR event_type = $3)"#,
        ledger_id,
        license_id.as_uuid(),
        event_type,
    )
    .fetch_one(conn)
    .await
    .map(unsigned)
}

/// Events of a license's streams of one type.
#[derive(Debug, Clone, Copy)]
pub struct LicenseStreams<'a> {
    /// In which ledger.
    pub ledger_id: &'a str,
    /// Of which license.
    pub license_id: LicenseId,
    /// The streams' type.
    pub stream_type: &'a str,
    /// Only events after this position.
    pub after: Option<u64>,
    /// The last position.
    pub until: u64,
    /// At most so many.
    pub limit: u32,
}

/// Events of a license's streams of one type, oldest first.
pub async fn license_events(
    conn: &mut PgConnection,
    streams: LicenseStreams<'_>,
) -> sqlx::Result<Vec<StoredEvent>> {
    let rows = sqlx::query!(
        "SELECT position, event_id, stream_type, stream_id, stream_seq, event_type, type_ver, recorded_at,
                license_id, event_hash, leaf
         FROM events
         WHERE ledger_id = $1 AND license_id = $2 AND stream_type = $3 AND position > $4 AND position <= $5
         ORDER BY position
         LIMIT $6",
        streams.ledger_id,
        streams.license_id.as_uuid(),
        streams.stream_type,
        streams.after.map_or(-1, signed),
        signed(streams.until),
        i64::from(streams.limit),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| stored_event!(row)).collect())
}

/// Events of a stream after one of its numbers and up to a position of the ledger, oldest first.
pub async fn stream_until(
    conn: &mut PgConnection,
    ledger_id: &str,
    stream_type: &str,
    stream_id: &str,
    after_seq: u64,
    until: u64,
    limit: u32,
) -> sqlx::Result<Vec<StoredEvent>> {
    let rows = sqlx::query!(
        "SELECT position, event_id, stream_type, stream_id, stream_seq, event_type, type_ver, recorded_at,
                license_id, event_hash, leaf
         FROM events
         WHERE ledger_id = $1 AND stream_type = $2 AND stream_id = $3 AND stream_seq > $4 AND position <= $5
         ORDER BY stream_seq
         LIMIT $6",
        ledger_id,
        stream_type,
        stream_id,
        signed(after_seq),
        signed(until),
        i64::from(limit),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| stored_event!(row)).collect())
}

/// When the event at a position was recorded.
pub async fn recorded_at(
    conn: &mut PgConnection,
    ledger_id: &str,
    position: u64,
) -> sqlx::Result<Option<Timestamp>> {
    let at = sqlx::query_scalar!(
        "SELECT recorded_at FROM events WHERE ledger_id = $1 AND position = $2",
        ledger_id,
        signed(position),
    )
    .fetch_optional(conn)
    .await?;
    Ok(at.map(Timestamp::from_chrono))
}

/// How many events were recorded up to a time. Times never go back, so it takes the logarithm of their number.
pub async fn recorded_until(conn: &mut PgConnection, ledger_id: &str, time: Timestamp) -> sqlx::Result<u64> {
    let count = sqlx::query_scalar!(
        r#"WITH RECURSIVE search(low, high) AS (
               SELECT 0::bigint, size FROM ledgers WHERE ledger_id = $1
               UNION ALL
               SELECT CASE WHEN e.recorded_at <= $2 THEN e.position + 1 ELSE s.low END,
                      CASE WHEN e.recorded_at <= $2 THEN s.high ELSE e.position END
               FROM search s
               JOIN events e ON e.ledger_id = $1 AND e.position = (s.low + s.high) / 2
               WHERE s.low < s.high
           )
           SELECT low AS "low!" FROM search WHERE low >= high"#,
        ledger_id,
        time.to_chrono(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(count.map_or(0, unsigned))
}

/// Where an event stands in its ledger.
pub async fn position_of(
    conn: &mut PgConnection,
    ledger_id: &str,
    event_id: EventId,
) -> sqlx::Result<Option<u64>> {
    let position = sqlx::query_scalar!(
        "SELECT position FROM events WHERE ledger_id = $1 AND event_id = $2",
        ledger_id,
        event_id.as_uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(position.map(unsigned))
}

/// The event at a position.
pub async fn event_at(
    conn: &mut PgConnection,
    ledger_id: &str,
    position: u64,
) -> sqlx::Result<Option<StoredEvent>> {
    let row = sqlx::query!(
        "SELECT position, event_id, stream_type, stream_id, stream_seq, event_type, type_ver, recorded_at,
                license_id, event_hash, leaf
         FROM events
         WHERE ledger_id = $1 AND position = $2",
        ledger_id,
        signed(position),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| stored_event!(row)))
}

/// The bytes of the event at a position.
pub async fn leaf(conn: &mut PgConnection, ledger_id: &str, position: u64) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar!(
        "SELECT leaf FROM events WHERE ledger_id = $1 AND position = $2",
        ledger_id,
        signed(position),
    )
    .fetch_optional(conn)
    .await
}

/// Number of events in a ledger; 0 when there is no such ledger.
pub async fn size(conn: &mut PgConnection, ledger_id: &str) -> sqlx::Result<u64> {
    let size = sqlx::query_scalar!("SELECT size FROM ledgers WHERE ledger_id = $1", ledger_id)
        .fetch_optional(conn)
        .await?;
    Ok(size.map_or(0, unsigned))
}

/// A position or count as PostgreSQL holds it.
///
/// Positions start at 0 and grow by one: none reaches 2^63.
pub fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A position or count that PostgreSQL holds; a negative one, which no writer makes, reads as 0.
pub fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
