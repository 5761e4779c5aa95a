//! Tells this node about committed events, each once and in order: those of its own writers before their
//! callers hear, those of other nodes by LISTEN/NOTIFY with polling behind it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use vinzy_projections::StoredEvent;
use vinzy_projections::event_log::{self, Span, unsigned};

use crate::database::within;

/// The notification channel; its payload is the ledger's id.
pub(super) const CHANNEL: &str = "vinzy_ledger";
/// How long to wait for a notification before looking anyway.
const POLL: Duration = Duration::from_millis(500);
/// How long the database may take to say where the ledgers end, with what has come since, and to begin to notify.
const PATIENCE: Duration = Duration::from_secs(5);
/// Events read at a time.
const PAGE: u32 = 1_000;

/// Hears of committed events.
pub trait Listener: Send + Sync {
    /// `events` were committed to `ledger_id`. Called in order of position; must be quick.
    fn committed(&self, ledger_id: &str, events: &[StoredEvent]);
}

/// Passes committed events on.
pub struct Feed {
    listeners: Vec<Arc<dyn Listener>>,
    /// Per ledger the position of the next event to pass on. Held while listeners are called, which keeps
    /// the order.
    next: Mutex<HashMap<String, u64>>,
    contact: Mutex<Instant>,
}

impl Feed {
    /// A feed to `listeners`.
    pub fn new(listeners: Vec<Arc<dyn Listener>>) -> Self {
        Self {
            listeners,
            next: Mutex::default(),
            contact: Mutex::new(Instant::now()),
        }
    }

    /// How long ago this node last learned where the ledgers end. What it knows may be as old as that.
    pub fn staleness(&self) -> Duration {
        self.contact
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed()
    }

    /// The position of the next event to pass on.
    pub(super) fn next(&self, ledger_id: &str) -> u64 {
        self.next
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(ledger_id)
            .copied()
            .unwrap_or(0)
    }

    /// Passes on what was not passed on before. `events` must not begin behind [`Feed::next`].
    pub(super) fn publish(&self, ledger_id: &str, events: &[StoredEvent]) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let next = next.entry(ledger_id.to_owned()).or_default();
        let from = events.partition_point(|event| event.position < *next);
        let fresh = &events[from..];
        let Some(last) = fresh.last() else { return };
        *next = last.position + 1;
        for listener in &self.listeners {
            listener.committed(ledger_id, fresh);
        }
    }

    /// Where each ledger ends now; events before that are not passed on.
    pub async fn start_at_present(&self, pool: &PgPool) -> sqlx::Result<()> {
        let sizes = sizes(pool).await?;
        self.next
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(sizes);
        self.in_contact(Instant::now());
        Ok(())
    }

    /// Follows other nodes until `stopped`.
    pub async fn run(&self, pool: PgPool, mut stopped: watch::Receiver<bool>) {
        let mut listener = None;
        while !*stopped.borrow() {
            tokio::select! {
                _ = stopped.changed() => break,
                () = wait(&mut listener, &pool) => {}
            }
            if let Err(error) = self.catch_up(&pool).await {
                // What cannot be asked does not notify either: the next one is a new connection.
                listener = None;
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "other nodes cannot be followed"
                );
                tokio::time::sleep(POLL).await;
            }
        }
    }

    async fn catch_up(&self, pool: &PgPool) -> sqlx::Result<()> {
        let asked_at = Instant::now();
        for (ledger_id, size) in within(PATIENCE, sizes(pool)).await? {
            loop {
                let from = *self
                    .next
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .entry(ledger_id.clone())
                    .or_insert(0);
                if from >= size {
                    break;
                }
                let span = Span {
                    ledger_id: &ledger_id,
                    from,
                    to: size,
                    stream_types: &[],
                    limit: PAGE,
                };
                let events = within(PATIENCE, async {
                    let mut conn = pool.acquire().await?;
                    event_log::read(&mut conn, span).await
                })
                .await?;
                if events.is_empty() {
                    break;
                }
                self.publish(&ledger_id, &events);
            }
        }
        self.in_contact(asked_at);
        Ok(())
    }

    fn in_contact(&self, at: Instant) {
        *self.contact.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }
}

async fn sizes(pool: &PgPool) -> sqlx::Result<Vec<(String, u64)>> {
    let rows = sqlx::query!("SELECT ledger_id, size FROM ledgers")
        .fetch_all(pool)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.ledger_id, unsigned(row.size)))
        .collect())
}

/// Returns at the next notification, or after a while without one.
async fn wait(listener: &mut Option<PgListener>, pool: &PgPool) {
    if listener.is_none() {
        *listener = listen(pool).await.ok();
    }
    match listener {
        Some(connected) => match timeout(POLL, connected.recv()).await {
            Ok(Ok(_)) => while let Ok(Some(())) = drain(connected).await {},
            Ok(Err(_)) => *listener = None,
            Err(_) => {}
        },
        None => tokio::time::sleep(POLL).await,
    }
}

async fn listen(pool: &PgPool) -> sqlx::Result<PgListener> {
    within(PATIENCE, async {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(listener)
    })
    .await
}

/// Further notifications that are there already say nothing new.
async fn drain(listener: &mut PgListener) -> Result<Option<()>, sqlx::Error> {
    match timeout(Duration::ZERO, listener.recv()).await {
        Ok(Ok(_)) => Ok(Some(())),
        Ok(Err(error)) => Err(error),
        Err(_) => Ok(None),
    }
}
