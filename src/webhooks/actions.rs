//! What people ask for: a test, another try, history once more. None of it is an event.
//!
//! Each locks the endpoint's secrets: an endpoint that is removed at the same time is removed before, and there is
//! nothing to send to, or after, and what was written here goes with it.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;
use vinzy_events::endpoint::{EndpointState, delivery_id, subscribable};
use vinzy_events::{DeliveryId, EndpointId, EventId, Timestamp};
use vinzy_projections::event_log::signed;

use super::body::TEST;

/// Positions that are looked at in one transaction.
const SPAN: u64 = 5_000;
/// Deliveries that one request asks for, about.
const MOST: u64 = 100_000;

/// Why another try is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// The database failed.
    #[error("database failed")]
    Database(#[from] sqlx::Error),
    /// There is no such delivery.
    #[error("delivery not found")]
    NotFound,
    /// It is being sent.
    #[error("the delivery is being sent just now")]
    UnderWay,
}

/// From where history is sent once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// A position in the ledger.
    Position(u64),
    /// A time of recording.
    Time(Timestamp),
}

/// What a replay asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// How many deliveries.
    pub deliveries: u64,
    /// From where to go on; nothing at the ledger's end.
    pub next_position: Option<u64>,
}

/// Asks for a test of an endpoint under an id; nothing if it was removed. The same id again is the same test.
pub async fn test(
    pool: &PgPool,
    ledger_id: &str,
    endpoint_id: EndpointId,
    event_id: EventId,
    at: Timestamp,
) -> sqlx::Result<Option<DeliveryId>> {
    let mut tx = pool.begin().await?;
    if !lock(&mut tx, ledger_id, endpoint_id).await? {
        return Ok(None);
    }
    let id = delivery_id(endpoint_id, event_id, at);
    let id = sqlx::query_scalar!(
        "INSERT INTO deliveries AS d (ledger_id, delivery_id, endpoint_id, event_id, event_type, status, attempts,
                                      attempts_ever, next_attempt_at, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, 'pending', 0, 0, $6, $6, $6)
         ON CONFLICT (ledger_id, endpoint_id, event_id) DO UPDATE SET event_type = d.event_type
         RETURNING delivery_id",
        ledger_id,
        id.as_uuid(),
        endpoint_id.as_uuid(),
        event_id.as_uuid(),
        TEST,
        at.to_chrono(),
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Some(id.into()))
}

