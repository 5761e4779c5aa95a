//! The ledgers' events for integrators: in order of position, without gaps, and soon after they were committed, on
//! whichever node. Events are read from the database, and what is committed meanwhile only wakes who waits for it: so
//! nobody misses an event because of what a node remembers, and a slow reader costs no memory.

mod arrivals;
mod filter;
mod message;
mod places;
mod reader;

use std::sync::Arc;

use sqlx::PgPool;
use tokio::sync::{Semaphore, watch};
use vinzy_projections::StoredEvent;
use vinzy_projections::event_log;

use crate::ledger::Listener;
use arrivals::Arrivals;
pub use filter::{Filter, FilterError, HIDDEN};
pub use message::{event_of, feed_event_of};
use places::Places;
pub use places::{Crowded, Place};
pub use reader::{Read, Reader};

/// Reads at a time: who reads events must not take all connections from those who do something else.
const READS: usize = 4;

/// Reads events, and wakes those who wait for them.
pub struct EventFeed {
    pool: PgPool,
    reads: Semaphore,
    arrivals: Arrivals,
    places: Places,
    ended: watch::Sender<bool>,
}

impl EventFeed {
    /// The feed of the ledgers in a database. It must hear of what is committed.
    pub fn new(pool: PgPool) -> Self {
        Self {
            pool,
            reads: Semaphore::new(READS),
            arrivals: Arrivals::default(),
            places: Places::default(),
            ended: watch::channel(false).0,
        }
    }

    /// Number of events in a ledger.
    pub async fn size(&self, ledger_id: &str) -> sqlx::Result<u64> {
        let mut conn = self.pool.acquire().await?;
        event_log::size(&mut conn, ledger_id).await
    }

    /// A place to read and wait at; there are few per key, and not many per ledger and in all.
    pub fn place(&self, key: uuid::Uuid, ledger_id: &Arc<str>) -> Result<Place, Crowded> {
        self.places.take(key, ledger_id)
    }

    /// How many have a place now.
    pub fn readers(&self) -> usize {
        self.places.taken()
    }

    /// Ends all waiting, now and later: whoever waits hears at once that there is nothing.
    pub fn end(&self) {
        self.ended.send_replace(true);
    }

    /// Whether waiting has ended.
    pub fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }
}

impl Listener for EventFeed {
    fn committed(&self, ledger_id: &str, _: &[StoredEvent]) {
        self.arrivals.tell(ledger_id);
    }
}
