//! Reading a ledger from a position on, and waiting for what is to come.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use vinzy_projections::StoredEvent;
use vinzy_projections::event_log::{self, Scan};

use super::{EventFeed, Filter};

/// Positions that one statement looks at, at most.
const SPAN: u64 = 50_000;
/// No further event is read once those before have so many bytes.
const MAX_BYTES: u32 = 1024 * 1024;

/// Reads a ledger's events, each once and in order.
pub struct Reader {
    feed: Arc<EventFeed>,
    ledger_id: Arc<str>,
    filter: Filter,
    /// The next position to look at.
    next: u64,
    committed: watch::Receiver<()>,
    ended: watch::Receiver<bool>,
}

/// What was read.
#[derive(Debug)]
pub struct Read {
    /// The events.
    pub events: Vec<StoredEvent>,
    /// Whether there is more to look at now.
    pub has_more: bool,
}

impl Reader {
    /// Reads from position `next` on.
    pub fn new(feed: Arc<EventFeed>, ledger_id: Arc<str>, filter: Filter, next: u64) -> Self {
        Self {
            // From before anything is read: what is committed after that is not missed.
            committed: feed.arrivals.subscribe(&ledger_id),
            ended: feed.ended.subscribe(),
            feed,
            ledger_id,
            filter,
            next,
        }
    }

    /// The next position to look at.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The next events, at most so many. If there are none, waits for them until `deadline`, or until the feed ends.
    pub async fn read(&mut self, limit: u32, deadline: Instant) -> sqlx::Result<Read> {
        loop {
            self.committed.mark_unchanged();
            let read = self.look(limit).await?;
            let late = Instant::now() >= deadline || *self.ended.borrow();
            if !read.events.is_empty() || late {
                return Ok(read);
            }
            if !read.has_more {
                self.wait(deadline).await;
            }
        }
    }

    /// Reads what is there.
    async fn look(&mut self, limit: u32) -> sqlx::Result<Read> {
        let _turn = self
            .feed
            .reads
            .acquire()
            .await
            .map_err(|_| sqlx::Error::PoolClosed)?;
        let mut conn = self.feed.pool.acquire().await?;
        // Up to there everything is committed: a ledger's events and its size change together, under a lock.
        let size = event_log::size(&mut conn, &self.ledger_id).await?;
        let to = size.min(self.next + SPAN);
        let scan = Scan {
            ledger_id: &self.ledger_id,
            from: self.next,
            to,
            event_types: &self.filter.event_types,
            hidden_streams: &self.filter.hidden_streams,
            limit,
            max_bytes: MAX_BYTES,
        };
        let events = if self.next < to {
            event_log::scan(&mut conn, scan).await?
        } else {
            vec![]
        };
        let bytes: usize = events.iter().map(|event| event.leaf.len()).sum();
        let is_full = events.len() >= limit as usize || bytes >= MAX_BYTES as usize;
        match events.last() {
            Some(last) if is_full => self.next = last.position + 1,
            _ => self.next = self.next.max(to),
        }
        Ok(Read {
            events,
            has_more: self.next < size,
        })
    }

    async fn wait(&mut self, deadline: Instant) {
        let something = async {
            tokio::select! {
                // Neither of the two goes away before this does.
                _ = self.committed.changed() => {}
                _ = self.ended.wait_for(|ended| *ended) => {}
            }
        };
        // Whatever it was, the caller looks.
        let _ = timeout_at(deadline, something).await;
    }
}
