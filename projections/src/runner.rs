//! Keeps projections in step: one worker each, rows and checkpoint in one transaction.
//!
//! Any node may run any projection: the checkpoint's row lock lets one at a time advance it.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection, PgConnection, PgPool};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tracing::{error, warn};

use crate::event_log::{self, Span, signed, unsigned};
use crate::progress::{Progress, wait_for_copy};
use crate::recent::{Recent, Remembered};
use crate::{ApplyError, Behind, Projection, StoredEvent, within};

/// Events per transaction.
const BATCH: u32 = 5_000;
/// How long a worker sleeps when nobody wakes it: finds what other nodes appended unheard.
const IDLE: Duration = Duration::from_millis(500);
/// How long a read model lets events gather when nobody waits for it: rows that many events change are written once.
const GATHER: Duration = Duration::from_secs(1);
/// How long a process does, which others wait for without asking.
const GATHER_TO_ACT: Duration = Duration::from_millis(300);
/// How long it waits after the database failed.
const RETRY: Duration = Duration::from_millis(250);
/// How long a batch may take. A worker whose connection is cut off would wait for ever; others have its
/// work by then.
const PATIENCE: Duration = Duration::from_mins(1);

/// The running projections of this node.
pub struct Runner {
    pool: PgPool,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    workers: JoinSet<()>,
}

struct Shared {
    progress: Progress,
    recent: Recent,
    /// There are new events.
    wake: Notify,
    /// Somebody waits for them.
    hurry: Notify,
}

/// A cheap handle to the runner: waits for projections and wakes them.
#[derive(Clone)]
pub struct Follower {
    pool: PgPool,
    shared: Arc<Shared>,
}

impl Runner {
    /// A runner without workers yet.
    pub fn new(pool: PgPool) -> Self {
        let shared = Arc::new(Shared {
            progress: Progress::default(),
            recent: Recent::default(),
            wake: Notify::new(),
            hurry: Notify::new(),
        });
        Self {
            pool,
            shared,
            stop: watch::channel(false).0,
            workers: JoinSet::new(),
        }
    }

    /// Starts a worker for a projection or a process.
    pub fn start(&mut self, projection: Arc<dyn Projection>) {
        let (pool, shared) = (self.pool.clone(), Arc::clone(&self.shared));
        self.workers
            .spawn(run(pool, projection, shared, self.stop.subscribe()));
    }

    /// A handle for whoever reads.
    pub fn follower(&self) -> Follower {
        Follower {
            pool: self.pool.clone(),
            shared: Arc::clone(&self.shared),
        }
    }

    /// Lets every worker finish its transaction and ends them.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.workers.join_next().await.is_some() {}
    }
}

impl Follower {
    /// Tells the workers that `events` were committed: neighbours, in order.
    pub fn committed(&self, ledger_id: &str, events: &[StoredEvent]) {
        self.shared.recent.push(ledger_id, events);
        self.shared.wake.notify_waiters();
    }

    /// Waits until `projection` shows everything that is in the ledger as of this call.
    ///
    /// # Errors
    /// [`Behind::Late`] when it has not come there within `patience`.
    pub async fn wait(
        &self,
        projection: &'static str,
        ledger_id: &str,
        patience: Duration,
    ) -> Result<(), Behind> {
        let hurry = || self.shared.hurry.notify_waiters();
        self.shared
            .progress
            .wait(&self.pool, projection, ledger_id, patience, hurry)
            .await
    }

    /// As [`Follower::wait`], for a copy of the database that follows it: what `copy` shows afterwards is no older than
    /// this call.
    ///
    /// # Errors
    /// [`Behind::Late`] when it has not come there within `patience`.
    pub async fn wait_for_copy(
        &self,
        copy: &PgPool,
        projection: &'static str,
        ledger_id: &str,
        patience: Duration,
    ) -> Result<(), Behind> {
        let hurry = || self.shared.hurry.notify_waiters();
        wait_for_copy((&self.pool, copy), projection, ledger_id, patience, hurry).await
    }
}