/// Has a delivery sent at once, and anew through the whole schedule, whatever became of it before.
pub async fn retry(pool: &PgPool, ledger_id: &str, id: DeliveryId, at: Timestamp) -> Result<(), RetryError> {
    let mut tx = pool.begin().await?;
    let delivery = sqlx::query!(
        "SELECT endpoint_id FROM deliveries WHERE ledger_id = $1 AND delivery_id = $2",
        ledger_id,
        id.as_uuid(),
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(RetryError::NotFound)?;
    if !lock(&mut tx, ledger_id, delivery.endpoint_id.into()).await? {
        return Err(RetryError::NotFound);
    }
    let due = sqlx::query!(
        "UPDATE deliveries
         SET status = 'pending', attempts = 0, next_attempt_at = $3, last_error = NULL, updated_at = $3,
             finished_at = NULL
         WHERE ledger_id = $1 AND delivery_id = $2 AND status <> 'sending'",
        ledger_id,
        id.as_uuid(),
        at.to_chrono(),
    )
    .execute(&mut *tx)
    .await?
    .rows_affected();
    tx.commit().await?;
    if due == 0 {
        return Err(RetryError::UnderWay);
    }
    Ok(())
}

/// Has all events from a place on sent that an endpoint is subscribed to now, those that it has had included; what
/// waits or is being sent stays as it is. Nothing if the endpoint was removed.
pub async fn replay(
    pool: &PgPool,
    ledger_id: &str,
    (endpoint_id, state): (EndpointId, &EndpointState),
    from: From,
    at: Timestamp,
) -> sqlx::Result<Option<Replayed>> {
    let wanted: Vec<String> = subscribable()
        .filter(|event_type| state.wants(event_type))
        .map(str::to_owned)
        .collect();
    let size = size(pool, ledger_id).await?;
    let mut position = match from {
        From::Position(position) => position,
        From::Time(time) => first_since(pool, ledger_id, time).await?.unwrap_or(size),
    };
    let mut deliveries = 0;
    while position < size && deliveries < MOST {
        let end = size.min(position + SPAN);
        let mut tx = pool.begin().await?;
        if !lock(&mut tx, ledger_id, endpoint_id).await? {
            return Ok(None);
        }
        let events = wanted_events(&mut tx, ledger_id, position..end, &wanted).await?;
        deliveries += ask_again(&mut tx, ledger_id, endpoint_id, &events, at).await?;
        tx.commit().await?;
        position = end;
    }
    Ok(Some(Replayed {
        deliveries,
        next_position: (position < size).then_some(position),
    }))
}

/// An event that is to be sent.
struct Wanted {
    event_id: Uuid,
    event_type: String,
    position: i64,
    recorded_at: DateTime<Utc>,
}

async fn wanted_events(
    conn: &mut PgConnection,
    ledger_id: &str,
    positions: std::ops::Range<u64>,
    event_types: &[String],
) -> sqlx::Result<Vec<Wanted>> {
    sqlx::query_as!(
        Wanted,
        "SELECT event_id, event_type, position, recorded_at FROM events
         WHERE ledger_id = $1 AND position >= $2 AND position < $3 AND event_type = ANY($4)",
        ledger_id,
        signed(positions.start),
        signed(positions.end),
        event_types,
    )
    .fetch_all(conn)
    .await
}

/// Makes deliveries that there are not, and has those sent again that are finished. Gives their number.
async fn ask_again(
    conn: &mut PgConnection,
    ledger_id: &str,
    endpoint_id: EndpointId,
    events: &[Wanted],
    at: Timestamp,
) -> sqlx::Result<u64> {
    let id = |event: &Wanted| {
        let recorded_at = Timestamp::from_chrono(event.recorded_at);
        delivery_id(endpoint_id, event.event_id.into(), recorded_at).as_uuid()
    };
    let done = sqlx::query!(
        "INSERT INTO deliveries AS d (ledger_id, delivery_id, endpoint_id, event_id, event_type, position, status,
                                      attempts, attempts_ever, next_attempt_at, created_at, updated_at)
         SELECT $1, x.delivery_id, $2, x.event_id, x.event_type, x.position, 'pending', 0, 0, $3, x.recorded_at, $3
         FROM unnest($4::uuid[], $5::uuid[], $6::text[], $7::bigint[], $8::timestamptz[])
              AS x(delivery_id, event_id, event_type, position, recorded_at)
         ON CONFLICT (ledger_id, endpoint_id, event_id) DO UPDATE
         SET status = 'pending', attempts = 0, next_attempt_at = excluded.next_attempt_at, last_error = NULL,
             updated_at = excluded.updated_at, finished_at = NULL
         WHERE d.finished_at IS NOT NULL",
        ledger_id,
        endpoint_id.as_uuid(),
        at.to_chrono(),
        &events.iter().map(id).collect::<Vec<_>>(),
        &events.iter().map(|event| event.event_id).collect::<Vec<_>>(),
        &events.iter().map(|event| event.event_type.as_str()).collect::<Vec<_>>() as &[&str],
        &events.iter().map(|event| event.position).collect::<Vec<_>>(),
        &events.iter().map(|event| event.recorded_at).collect::<Vec<_>>(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Keeps an endpoint from being removed until the transaction ends; says whether there is one.
async fn lock(conn: &mut PgConnection, ledger_id: &str, endpoint_id: EndpointId) -> sqlx::Result<bool> {
    // A rotation that commits while this waits leaves other rows than those that were seen first.
    for _ in 0..2 {
        let rows = sqlx::query_scalar!(
            "SELECT secret_id FROM endpoint_secrets WHERE ledger_id = $1 AND endpoint_id = $2 FOR SHARE",
            ledger_id,
            endpoint_id.as_uuid(),
        )
        .fetch_all(&mut *conn)
        .await?;
        if !rows.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn size(pool: &PgPool, ledger_id: &str) -> sqlx::Result<u64> {
    let mut conn = pool.acquire().await?;
    vinzy_projections::event_log::size(&mut conn, ledger_id).await
}

/// The first position that was recorded at a time or later. Times never go back along a ledger, so it is found by
/// halving.
async fn first_since(pool: &PgPool, ledger_id: &str, time: Timestamp) -> sqlx::Result<Option<u64>> {
    let (mut low, mut high) = (0, size(pool, ledger_id).await?);
    let end = high;
    while low < high {
        let middle = low + (high - low) / 2;
        let recorded_at = sqlx::query_scalar!(
            "SELECT recorded_at FROM events WHERE ledger_id = $1 AND position = $2",
            ledger_id,
            signed(middle),
        )
        .fetch_one(pool)
        .await?;
        if Timestamp::from_chrono(recorded_at) < time {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok((low < end).then_some(low))
}
