//! The only writer of a ledger on this node: takes all that waits, decides it under the ledger's lock,
//! commits once, answers everyone.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::stream::{self, StreamExt};
use sqlx::pool::PoolConnection;
use sqlx::{Connection, PgConnection, PgPool, Postgres};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use vinzy_events::Timestamp;
use vinzy_projections::event_log::{self, Span, unsigned};

use super::append::Rows;
use super::attempt::Attempt;
use super::batch::{Batch, Known};
use super::cache::{StreamCache, StreamKey};
use super::feed::Feed;
use super::head::{self, Head, HeadError};
use super::load::{StreamLoader, StreamStore};
use super::operation::{
    BoxedStream, Context, Idempotency, LedgerError, Needs, Operation, Outcome, Receipt, StreamPoint,
};
use super::sealed;
use crate::clock::{Clock, Entropy};
use crate::distribution::Layout;
use crate::metrics::LedgerMetrics;

/// Operations per transaction, at most.
const MAX_BATCH: usize = 512;
/// Streams that the cache holds between batches.
const CACHED_STREAMS: usize = 20_000;
/// Cold loads at a time.
const PARALLEL_LOADS: usize = 4;
/// How long a writer without work keeps its connection: taking one anew tests it, and others need it.
const KEEP_CONNECTION: Duration = Duration::from_millis(500);
/// How long a writer without work keeps its streams: there may be many tenants of whom little is heard.
const KEEP_STREAMS: Duration = Duration::from_mins(10);
/// How long a batch may take, the wait for the lock included: who holds that and is silent loses it sooner.
const PATIENCE: Duration = Duration::from_secs(10);
/// Events read at a time when catching up.
const CATCH_UP: u32 = 1_000;

/// An operation in the queue, whatever its type.
pub(super) trait Queued: Send {
    fn needs(&self, needs: &mut Needs);

    /// Decides; whether the batch has anything to write for it shows in the batch's rows. Running again
    /// replaces the decision.
    fn run(&mut self, batch: &mut Batch);

    /// Answers the caller.
    fn settle(self: Box<Self>, committed: Result<(), LedgerError>);
}

/// An operation with its caller.
pub(super) struct Pending<O: Operation> {
    pub(super) operation: O,
    pub(super) context: Context,
    pub(super) idempotency: Option<Idempotency>,
    pub(super) result: Option<Result<Outcome<O::Output>, O::Error>>,
    pub(super) receipt: Option<Receipt>,
    pub(super) reply: oneshot::Sender<Result<Outcome<O::Output>, O::Error>>,
}

impl<O: Operation> Queued for Pending<O> {
    fn needs(&self, needs: &mut Needs) {
        self.operation.needs(needs);
        let key = self
            .idempotency
            .as_ref()
            .map(|idempotency| idempotency.key.clone());
        needs.idempotency_keys.extend(key);
    }

    fn run(&mut self, batch: &mut Batch) {
        self.result = Some(self.attempt(batch));
    }

    fn settle(self: Box<Self>, committed: Result<(), LedgerError>) {
        if let (Ok(()), Some(receipt)) = (&committed, self.receipt) {
            self.context.receipt.put(receipt);
        }
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
    fn attempt(&mut self, batch: &mut Batch) -> Result<Outcome<O::Output>, O::Error> {
        if let Some(idempotency) = &self.idempotency
            && let Some(point) = batch.replay(idempotency)?
        {
            return Ok(Outcome::Replayed(point));
        }
        let mut attempt = Attempt::new(batch, &self.context);
        let output = self.operation.clone().run(&mut attempt)?;
        let changes = attempt.changes;
        self.receipt = batch.accept(changes, self.idempotency.as_ref())?;
        Ok(Outcome::Done(output))
    }
}

/// The connections of all writers of this node.
#[derive(Clone)]
pub(super) struct Connections {
    pub(super) pool: PgPool,
    layout: Layout,
    /// Writers that wait for one.
    waiting: Arc<AtomicUsize>,
}

impl Connections {
    pub(super) fn new(pool: PgPool, layout: Layout) -> Self {
        Self {
            pool,
            layout,
            waiting: Arc::default(),
        }
    }

