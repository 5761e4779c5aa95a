//! The only writer of a ledger on this node: takes all that waits, decides it under the ledger's lock,
//! commits once, answers everyone.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::stream::{self, StreamExt};
use sqlx::pool::PoolConnection;
use sqlx::{Connection, PgConnection, PgPool, Postgres};
use tokio::sync::{mpsc, oneshot};
use vinzy_projections::event_log::{self, Span, unsigned};

use super::attempt::Attempt;
use super::batch::{Batch, Known};
use super::cache::{StreamCache, StreamKey};
use super::feed::Feed;
use super::head::{self, HeadError};
use super::load::{StreamLoader, StreamStore};
use super::operation::{
    BoxedStream, Context, Idempotency, LedgerError, Needs, Operation, Outcome, StreamPoint,
};
use crate::clock::{Clock, Entropy};

/// Operations per transaction, at most.
const MAX_BATCH: usize = 512;
/// Streams that the cache holds between batches.
const CACHED_STREAMS: usize = 20_000;
/// Cold loads at a time.
const PARALLEL_LOADS: usize = 4;
/// How long after its last use a connection is taken to be alive.
const TRUSTED: Duration = Duration::from_millis(500);
/// Events read at a time when catching up.
const CATCH_UP: u32 = 1_000;

/// An operation in the queue, whatever its type.
pub(super) trait Queued: Send {
    fn needs(&self, needs: &mut Needs);

    fn idempotency(&self) -> Option<&Idempotency>;

    /// Decides; whether the batch has anything to write for it shows in the batch's rows.
    fn run(&mut self, batch: &mut Batch);

    /// Answers the caller.
    fn settle(self: Box<Self>, committed: Result<(), LedgerError>);
}

/// An operation with its caller.
pub(super) struct Pending<O: Operation> {
    pub(super) operation: Option<O>,
    pub(super) context: Context,
    pub(super) idempotency: Option<Idempotency>,
    pub(super) result: Option<Result<Outcome<O::Output>, O::Error>>,
    pub(super) reply: oneshot::Sender<Result<Outcome<O::Output>, O::Error>>,
}

impl<O: Operation> Queued for Pending<O> {
    fn needs(&self, needs: &mut Needs) {
        if let Some(operation) = &self.operation {
            operation.needs(needs);
        }
    }

    fn idempotency(&self) -> Option<&Idempotency> {
        self.idempotency.as_ref()
    }

    fn run(&mut self, batch: &mut Batch) {
        let Some(operation) = self.operation.take() else {
            return;
        };
        self.result = Some(self.attempt(operation, batch));
    }

    fn settle(self: Box<Self>, committed: Result<(), LedgerError>) {
        let result = match (committed, self.result) {
            (Ok(()), Some(result)) => result,
            // A refusal too: it may rest on what came before it in the batch and is now undone.
            (Err(error), _) => Err(error.into()),
            (Ok(()), None) => Err(LedgerError::Unavailable.into()),
        };
        // A caller who has gone away does not undo what was done.
        let _ = self.reply.send(result);
    }
}

impl<O: Operation> Pending<O> {
    fn attempt(&mut self, operation: O, batch: &mut Batch) -> Result<Outcome<O::Output>, O::Error> {
        if let Some(idempotency) = &self.idempotency
            && let Some(point) = batch.replay(idempotency)?
        {
            return Ok(Outcome::Replayed(point));
        }
        let mut attempt = Attempt::new(batch, &self.context);
        let output = operation.run(&mut attempt)?;
        let changes = attempt.changes;
        batch.accept(changes, self.idempotency.take())?;
        Ok(Outcome::Done(output))
    }
}

/// What a writer works with.
pub(super) struct Writer {
    pub(super) pool: PgPool,
    pub(super) ledger_id: String,
    pub(super) store: Arc<StreamStore>,
    pub(super) feed: Arc<Feed>,
    pub(super) clock: Clock,
    pub(super) entropy: Entropy,
    /// Every event before this position is contained in the cached streams.
    pub(super) followed: u64,
    pub(super) cache: StreamCache,
    /// The connection of the last batch, and when that was.
    connection: Option<(PoolConnection<Postgres>, Instant)>,
}

impl Writer {
    pub(super) fn new(
        pool: PgPool,
        ledger_id: String,
        feed: Arc<Feed>,
        clock: Clock,
        entropy: Entropy,
    ) -> Self {
        let store = Arc::new(StreamStore::new(pool.clone(), &ledger_id));
        let cache = StreamCache::new(CACHED_STREAMS);
        Self {
            pool,
            ledger_id,
            store,
            feed,
            clock,
            entropy,
            followed: 0,
            cache,
            connection: None,
        }
    }

