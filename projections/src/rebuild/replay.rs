//! A read model made anew that can take the place of the serving one.
//!
//! It stands in a schema of its own, `vinzy_replay_NAME`, with how far it has come. Rows and place are written in one
//! transaction, so whoever is killed goes on there the next time. What serves is not touched and not locked until the
//! swap, which holds its locks for as long as it takes to apply the last events and to change names.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection, PgPool, Row};
use vinzy_events::Timestamp;

use super::{Difference, differences, shadow, step};
use crate::archive::Archives;
use crate::event_log::{self, signed, unsigned};
use crate::{ApplyError, Projection};

/// How long a swap waits for whoever reads or writes; new readers wait as long behind it.
const LOCK_PATIENCE: &str = "300ms";
/// Between one try and the next.
const PAUSE: Duration = Duration::from_secs(1);
/// PostgreSQL's code for a lock that was not to be had in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";
const DEADLOCK: &str = "40P01";

/// How far to replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Up to the newest event.
    Head,
    /// The events before a position.
    Position(u64),
    /// What was recorded up to a time.
    Time(Timestamp),
}

/// What to replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Only this ledger; all if there is none.
    pub ledger_id: Option<String>,
    /// How far.
    pub until: Until,
    /// Which build of this program applies the events. What another began is not gone on with.
    pub build: String,
    /// Whether to begin anew whatever is there.
    pub restart: bool,
}

/// How far a replay has come, over all ledgers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Positions that are done.
    pub done: u64,
    /// Positions in all, as far as is known.
    pub total: u64,
}

/// Why a replay ends early. What is done is kept for the next time.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// An event could not be applied.
    #[error("ledger {ledger_id}")]
    Apply {
        /// The ledger.
        ledger_id: String,
        /// What happened.
        source: ApplyError,
    },
    /// Somebody else replays it.
    #[error("another replay of {0} is running")]
    Running(&'static str),
    /// What serves stands still where an event could not be applied, and the replay is past that.
    #[error(
        "{projection} of ledger {ledger_id} is parked at {parked_at}, and the replay is past that: begin anew to compare"
    )]
    PastParked {
        /// The projection.
        projection: &'static str,
        /// The ledger.
        ledger_id: String,
        /// Where it stands.
        parked_at: u64,
    },
    /// Readers did not leave a moment for the swap.
    #[error(
        "{0} is read without a pause, so its new tables could not take their place; they are kept: try again later"
    )]
    Busy(&'static str),
}

/// A ledger, how far it is replayed, and how far it shall be.
struct Course {
    ledger_id: String,
    position: u64,
    goal: u64,
}

/// A replay under way.
pub struct Replay {
    /// Its own: it holds a lock and a search path.
    conn: PgConnection,
    projection: Arc<dyn Projection>,
    archives: Arc<Archives>,
    scope: Scope,
    schema: String,
    serving: String,
    ledgers: Vec<Course>,
    resumed_at: u64,
}

impl Replay {
    /// Begins a replay, or goes on with the one that an earlier call left. What is archived is read from `archives`.
    pub async fn begin(
        pool: &PgPool,
        projection: Arc<dyn Projection>,
        archives: Arc<Archives>,
        scope: Scope,
    ) -> Result<Self, ReplayError> {
        let mut conn = pool.acquire().await?.detach();
        let name = projection.name();
        let is_alone = sqlx::query_scalar!(
            r#"SELECT pg_try_advisory_lock(hashtextextended('vinzy replay ' || $1::text, 0)) AS "is_alone!""#,
            name,
        )
        .fetch_one(&mut conn)
        .await?;
        if !is_alone {
            return Err(ReplayError::Running(name));
        }
        let serving = shadow::serving_schema(&mut conn).await?;
        let schema = format!("vinzy_replay_{name}");
        let scope_text = format!("{:?} {:?} {}", scope.ledger_id, scope.until, scope.build);
        if scope.restart || begun(&mut conn, &schema).await?.as_deref() != Some(scope_text.as_str()) {
            create(&mut conn, &schema, &serving, projection.tables(), &scope_text).await?;
        }
        sqlx::query(&format!("SET search_path = {schema}, \"{serving}\""))
            .execute(&mut conn)
            .await?;
        // What a crash loses is replayed again.
        sqlx::query("SET synchronous_commit = off")
            .execute(&mut conn)
            .await?;
        let mut replay = Self {
            conn,
            projection,
            archives,
            scope,
            schema,
            serving,
            ledgers: vec![],
            resumed_at: 0,
        };
        replay.look().await?;
        replay.resumed_at = replay.ledgers.iter().map(|ledger| ledger.position).sum();
        Ok(replay)
    }