async fn run(
    pool: PgPool,
    projection: Arc<dyn Projection>,
    shared: Arc<Shared>,
    mut stopped: watch::Receiver<bool>,
) {
    let gather = if projection.tables().is_empty() {
        GATHER_TO_ACT
    } else {
        GATHER
    };
    while !*stopped.borrow() {
        // Registered before looking, so that a call between looking and sleeping is not lost.
        let woken = shared.wake.notified();
        let hurried = shared.hurry.notified();
        tokio::pin!(woken, hurried);
        woken.as_mut().enable();
        hurried.as_mut().enable();
        let pause = match advance_all(&pool, projection.as_ref(), &shared).await {
            Ok(Step::More) => continue,
            Ok(Step::Done) => IDLE,
            Err(cause) => {
                warn!(
                    projection = projection.name(),
                    error = &cause as &dyn std::error::Error,
                    "will retry"
                );
                RETRY
            }
        };
        let quiet = async {
            tokio::select! {
                () = woken => tokio::time::sleep(gather).await,
                () = tokio::time::sleep(pause) => {}
            }
        };
        tokio::select! {
            () = quiet => {}
            () = hurried => {}
            _ = stopped.changed() => {}
        }
    }
}

/// One step in every ledger that has more: a busy ledger does not keep the others waiting.
async fn advance_all(
    pool: &PgPool,
    projection: &dyn Projection,
    shared: &Shared,
) -> Result<Step, ApplyError> {
    let looking = sqlx::query_scalar!(
        "SELECT l.ledger_id
         FROM ledgers l
         LEFT JOIN projection_checkpoints c ON c.ledger_id = l.ledger_id AND c.projection = $1
         WHERE coalesce(c.position, 0) < l.size AND c.parked_reason IS NULL",
        projection.name(),
    )
    .fetch_all(pool);
    let behind = within(PATIENCE, looking).await?;
    let mut outcome = Ok(Step::Done);
    for ledger_id in behind {
        let advancing = async {
            let mut conn = pool.acquire().await?;
            advance(&mut conn, projection, &ledger_id, shared).await
        };
        match within(PATIENCE, advancing).await {
            Ok(Step::Done) => {}
            Ok(Step::More) => outcome = outcome.map(|_| Step::More),
            Err(error) => outcome = Err(error),
        }
    }
    outcome
}

/// Whether a projection has more to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    More,
    Done,
}