    /// Works until every sender is gone and the queue is empty.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Box<dyn Queued>>) {
        while let Some(first) = queue.recv().await {
            // Those who were answered last are asking again just now: a moment for them makes the batch
            // larger, and costs nothing when nobody comes.
            tokio::task::yield_now().await;
            let mut batch = vec![first];
            while batch.len() < MAX_BATCH
                && let Ok(next) = queue.try_recv()
            {
                batch.push(next);
            }
            self.process(batch).await;
            self.cache.trim();
        }
    }

    async fn process(&mut self, mut queued: Vec<Box<dyn Queued>>) {
        let mut needs = Needs::default();
        queued.iter().for_each(|operation| operation.needs(&mut needs));
        let committed = match self.prefetch(&needs).await {
            Ok(()) => self.decide_and_commit(&mut queued, needs).await,
            Err(error) => Err(error),
        };
        for operation in queued {
            operation.settle(committed.clone());
        }
    }

    /// Loads what is not at hand, before the lock is taken. Events that others append meanwhile are
    /// followed under the lock, so a load can only be too fresh, never too old.
    async fn prefetch(&mut self, needs: &Needs) -> Result<(), LedgerError> {
        if self.cache.is_empty() {
            // Nothing is cached, so there is nothing to follow. What the feed has not passed on yet is read
            // all the same: it must be passed on before what this writer appends.
            self.followed = self.feed.next(&self.ledger_id);
        }
        let missing: HashMap<StreamKey, StreamLoader> = needs
            .streams
            .iter()
            .filter(|(key, _)| !self.cache.contains(key))
            .map(|(key, loader)| (key.clone(), *loader))
            .collect();
        let mut loads = vec![];
        for (key, load) in missing {
            loads.push(load_stream(Arc::clone(&self.store), key, load).boxed());
        }
        let loaded: Vec<_> = stream::iter(loads)
            .buffer_unordered(PARALLEL_LOADS)
            .collect()
            .await;
        for stream in loaded {
            let (key, stream) = stream?;
            self.cache.put(key, stream);
        }
        Ok(())
    }

    /// Keeps its connection from batch to batch: that of the pool would be tested each time.
    async fn decide_and_commit(
        &mut self,
        queued: &mut [Box<dyn Queued>],
        needs: Needs,
    ) -> Result<(), LedgerError> {
        let mut connection = self.connect().await.map_err(unavailable)?;
        self.transact(&mut connection, queued, needs).await?;
        self.connection = Some((connection, Instant::now()));
        Ok(())
    }

    /// The connection of the last batch; tested only when it has been idle, or another.
    async fn connect(&mut self) -> sqlx::Result<PoolConnection<Postgres>> {
        if let Some((mut kept, used)) = self.connection.take()
            && (used.elapsed() < TRUSTED || kept.ping().await.is_ok())
        {
            return Ok(kept);
        }
        self.pool.acquire().await
    }

    async fn transact(
        &mut self,
        connection: &mut PgConnection,
        queued: &mut [Box<dyn Queued>],
        needs: Needs,
    ) -> Result<(), LedgerError> {
        let mut tx = connection.begin().await.map_err(unavailable)?;
        let head = head::lock(&mut tx, &self.ledger_id)
            .await
            .map_err(|error| unusable(&error))?;
        self.catch_up(&mut tx, head.size).await.map_err(unavailable)?;
        let keys = idempotency_keys(queued);
        let known = self.look_up(&mut tx, &keys, needs).await.map_err(unavailable)?;

        let mut batch = Batch {
            at: self.clock.now().max(head.last_recorded_at),
            origin: head.origin.clone(),
            entropy: self.entropy.clone(),
            cache: std::mem::replace(&mut self.cache, StreamCache::new(CACHED_STREAMS)),
            head,
            known,
            rows: super::append::Rows::default(),
            touched: HashSet::new(),
        };
        for operation in queued.iter_mut() {
            operation.run(&mut batch);
        }
        let Batch {
            at,
            cache,
            head,
            rows,
            touched,
            ..
        } = batch;
        self.cache = cache;
        if rows.is_empty() {
            return tx.rollback().await.map_err(unavailable);
        }

        let written = async {
            rows.write(&mut tx, &self.ledger_id, at).await?;
            head::advance(&mut tx, &self.ledger_id, &head).await?;
            tx.commit().await
        }
        .await;
        if let Err(error) = written {
            // The state in the cache is ahead of the database, or of what we know of it.
            touched.iter().for_each(|key| self.cache.remove(key));
            return Err(unavailable(error));
        }
        self.followed = head.size;
        self.feed.publish(&self.ledger_id, &rows.events);
        Ok(())
    }

    /// Follows what other nodes have appended. Runs under the lock, so that nothing is missed.
    async fn catch_up(&mut self, conn: &mut PgConnection, size: u64) -> sqlx::Result<()> {
        while self.followed < size {
            let span = Span {
                ledger_id: &self.ledger_id,
                from: self.followed,
                to: size,
                stream_types: &[],
                limit: CATCH_UP,
            };
            let events = event_log::read(conn, span).await?;
            let Some(last) = events.last() else {
                // Events before the head that cannot be read: let verification name them, decide on what is there.
                tracing::error!(
                    ledger_id = self.ledger_id,
                    from = self.followed,
                    size,
                    "events are missing"
                );
                self.cache.clear();
                self.followed = size;
                break;
            };
            events.iter().for_each(|event| self.cache.follow(event));
            self.followed = last.position + 1;
            self.feed.publish(&self.ledger_id, &events);
        }
        Ok(())
    }

    async fn look_up(&self, conn: &mut PgConnection, keys: &[String], needs: Needs) -> sqlx::Result<Known> {
        let mut known = Known::default();
        if !needs.claims.is_empty() {
            known.claims = self.claims(conn, needs.claims).await?;
        }
        if !needs.references.is_empty() {
            known.references = self.references(conn, needs.references).await?;
        }
        if !keys.is_empty() {
            known.idempotency = self.idempotency(conn, keys).await?;
        }
        Ok(known)
    }

    async fn claims(
        &self,
        conn: &mut PgConnection,
        wanted: Vec<(&'static str, String)>,
    ) -> sqlx::Result<HashMap<(&'static str, String), String>> {
        let rows = sqlx::query!(
            "SELECT kind, value, stream_id FROM unique_claims
             WHERE ledger_id = $1
               AND (kind, value) IN (SELECT x.kind, x.value FROM unnest($2::text[], $3::text[]) AS x(kind, value))",
            self.ledger_id,
            &wanted.iter().map(|(kind, _)| *kind).collect::<Vec<_>>() as &[&str],
            &wanted.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>() as &[&str],
        )
        .fetch_all(conn)
        .await?;
        let holders: HashMap<(String, String), String> = rows
            .into_iter()
            .map(|row| ((row.kind, row.value), row.stream_id))
            .collect();
        Ok(wanted
            .into_iter()
            .filter_map(|(kind, value)| {
                let holder = holders.get(&(kind.to_owned(), value.clone()))?.clone();
                Some(((kind, value), holder))
            })
            .collect())
    }

    async fn references(
        &self,
        conn: &mut PgConnection,
        targets: Vec<StreamKey>,
    ) -> sqlx::Result<HashMap<StreamKey, i64>> {
        let mut counts = HashMap::new();
        for target in targets {
            let count = sqlx::query_scalar!(
                r#"SELECT coalesce(sum(count), 0)::bigint AS "count!" FROM reference_counts
                   WHERE ledger_id = $1 AND target_type = $2 AND target_id = $3"#,
                self.ledger_id,
                target.stream_type,
                target.stream_id,
            )
            .fetch_one(&mut *conn)
            .await?;
            counts.insert(target, count);
        }
        Ok(counts)
    }

    async fn idempotency(
        &self,
        conn: &mut PgConnection,
        keys: &[String],
    ) -> sqlx::Result<HashMap<String, ([u8; 32], StreamPoint)>> {
        let rows = sqlx::query!(
            "SELECT key, request_hash, stream_type, stream_id, stream_seq FROM idempotency_keys
             WHERE ledger_id = $1 AND key = ANY($2)",
            self.ledger_id,
            keys,
        )
        .fetch_all(conn)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let point = StreamPoint {
                    stream_type: row.stream_type,
                    stream_id: row.stream_id,
                    seq: unsigned(row.stream_seq),
                };
                // A hash of another length equals none.
                let hash = row.request_hash.try_into().unwrap_or([0; 32]);
                (row.key, (hash, point))
            })
            .collect())
    }
}

async fn load_stream(
    store: Arc<StreamStore>,
    key: StreamKey,
    load: StreamLoader,
) -> Result<(StreamKey, BoxedStream), LedgerError> {
    let stream = load(store, key.stream_id.clone()).await?;
    Ok((key, stream))
}

fn idempotency_keys(queued: &[Box<dyn Queued>]) -> Vec<String> {
    queued
        .iter()
        .filter_map(|operation| operation.idempotency())
        .map(|one| one.key.clone())
        .collect()
}

fn unavailable(error: sqlx::Error) -> LedgerError {
    tracing::error!(
        error = &error as &dyn std::error::Error,
        "the ledger could not be written"
    );
    LedgerError::Unavailable
}

fn unusable(error: &HeadError) -> LedgerError {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "the ledger could not be locked"
    );
    LedgerError::Unavailable
}
