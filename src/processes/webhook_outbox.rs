//! Notes for every event what is to be sent to which webhook endpoint, in the transaction of its checkpoint: exactly
//! one delivery per endpoint and event, also after a crash. What happens when it is sent is not dealt with here.
//!
//! Endpoints are matched in memory, as of the event's place in the ledger: an endpoint gets what comes after its
//! creation, and an event that cannot be read parks the process.

use std::collections::HashMap;

use sqlx::PgConnection;
use tokio::sync::Mutex;
use uuid::Uuid;
use vinzy_events::endpoint::{Endpoint, EndpointEvent, delivery_id, subscribable};
use vinzy_events::{EndpointId, EventId, Timestamp};
use vinzy_projections::event_log::{self, signed};
use vinzy_projections::projection::BoxFuture;
use vinzy_projections::{ApplyError, Projection, StoredEvent};

use crate::clock::Clock;

/// Name of the process.
pub const NAME: &str = "webhook_outbox";

/// Stream type of endpoints.
const ENDPOINT: &str = "endpoint";
/// Deliveries that one statement writes.
const CHUNK: usize = 5_000;
/// Deliveries after which a transaction ends: what is in it goes out soon, and it ends long before a batch's patience
/// does, however many endpoints want every event.
const AT_ONCE: usize = 20_000;
/// Ledgers whose endpoints are kept in memory.
const LEDGERS: usize = 1_000;

/// The process.
pub struct WebhookOutbox {
    clock: Clock,
    ledgers: Mutex<HashMap<String, Subscribers>>,
}

/// The endpoints of a ledger as of a position.
#[derive(Default)]
struct Subscribers {
    /// Every event before this one has been looked at.
    next: u64,
    endpoints: HashMap<Uuid, Endpoint>,
    /// Who wants events of a type; made anew when an endpoint changes.
    by_type: Option<HashMap<&'static str, Vec<Uuid>>>,
}

impl Subscribers {
    /// The endpoints that there were before a position.
    async fn before(conn: &mut PgConnection, ledger_id: &str, next: u64) -> Result<Self, ApplyError> {
        let mut subscribers = Self {
            next,
            ..Self::default()
        };
        for event in event_log::endpoint_events(conn, ledger_id, next).await? {
            subscribers.follow(&event)?;
        }
        Ok(subscribers)
    }

    /// Follows an event of an endpoint, and says which one was removed by it.
    fn follow(&mut self, event: &StoredEvent) -> Result<Option<Uuid>, ApplyError> {
        let poison = |source| ApplyError::Poison {
            position: event.position,
            source,
        };
        let decoded: EndpointEvent = event.decode().map_err(poison)?;
        let Ok(id) = Uuid::parse_str(&event.stream_id) else {
            return Ok(None);
        };
        let removed = matches!(decoded, EndpointEvent::Deleted(_));
        self.by_type = None;
        if removed {
            self.endpoints.remove(&id);
            return Ok(Some(id));
        }
        self.endpoints.entry(id).or_default().evolve(decoded);
        Ok(None)
    }

    fn wanting(&mut self, event_type: &str) -> &[Uuid] {
        let endpoints = &self.endpoints;
        let by_type = self.by_type.get_or_insert_with(|| {
            let of_type = |event_type: &'static str| {
                let wanting = endpoints
                    .iter()
                    .filter(|(_, endpoint)| endpoint.live().is_some_and(|state| state.wants(event_type)));
                (event_type, wanting.map(|(id, _)| *id).collect())
            };
            subscribable().map(of_type).collect()
        });
        by_type.get(event_type).map_or(&[], Vec::as_slice)
    }
}

impl WebhookOutbox {
    /// A process whose time is that of `clock`.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            ledgers: Mutex::default(),
        }
    }
}