    async fn get(&self) -> sqlx::Result<PoolConnection<Postgres>> {
        self.waiting.fetch_add(1, Relaxed);
        let connection = self.pool.acquire().await;
        self.waiting.fetch_sub(1, Relaxed);
        connection
    }

    /// Whether others would wait on if this writer kept its connection.
    fn are_wanted(&self) -> bool {
        self.waiting.load(Relaxed) > 0
    }
}

/// What a writer works with.
pub(super) struct Writer {
    connections: Connections,
    pub(super) ledger_id: String,
    pub(super) store: Arc<StreamStore>,
    pub(super) feed: Arc<Feed>,
    metrics: LedgerMetrics,
    pub(super) clock: Clock,
    pub(super) entropy: Entropy,
    /// Every event before this position is contained in the cached streams.
    pub(super) followed: u64,
    pub(super) cache: StreamCache,
    /// Where the ledger ended after the last batch, unless another node has appended lately.
    head: Option<Head>,
    /// The connection of the last batch.
    connection: Option<PoolConnection<Postgres>>,
}

impl Writer {
    pub(super) fn new(
        connections: Connections,
        ledger_id: String,
        feed: Arc<Feed>,
        metrics: LedgerMetrics,
        clock: Clock,
        entropy: Entropy,
    ) -> Self {
        let store = Arc::new(StreamStore::new(connections.pool.clone(), &ledger_id));
        let cache = StreamCache::new(CACHED_STREAMS);
        Self {
            connections,
            ledger_id,
            store,
            feed,
            metrics,
            clock,
            entropy,
            followed: 0,
            cache,
            head: None,
            connection: None,
        }
    }