    /// How many positions an earlier call had done.
    pub fn resumed_at(&self) -> u64 {
        self.resumed_at
    }

    /// How many ledgers there are.
    pub fn ledgers(&self) -> usize {
        self.ledgers.len()
    }

    /// Where the new tables stand.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// Applies a batch of events; `None` once there are no more than a batch left.
    pub async fn advance(&mut self) -> Result<Option<Progress>, ReplayError> {
        if self.next().is_none() {
            // Others have gone on writing meanwhile.
            self.look().await?;
        }
        let Some(at) = self.next() else {
            return Ok(None);
        };
        let ledger = &mut self.ledgers[at];
        let mut tx = self.conn.begin().await?;
        let next = catch_up(
            &mut tx,
            self.projection.as_ref(),
            &self.archives,
            &ledger.ledger_id,
            ledger.position..ledger.goal,
            true,
        )
        .await?;
        tx.commit().await?;
        ledger.position = next;
        Ok(Some(Progress {
            done: self.ledgers.iter().map(|ledger| ledger.position).sum(),
            total: self
                .ledgers
                .iter()
                .map(|ledger| ledger.goal.max(ledger.position))
                .sum(),
        }))
    }

    fn next(&self) -> Option<usize> {
        self.ledgers
            .iter()
            .position(|ledger| ledger.position < ledger.goal)
    }

    /// Compares row by row with what serves, both as of the same position of each ledger; for a replay up to the head.
    /// Locks nothing: it looks at one moment of the database.
    pub async fn compare(&mut self) -> Result<Vec<Difference>, ReplayError> {
        let mut tx = self.conn.begin().await?;
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            .execute(&mut *tx)
            .await?;
        let mut found = vec![];
        for ledger in ledgers(&mut tx, self.projection.as_ref(), &self.scope).await? {
            let to = ledger.goal;
            if to < ledger.position {
                return Err(ReplayError::PastParked {
                    projection: self.projection.name(),
                    ledger_id: ledger.ledger_id,
                    parked_at: to,
                });
            }
            let projection = self.projection.as_ref();
            let span = ledger.position..to;
            catch_up(
                &mut tx,
                projection,
                &self.archives,
                &ledger.ledger_id,
                span,
                false,
            )
            .await?;
            found.extend(
                differences(
                    &mut tx,
                    projection,
                    &ledger.ledger_id,
                    &self.serving,
                    &self.schema,
                )
                .await?,
            );
        }
        tx.commit().await?;
        self.look().await?;
        Ok(found)
    }

