//! The only writer of events: queues, decisions under the ledger's lock, group commit, checkpoints and
//! verification. Nobody else inserts into `events`. Knows nothing of HTTP.

mod append;
pub mod archive;
mod attempt;
mod batch;
mod cache;
pub mod checkpoint;
mod checkpoint_keys;
mod endpoint_secrets;
mod erasures;
pub mod feed;
mod handover;
pub mod head;
mod load;
mod mails;
mod open;
mod operation;
pub mod publisher;
mod sealed;
pub mod signer;
mod snapshot;
pub mod tree;
pub mod verify;
pub mod witness;
mod writer;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::PgPool;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use vinzy_events::anomaly::Anomaly;
use vinzy_events::api_key::ApiKey;
use vinzy_events::customer::Customer;
use vinzy_events::endpoint::Endpoint;
use vinzy_events::license::License;
use vinzy_events::meter::Meter;
use vinzy_events::product::Product;
use vinzy_events::purchase::Purchase;
use vinzy_events::tenant::Tenant;

pub use attempt::{Attempt, Credential, Personal, Taken};
pub use cache::Versioned;
pub use checkpoint_keys::CheckpointKeys;
pub use endpoint_secrets::SealedSecret;
pub use feed::{Feed, Listener};
pub use load::StreamStore;
pub use mails::SealedMail;
pub use open::{NamedKey, OpenError, Opening, named_key, named_keys, open};
pub use operation::{
    Context, Idempotency, LedgerError, Needs, Operation, Outcome, Receipt, ReceiptSlot, StreamPoint,
};
pub use sealed::SealedData;

use crate::clock::{Clock, Entropy};
use crate::database::{companion, disconnect};
use crate::distribution::Layout;
use crate::metrics::LedgerMetrics;
use writer::{Connections, Pending, Queued, Writer};

/// Operations that may wait per ledger before callers wait for room.
const QUEUE: usize = 4_096;

/// The types of all streams that commands write.
const STREAM_TYPES: [&str; 9] = [
    <Product as cqrs_es::Aggregate>::TYPE,
    <Customer as cqrs_es::Aggregate>::TYPE,
    <License as cqrs_es::Aggregate>::TYPE,
    <Meter as cqrs_es::Aggregate>::TYPE,
    <Anomaly as cqrs_es::Aggregate>::TYPE,
    <ApiKey as cqrs_es::Aggregate>::TYPE,
    <Tenant as cqrs_es::Aggregate>::TYPE,
    <Endpoint as cqrs_es::Aggregate>::TYPE,
    <Purchase as cqrs_es::Aggregate>::TYPE,
];

/// The ledgers of this node.
pub struct Ledgers {
    /// For readers.
    pool: PgPool,
    feed: Arc<Feed>,
    metrics: LedgerMetrics,
    clock: Clock,
    entropy: Entropy,
    writers: Mutex<Writers>,
}

struct Writers {
    /// `None` once the ledgers are closed.
    queues: Option<HashMap<String, mpsc::Sender<Box<dyn Queued>>>>,
    tasks: JoinSet<()>,
    ground: Option<Ground>,
}

/// What writers run on: a thread of their own, with connections of its own. Everybody waits for a writer, so it
/// must not wait for its turn among the requests.
struct Ground {
    runtime: Runtime,
    connections: Connections,
}

impl Ground {
    /// Writers of one node share a few connections: each has one only while there is work.
    fn new(readers: &PgPool, layout: Layout) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("ledger")
            .enable_all()
            .build()?;
        let pool = {
            // The pool's tasks and sockets belong to the thread that works with them.
            let _entered = runtime.enter();
            companion(readers, (readers.options().get_max_connections() / 4).max(2))
        };
        let connections = Connections::new(pool, layout);
        Ok(Self { runtime, connections })
    }
}

impl Ledgers {
    /// Ledgers in the database of `pool`, which readers use; writers get connections of their own, a quarter
    /// as many. Committed events go to `feed`.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn new(
        pool: PgPool,
        layout: Layout,
        feed: Arc<Feed>,
        metrics: LedgerMetrics,
        clock: Clock,
        entropy: Entropy,
    ) -> std::io::Result<Self> {
        let writers = Writers {
            queues: Some(HashMap::new()),
            tasks: JoinSet::new(),
            ground: Some(Ground::new(&pool, layout)?),
        };
        Ok(Self {
            pool,
            feed,
            metrics,
            clock,
            entropy,
            writers: Mutex::new(writers),
        })
    }

    /// Runs `operation` under the ledger's lock and answers when its events are on disk.
    ///
    /// With `idempotency`, the same key and request again is [`Outcome::Replayed`] and changes nothing.
    ///
    /// # Errors
    /// What the operation refuses with, or a [`LedgerError`].
    pub async fn execute<O: Operation>(
        &self,
        ledger_id: &str,
        operation: O,
        context: Context,
        idempotency: Option<Idempotency>,
    ) -> Result<Outcome<O::Output>, O::Error> {
        let (reply, answer) = oneshot::channel();
        let pending = Pending {
            operation,
            context,
            idempotency,
            result: None,
            receipt: None,
            reply,
        };
        let queue = self.queue(ledger_id).ok_or(LedgerError::Unavailable)?;
        queue
            .send(Box::new(pending))
            .await
            .map_err(|_| LedgerError::Unavailable)?;
        answer
            .await
            .unwrap_or_else(|_| Err(LedgerError::Unavailable.into()))
    }

    /// Reads the streams of a ledger.
    pub fn store(&self, ledger_id: &str) -> StreamStore {
        StreamStore::new(self.pool.clone(), ledger_id)
    }

    /// Operations that wait to be written, in all ledgers.
    pub fn waiting(&self) -> usize {
        let writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        let queues = writers.queues.iter().flat_map(HashMap::values);
        queues.map(|queue| queue.max_capacity() - queue.capacity()).sum()
    }

    /// Takes no more operations, writes those that wait, and ends the writers.
    pub async fn close(&self) {
        let (mut tasks, ground) = {
            let mut writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
            writers.queues = None;
            (std::mem::take(&mut writers.tasks), writers.ground.take())
        };
        while tasks.join_next().await.is_some() {}
        if let Some(ground) = ground {
            disconnect(&ground.connections.pool).await;
            ground.runtime.shutdown_background();
        }
    }

    /// The ledger's queue, with its writer started; `None` once closed.
    fn queue(&self, ledger_id: &str) -> Option<mpsc::Sender<Box<dyn Queued>>> {
        let mut writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        let Writers {
            queues,
            tasks,
            ground,
        } = &mut *writers;
        let (queues, ground) = (queues.as_mut()?, ground.as_ref()?);
        // A writer that died (it never should) is replaced; its callers have been told.
        if let Some(queue) = queues.get(ledger_id).filter(|queue| !queue.is_closed()) {
            return Some(queue.clone());
        }
        let (sender, receiver) = mpsc::channel(QUEUE);
        let writer = Writer::new(
            ground.connections.clone(),
            ledger_id.to_owned(),
            Arc::clone(&self.feed),
            self.metrics.clone(),
            self.clock.clone(),
            self.entropy.clone(),
        );
        tasks.spawn_on(writer.run(receiver), ground.runtime.handle());
        queues.insert(ledger_id.to_owned(), sender.clone());
        Some(sender)
    }
}

impl Drop for Ledgers {
    fn drop(&mut self) {
        // Without a close, as when a start fails: a runtime must not be waited for where others run.
        let writers = self.writers.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(ground) = writers.ground.take() {
            ground.runtime.shutdown_background();
        }
    }
}