async fn advance(
    conn: &mut PgConnection,
    projection: &dyn Projection,
    ledger_id: &str,
    shared: &Shared,
) -> Result<Step, ApplyError> {
    let mut tx = conn.begin().await?;
    // A crash may lose the newest of these transactions, rows and checkpoint alike: they are made again.
    sqlx::query!("SET LOCAL synchronous_commit = off")
        .execute(&mut *tx)
        .await?;
    let Some(from) = lock_checkpoint(&mut tx, projection.name(), ledger_id).await? else {
        return Ok(Step::Done);
    };
    let (events, to, more) = read(&mut tx, projection, ledger_id, from, &shared.recent).await?;
    let (to, more) = match projection.apply(&mut tx, ledger_id, &events).await {
        Ok(applied) => events
            .get(applied)
            .map_or((to, more), |left| (left.position, true)),
        Err(poison @ ApplyError::Poison { .. }) => {
            tx.rollback().await?;
            park(conn, projection.name(), ledger_id, &poison).await?;
            return Ok(Step::Done);
        }
        Err(passing) => return Err(passing),
    };
    sqlx::query!(
        "UPDATE projection_checkpoints SET position = $3 WHERE ledger_id = $1 AND projection = $2",
        ledger_id,
        projection.name(),
        signed(to),
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    shared.progress.reached(projection.name(), ledger_id, to);
    Ok(if more { Step::More } else { Step::Done })
}

/// A batch of events from a position on, out of memory if they are there; the position that comes after what
/// was looked at; and whether there is more.
async fn read(
    conn: &mut PgConnection,
    projection: &dyn Projection,
    ledger_id: &str,
    from: u64,
    recent: &Recent,
) -> sqlx::Result<(Vec<StoredEvent>, u64, bool)> {
    let size = event_log::size(conn, ledger_id).await?;
    let limit = usize::try_from(BATCH).unwrap_or(usize::MAX);
    if let Some(Remembered { events, to }) = recent.since(ledger_id, from, projection.stream_types(), limit) {
        return Ok((events, to, to < size));
    }
    let span = Span {
        ledger_id,
        from,
        to: size,
        stream_types: projection.stream_types(),
        limit: BATCH,
    };
    let events = event_log::read(conn, span).await?;
    let full = events.len() == limit;
    let to = events
        .last()
        .filter(|_| full)
        .map_or(size, |event| event.position + 1);
    Ok((events, to, full))
}

/// The checkpoint, locked against the same projection on other nodes; `None` when it is parked, or when
/// another node is at work: waiting for that one would only hold a connection.
async fn lock_checkpoint(
    conn: &mut PgConnection,
    projection: &str,
    ledger_id: &str,
) -> sqlx::Result<Option<u64>> {
    let locked = lock_existing(conn, projection, ledger_id).await?;
    if let Some((position, parked)) = locked {
        return Ok((!parked).then_some(position));
    }
    sqlx::query!(
        "INSERT INTO projection_checkpoints (ledger_id, projection, position) VALUES ($1, $2, 0)
         ON CONFLICT DO NOTHING",
        ledger_id,
        projection,
    )
    .execute(&mut *conn)
    .await?;
    let locked = lock_existing(conn, projection, ledger_id).await?;
    Ok(locked.and_then(|(position, parked)| (!parked).then_some(position)))
}

async fn lock_existing(
    conn: &mut PgConnection,
    projection: &str,
    ledger_id: &str,
) -> sqlx::Result<Option<(u64, bool)>> {
    let row = sqlx::query!(
        "SELECT position, parked_reason FROM projection_checkpoints
         WHERE ledger_id = $1 AND projection = $2
         FOR UPDATE SKIP LOCKED",
        ledger_id,
        projection,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (unsigned(row.position), row.parked_reason.is_some())))
}

async fn park(
    conn: &mut PgConnection,
    projection: &str,
    ledger_id: &str,
    poison: &ApplyError,
) -> sqlx::Result<()> {
    error!(
        projection,
        ledger_id,
        error = poison as &dyn std::error::Error,
        "projection parked"
    );
    sqlx::query!(
        "UPDATE projection_checkpoints SET parked_reason = $3 WHERE ledger_id = $1 AND projection = $2",
        ledger_id,
        projection,
        poison.to_string(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A projection's state in one ledger, for `/ready`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The ledger.
    pub ledger_id: String,
    /// The projection.
    pub projection: String,
    /// The next event it will read.
    pub position: u64,
    /// The ledger's size.
    pub size: u64,
    /// Why it is parked, if it is.
    pub parked_reason: Option<String>,
}

/// Where every projection that ever ran stands.
pub async fn statuses(pool: &PgPool) -> sqlx::Result<Vec<Status>> {
    let rows = sqlx::query!(
        "SELECT c.ledger_id, c.projection, c.position, l.size, c.parked_reason
         FROM projection_checkpoints c
         JOIN ledgers l ON l.ledger_id = c.ledger_id
         ORDER BY c.ledger_id, c.projection",
    )
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Status {
            ledger_id: row.ledger_id,
            projection: row.projection,
            position: unsigned(row.position),
            size: unsigned(row.size),
            parked_reason: row.parked_reason,
        })
        .collect())
}