    /// Puts the new tables in the place of those that serve, as of the newest event, and unparks the projection. Tries for
    /// at most `patience` to find a moment without readers. Gives how long writers had to wait.
    pub async fn swap(mut self, patience: Duration) -> Result<Duration, ReplayError> {
        for table in self.projection.tables() {
            // Else the first queries would be planned for empty tables.
            sqlx::query(&format!("ANALYZE {}.{table}", self.schema))
                .execute(&mut self.conn)
                .await?;
        }
        let started = Instant::now();
        loop {
            let locked = Instant::now();
            match self.try_swap().await {
                Ok(()) => {
                    let held = locked.elapsed();
                    self.conn.close().await?;
                    return Ok(held);
                }
                Err(error) if is_lock(&error) => {
                    if started.elapsed() > patience {
                        return Err(ReplayError::Busy(self.projection.name()));
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn try_swap(&mut self) -> Result<(), ReplayError> {
        let projection = self.projection.as_ref();
        let mut tx = self.conn.begin().await?;
        sqlx::query("SET LOCAL lock_timeout = '5s'")
            .execute(&mut *tx)
            .await?;
        sqlx::query!(
            "INSERT INTO projection_checkpoints (ledger_id, projection, position)
             SELECT ledger_id, $1, 0 FROM ledgers
             ON CONFLICT DO NOTHING",
            projection.name(),
        )
        .execute(&mut *tx)
        .await?;
        for ledger in ledgers(&mut tx, projection, &self.scope).await? {
            // From here on no node advances the projection in this ledger. One by one: a lock on rows of several
            // ledgers is more than a distributed database grants.
            let locked = sqlx::query!(
                "SELECT position FROM projection_checkpoints WHERE ledger_id = $1 AND projection = $2 FOR UPDATE",
                ledger.ledger_id,
                projection.name(),
            )
            .fetch_optional(&mut *tx)
            .await?;
            if locked.is_none() {
                // Opened just now: it has no rows yet, and gets them from the start on in the tables that serve then.
                continue;
            }
            let size = event_log::size(&mut tx, &ledger.ledger_id).await?;
            catch_up(
                &mut tx,
                projection,
                &self.archives,
                &ledger.ledger_id,
                ledger.position..size,
                false,
            )
            .await?;
            sqlx::query!(
                "UPDATE projection_checkpoints SET position = $3, parked_reason = NULL
                 WHERE ledger_id = $1 AND projection = $2",
                ledger.ledger_id,
                projection.name(),
                signed(size),
            )
            .execute(&mut *tx)
            .await?;
        }
        let (schema, serving) = (&self.schema, &self.serving);
        let tables: Vec<String> = projection
            .tables()
            .iter()
            .map(|table| format!("\"{serving}\".{table}"))
            .collect();
        let tables = tables.join(", ");
        // Readers queue up behind this: better to try again than to keep them waiting.
        let statements = [
            format!("SET LOCAL lock_timeout = '{LOCK_PATIENCE}'"),
            format!("LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE"),
            format!("DROP TABLE {tables}"),
        ];
        let moves = projection
            .tables()
            .iter()
            .map(|table| format!("ALTER TABLE {schema}.{table} SET SCHEMA \"{serving}\""));
        let rest = [format!("DROP SCHEMA {schema} CASCADE")];
        for statement in statements.into_iter().chain(moves).chain(rest) {
            sqlx::query(&statement).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Ends it and leaves the tables where they are.
    pub async fn keep(self) -> Result<(), ReplayError> {
        Ok(self.conn.close().await?)
    }

    /// Ends it and leaves nothing.
    pub async fn discard(mut self) -> Result<(), ReplayError> {
        sqlx::query(&format!("DROP SCHEMA {} CASCADE", self.schema))
            .execute(&mut self.conn)
            .await?;
        Ok(self.conn.close().await?)
    }

    async fn look(&mut self) -> Result<(), ReplayError> {
        self.ledgers = ledgers(&mut self.conn, self.projection.as_ref(), &self.scope).await?;
        Ok(())
    }
}

fn is_lock(error: &ReplayError) -> bool {
    let ReplayError::Database(sqlx::Error::Database(error)) = error else {
        return false;
    };
    matches!(error.code().as_deref(), Some(LOCK_NOT_AVAILABLE | DEADLOCK))
}

/// What the replay that stands in a schema was begun for.
async fn begun(conn: &mut PgConnection, schema: &str) -> sqlx::Result<Option<String>> {
    let is_there: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(format!("{schema}.replay_scope"))
        .fetch_one(&mut *conn)
        .await?;
    if !is_there {
        return Ok(None);
    }
    sqlx::query_scalar(&format!("SELECT scope FROM {schema}.replay_scope"))
        .fetch_optional(conn)
        .await
}

async fn create(
    conn: &mut PgConnection,
    schema: &str,
    serving: &str,
    tables: &[&str],
    scope: &str,
) -> sqlx::Result<()> {
    let mut tx = conn.begin().await?;
    sqlx::query(&format!("DROP SCHEMA IF EXISTS {schema} CASCADE"))
        .execute(&mut *tx)
        .await?;
    shadow::create(&mut tx, schema, serving, tables).await?;
    for statement in [
        format!("CREATE TABLE {schema}.replay_scope (scope text NOT NULL)"),
        format!(
            "CREATE TABLE {schema}.replay_progress (ledger_id text PRIMARY KEY, position bigint NOT NULL)"
        ),
    ] {
        sqlx::query(&statement).execute(&mut *tx).await?;
    }
    shadow::distribute(&mut tx, schema, "replay_progress").await?;
    sqlx::query(&format!("INSERT INTO {schema}.replay_scope (scope) VALUES ($1)"))
        .bind(scope)
        .execute(&mut *tx)
        .await?;
    tx.commit().await
}

/// The ledgers of a scope, how far each is replayed, and how far it shall be: not past what serves, so that both can
/// be compared.
async fn ledgers(
    conn: &mut PgConnection,
    projection: &dyn Projection,
    scope: &Scope,
) -> sqlx::Result<Vec<Course>> {
    let rows = sqlx::query(
        "SELECT l.ledger_id, l.size, c.position AS serving, coalesce(p.position, 0) AS position
         FROM ledgers l
         LEFT JOIN projection_checkpoints c ON c.ledger_id = l.ledger_id AND c.projection = $1
         LEFT JOIN replay_progress p ON p.ledger_id = l.ledger_id
         WHERE $2::text IS NULL OR l.ledger_id = $2
         ORDER BY l.ledger_id",
    )
    .bind(projection.name())
    .bind(scope.ledger_id.as_deref())
    .fetch_all(&mut *conn)
    .await?;
    let mut ledgers = Vec::with_capacity(rows.len());
    for row in rows {
        let ledger_id: String = row.try_get("ledger_id")?;
        let size = unsigned(row.try_get("size")?);
        let goal = match scope.until {
            Until::Head => row.try_get::<Option<i64>, _>("serving")?.map_or(0, unsigned),
            Until::Position(position) => position.min(size),
            Until::Time(time) => event_log::recorded_until(conn, &ledger_id, time).await?,
        };
        ledgers.push(Course {
            position: unsigned(row.try_get("position")?),
            goal,
            ledger_id,
        });
    }
    Ok(ledgers)
}

/// Applies events from a position on, up to another or only a batch of them, and notes where the next stands.
async fn catch_up(
    conn: &mut PgConnection,
    projection: &dyn Projection,
    archives: &Archives,
    ledger_id: &str,
    span: Range<u64>,
    only_a_batch: bool,
) -> Result<u64, ReplayError> {
    let mut position = span.start;
    while position < span.end {
        position = step(conn, projection, archives, ledger_id, position, span.end)
            .await
            .map_err(|source| ReplayError::Apply {
                ledger_id: ledger_id.to_owned(),
                source,
            })?;
        if only_a_batch {
            break;
        }
    }
    sqlx::query(
        "INSERT INTO replay_progress (ledger_id, position) VALUES ($1, $2)
         ON CONFLICT (ledger_id) DO UPDATE SET position = excluded.position",
    )
    .bind(ledger_id)
    .bind(signed(position))
    .execute(conn)
    .await?;
    Ok(position)
}