    /// Works until every sender is gone and the queue is empty.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Box<dyn Queued>>) {
        while let Some(first) = self.next(&mut queue).await {
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

    /// What comes next in the queue; lets go of the connection when that takes a while.
    async fn next(&mut self, queue: &mut mpsc::Receiver<Box<dyn Queued>>) -> Option<Box<dyn Queued>> {
        if self.connection.is_some() {
            if let Ok(next) = timeout(KEEP_CONNECTION, queue.recv()).await {
                return next;
            }
            self.connection = None;
        }
        if !self.cache.is_empty() {
            if let Ok(next) = timeout(KEEP_STREAMS, queue.recv()).await {
                return next;
            }
            self.cache.clear();
        }
        queue.recv().await
    }

    async fn process(&mut self, mut queued: Vec<Box<dyn Queued>>) {
        let mut needs = Needs::default();
        queued.iter().for_each(|operation| operation.needs(&mut needs));
        let started = Instant::now();
        let committed = timeout(PATIENCE, self.commit(&mut queued, &needs)).await;
        let committed = committed.unwrap_or_else(|_| {
            self.start_over();
            Err(LedgerError::Unavailable)
        });
        self.metrics
            .batch(queued.len(), started.elapsed(), committed.is_ok());
        for operation in queued {
            operation.settle(committed.clone());
        }
    }

    /// The batch was given up where it stood. Whether it was written is not known, so nothing is taken to be known: what
    /// is loaded anew is what is there. Should its statement still be on its way, it finds the ledger's end moved, or
    /// moves it before others do.
    fn start_over(&mut self) {
        tracing::error!(ledger_id = self.ledger_id, "the database does not answer");
        self.head = None;
        self.connection = None;
        self.cache.clear();
    }

    /// If this node was alone on the ledger lately, decides on what it knows and lets the writing statement
    /// check that the ledger still ends there: one round trip. Else, or when it was not alone after all,
    /// decides under the lock.
    ///
    /// Keeps its connection from batch to batch: that of the pool would be tested each time.
    async fn commit(&mut self, queued: &mut [Box<dyn Queued>], needs: &Needs) -> Result<(), LedgerError> {
        self.prefetch(needs).await?;
        let mut connection = match self.connection.take() {
            Some(kept) => kept,
            None => self.connections.get().await.map_err(unavailable)?,
        };
        let done = match self.head.take() {
            Some(head) => self.write_at(head, &mut connection, queued, needs).await?,
            None => false,
        };
        if !done {
            self.prefetch(needs).await?;
            self.write_locked(&mut connection, queued, needs).await?;
        }
        // There are fewer connections than ledgers: whoever has more to write waits for its turn, too.
        self.connection = (!self.connections.are_wanted()).then_some(connection);
        Ok(())
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

    /// Decides on a ledger that ends at `head`, and writes if it does. `false` if it does not: then nothing has
    /// happened.
    async fn write_at(
        &mut self,
        head: Head,
        connection: &mut PgConnection,
        queued: &mut [Box<dyn Queued>],
        needs: &Needs,
    ) -> Result<bool, LedgerError> {
        let known = self.look_up(connection, needs).await.map_err(unavailable)?;
        let decided = self.decide(&head, known, queued);
        if decided.rows.is_empty() {
            // Refusals, too, must be those of the ledger's end.
            let now = head::read(connection, &self.ledger_id)
                .await
                .map_err(|error| unusable(&error))?;
            if (now.size, now.hash) != (head.size, head.hash) {
                return Ok(false);
            }
            self.head = Some(head);
            return Ok(true);
        }
        let at_once = self.connections.layout == Layout::OneServer && decided.rows.are_appended_at_once();
        let written = if at_once {
            let (rows, after, at) = (&decided.rows, &decided.head, decided.at);
            rows.append(connection, &self.ledger_id, &head, after, at).await
        } else {
            self.write_in_transaction(connection, &head, &decided).await
        };
        match written {
            Ok(true) => {
                self.follow_own(decided);
                Ok(true)
            }
            Ok(false) => {
                self.forget(&decided);
                Ok(false)
            }
            // Another node has taken the same idempotency key, for something that needed no event.
            Err(error) if is_taken(&error) => {
                self.forget(&decided);
                Ok(false)
            }
            Err(error) => {
                self.forget(&decided);
                Err(unavailable(error))
            }
        }
    }

    async fn write_in_transaction(
        &self,
        connection: &mut PgConnection,
        before: &Head,
        decided: &Decided,
    ) -> sqlx::Result<bool> {
        let mut tx = connection.begin().await?;
        let (rows, after, at) = (&decided.rows, &decided.head, decided.at);
        if !self.append(rows, &mut tx, before, after, at).await? {
            tx.rollback().await?;
            return Ok(false);
        }
        rows.write_rest(&mut tx, &self.ledger_id).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Appends within a transaction: with one statement where the database takes it.
    async fn append(
        &self,
        rows: &Rows,
        conn: &mut PgConnection,
        before: &Head,
        after: &Head,
        at: Timestamp,
    ) -> sqlx::Result<bool> {
        match self.connections.layout {
            Layout::OneServer => rows.append(conn, &self.ledger_id, before, after, at).await,
            Layout::Distributed => {
                rows.append_in_steps(conn, &self.ledger_id, before, after, at)
                    .await
            }
        }
    }

    /// Decides under the ledger's lock, having followed what other nodes have appended, and writes.
    async fn write_locked(
        &mut self,
        connection: &mut PgConnection,
        queued: &mut [Box<dyn Queued>],
        needs: &Needs,
    ) -> Result<(), LedgerError> {
        let mut tx = connection.begin().await.map_err(unavailable)?;
        let before = head::lock(&mut tx, &self.ledger_id)
            .await
            .map_err(|error| unusable(&error))?;
        let alone = self.followed == before.size;
        self.catch_up(&mut tx, before.size).await.map_err(unavailable)?;
        let known = self.look_up(&mut tx, needs).await.map_err(unavailable)?;
        let decided = self.decide(&before, known, queued);
        if decided.rows.is_empty() {
            tx.rollback().await.map_err(unavailable)?;
            self.head = alone.then_some(before);
            return Ok(());
        }
        let (rows, after, at) = (&decided.rows, &decided.head, decided.at);
        let written = async {
            if !self.append(rows, &mut tx, &before, after, at).await? {
                return Err(sqlx::Error::RowNotFound);
            }
            rows.write_rest(&mut tx, &self.ledger_id).await?;
            tx.commit().await
        }
        .await;
        if let Err(error) = written {
            self.forget(&decided);
            return Err(unavailable(error));
        }
        self.follow_own(decided);
        if !alone {
            self.head = None;
        }
        Ok(())
    }

    /// Runs every operation in turn on a ledger that ends at `before`. The cache is ahead of the database then.
    fn decide(&mut self, before: &Head, known: Known, queued: &mut [Box<dyn Queued>]) -> Decided {
        let mut batch = Batch {
            at: self.clock.now().max(before.last_recorded_at),
            origin: before.origin.clone(),
            entropy: self.entropy.clone(),
            cache: std::mem::replace(&mut self.cache, StreamCache::new(CACHED_STREAMS)),
            head: before.clone(),
            known,
            rows: Rows::default(),
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
        Decided {
            at,
            head,
            rows,
            touched,
        }
    }

    /// What was decided is on disk.
    fn follow_own(&mut self, decided: Decided) {
        self.followed = decided.head.size;
        self.feed.publish(&self.ledger_id, &decided.rows.events);
        self.head = Some(decided.head);
    }

    /// What was decided is not on disk, as far as we know: the cache is ahead of what is.
    fn forget(&mut self, decided: &Decided) {
        decided.touched.iter().for_each(|key| self.cache.remove(key));
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

    async fn look_up(&self, conn: &mut PgConnection, needs: &Needs) -> sqlx::Result<Known> {
        let mut known = Known::default();
        if !needs.claims.is_empty() {
            known.claims = self.claims(conn, &needs.claims).await?;
        }
        if !needs.references.is_empty() {
            known.references = self.references(conn, &needs.references).await?;
        }
        if !needs.sealed_data.is_empty() {
            known.sealed_data = sealed::look_up(conn, &self.ledger_id, &needs.sealed_data).await?;
        }
        if !needs.idempotency_keys.is_empty() {
            known.idempotency = self.idempotency(conn, &needs.idempotency_keys).await?;
        }
        Ok(known)
    }

    /// The lateral look-up goes by the whole key, one by one, whatever a plan that was made when the table was
    /// new thinks of its size; so does that of idempotency keys.
    async fn claims(
        &self,
        conn: &mut PgConnection,
        wanted: &[(&'static str, String)],
    ) -> sqlx::Result<HashMap<(&'static str, String), String>> {
        let rows = sqlx::query!(
            "SELECT c.kind, c.value, c.stream_id
             FROM unnest($2::text[], $3::text[]) AS x(kind, value)
             CROSS JOIN LATERAL (SELECT kind, value, stream_id FROM unique_claims
                                 WHERE ledger_id = $1 AND kind = x.kind AND value = x.value
                                 LIMIT 1) c",
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
            .iter()
            .filter_map(|(kind, value)| {
                let holder = holders.get(&((*kind).to_owned(), value.clone()))?.clone();
                Some(((*kind, value.clone()), holder))
            })
            .collect())
    }

    async fn references(
        &self,
        conn: &mut PgConnection,
        targets: &[StreamKey],
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
            counts.insert(target.clone(), count);
        }
        Ok(counts)
    }

    async fn idempotency(
        &self,
        conn: &mut PgConnection,
        keys: &[String],
    ) -> sqlx::Result<HashMap<String, ([u8; 32], StreamPoint)>> {
        let rows = sqlx::query!(
            "SELECT k.key, k.request_hash, k.stream_type, k.stream_id, k.stream_seq
             FROM unnest($2::text[]) AS x(key)
             CROSS JOIN LATERAL (SELECT key, request_hash, stream_type, stream_id, stream_seq
                                 FROM idempotency_keys
                                 WHERE ledger_id = $1 AND key = x.key
                                 LIMIT 1) k",
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

/// What a batch came to.
struct Decided {
    at: Timestamp,
    head: Head,
    rows: Rows,
    touched: HashSet<StreamKey>,
}

/// Whether somebody else holds a unique value.
fn is_taken(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

async fn load_stream(
    store: Arc<StreamStore>,
    key: StreamKey,
    load: StreamLoader,
) -> Result<(StreamKey, BoxedStream), LedgerError> {
    let stream = load(store, key.stream_id.clone()).await?;
    Ok((key, stream))
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
