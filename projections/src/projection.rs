//! What a projection is to the runner and to the rebuild.
//!
//! A process, which follows events to act on them, is one without tables: it has a checkpoint all the same.

use std::future::Future;
use std::pin::Pin;

use sqlx::PgConnection;

use crate::StoredEvent;
use crate::event_log::DecodeError;

/// A boxed future, so that projections can stand in one list.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Turns events into rows.
pub trait Projection: Send + Sync + 'static {
    /// Name in checkpoints, logs and on the command line: a plural noun.
    fn name(&self) -> &'static str;

    /// The stream types whose events it reads; it is shown no others.
    fn stream_types(&self) -> &'static [&'static str];

    /// The tables it writes, which nobody else does.
    fn tables(&self) -> &'static [&'static str];

    /// Applies `events`, which come in order of position and each exactly once. Writes through `conn`
    /// only: the caller commits rows and checkpoint together.
    ///
    /// Returns how many it applied, from the first: all of them, or, where they turned out to be too much for one
    /// transaction, at least one. Those left are shown again.
    fn apply<'a>(
        &'a self,
        conn: &'a mut PgConnection,
        ledger_id: &'a str,
        events: &'a [StoredEvent],
    ) -> BoxFuture<'a, Result<usize, ApplyError>>;
}

/// Why a batch was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The database failed; the batch is tried again.
    #[error("database failed")]
    Database(#[from] sqlx::Error),
    /// Something else is not to be had at the moment; the batch is tried again.
    #[error("cannot go on at the moment")]
    Later(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// An event cannot be understood; the projection parks there until it is mended.
    #[error("event {position} cannot be applied")]
    Poison {
        /// Where it stands.
        position: u64,
        /// What is wrong with it.
        #[source]
        source: DecodeError,
    },
}