impl Projection for WebhookOutbox {
    fn name(&self) -> &'static str {
        NAME
    }

    fn stream_types(&self) -> &'static [&'static str] {
        &[]
    }

    fn tables(&self) -> &'static [&'static str] {
        &[]
    }

    fn apply<'a>(
        &'a self,
        conn: &'a mut PgConnection,
        ledger_id: &'a str,
        events: &'a [StoredEvent],
    ) -> BoxFuture<'a, Result<usize, ApplyError>> {
        Box::pin(async move {
            let Some(first) = events.first() else {
                return Ok(0);
            };
            let mut ledgers = self.ledgers.lock().await;
            // Not at hand, or not as of here: this node may have just started, another one may have done the work
            // meanwhile, or what this one did last was not committed.
            let mut subscribers = match ledgers.remove(ledger_id) {
                Some(known) if known.next == first.position => known,
                _ => Subscribers::before(conn, ledger_id, first.position).await?,
            };
            let noted = note(conn, ledger_id, &mut subscribers, events, self.clock.now()).await?;
            if ledgers.len() >= LEDGERS {
                ledgers.clear();
            }
            ledgers.insert(ledger_id.to_owned(), subscribers);
            Ok(noted)
        })
    }
}

/// Notes what is due of `events`, until it is enough for one transaction; gives how many events that are.
async fn note(
    conn: &mut PgConnection,
    ledger_id: &str,
    subscribers: &mut Subscribers,
    events: &[StoredEvent],
    now: Timestamp,
) -> Result<usize, ApplyError> {
    let mut due = Due::default();
    let mut noted = 0;
    let mut written = 0;
    for event in events {
        if written >= AT_ONCE {
            break;
        }
        noted += 1;
        subscribers.next = event.position + 1;
        if event.stream_type == ENDPOINT {
            if let Some(removed) = subscribers.follow(event)? {
                due.write(conn, ledger_id, now).await?;
                forget(conn, ledger_id, removed).await?;
            }
            continue;
        }
        for &endpoint_id in subscribers.wanting(&event.event_type) {
            due.push(endpoint_id.into(), event);
            if due.endpoint_ids.len() >= CHUNK {
                written += CHUNK;
                due.write(conn, ledger_id, now).await?;
            }
        }
    }
    due.write(conn, ledger_id, now).await?;
    Ok(noted)
}

/// Deliveries that are to be written, column by column.
#[derive(Default)]
struct Due {
    delivery_ids: Vec<Uuid>,
    endpoint_ids: Vec<Uuid>,
    event_ids: Vec<Uuid>,
    event_types: Vec<String>,
    positions: Vec<i64>,
    recorded_at: Vec<chrono::DateTime<chrono::Utc>>,
}

impl Due {
    fn push(&mut self, endpoint_id: EndpointId, event: &StoredEvent) {
        let id = delivery_id(endpoint_id, EventId::from(event.event_id), event.recorded_at);
        self.delivery_ids.push(id.as_uuid());
        self.endpoint_ids.push(endpoint_id.as_uuid());
        self.event_ids.push(event.event_id);
        self.event_types.push(event.event_type.clone());
        self.positions.push(signed(event.position));
        self.recorded_at.push(event.recorded_at.to_chrono());
    }

    /// What was recorded is due, also when the clock that it was recorded by was ahead.
    async fn write(&mut self, conn: &mut PgConnection, ledger_id: &str, now: Timestamp) -> sqlx::Result<()> {
        let due = std::mem::take(self);
        if due.delivery_ids.is_empty() {
            return Ok(());
        }
        // One that is there was asked for by a replay of history.
        sqlx::query!(
            "INSERT INTO deliveries (ledger_id, delivery_id, endpoint_id, event_id, event_type, position, status,
                                     attempts, attempts_ever, next_attempt_at, created_at, updated_at)
             SELECT $1, x.delivery_id, x.endpoint_id, x.event_id, x.event_type, x.position, 'pending', 0, 0,
                    least(x.recorded_at, $8), x.recorded_at, x.recorded_at
             FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::bigint[], $7::timestamptz[])
                  AS x(delivery_id, endpoint_id, event_id, event_type, position, recorded_at)
             ON CONFLICT DO NOTHING",
            ledger_id,
            &due.delivery_ids,
            &due.endpoint_ids,
            &due.event_ids,
            &due.event_types,
            &due.positions,
            &due.recorded_at,
            now.to_chrono(),
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}

/// Removes what there is of a removed endpoint.
async fn forget(conn: &mut PgConnection, ledger_id: &str, endpoint_id: Uuid) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM deliveries WHERE ledger_id = $1 AND endpoint_id = $2",
        ledger_id,
        endpoint_id,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "DELETE FROM endpoint_failures WHERE ledger_id = $1 AND endpoint_id = $2",
        ledger_id,
        endpoint_id,
    )
    .execute(conn)
    .await?;
    Ok(())
}
