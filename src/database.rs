//! Connections to the database, and how long it may be silent.
//!
//! A network that is cut says nothing: whoever waits for an answer would wait for ever. So nothing here waits without an
//! end, and what the other side of a cut holds, it loses.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, PgPool, Row};
use tokio::time::timeout;
pub use vinzy_projections::within;

/// What every session begins with, as statements: poolers do not pass on options of a connection.
///
/// A session that holds a lock and falls silent, because its node was stopped or cut off, loses both: the first line for
/// whoever waits for the database, the next four for whoever does not even take what was sent. And plans are made when
/// tables are new and small, and kept while they grow: none may read a whole table where an index serves.
const SESSION: &str = "SET idle_in_transaction_session_timeout = '5s';
                       SET tcp_user_timeout = '10s';
                       SET tcp_keepalives_idle = '10s';
                       SET tcp_keepalives_interval = '5s';
                       SET tcp_keepalives_count = 2;
                       SET enable_seqscan = off";

/// How long a connection is waited for.
const ACQUIRE_PATIENCE: Duration = Duration::from_secs(5);
/// How long a connection may take to show that it lives.
const TEST_PATIENCE: Duration = Duration::from_secs(2);

/// Connections to a database.
pub async fn connect(options: PgConnectOptions, size: u32) -> sqlx::Result<PgPool> {
    pool(size).connect_with(session(options)).await
}

/// As [`connect`], to a database that may be away: the first connection is made when it is wanted.
pub fn connect_lazily(options: PgConnectOptions, size: u32) -> PgPool {
    pool(size).connect_lazy_with(session(options))
}

fn session(options: PgConnectOptions) -> PgConnectOptions {
    options.application_name("vinzy").disable_statement_logging()
}

/// Further connections to the same database, made when they are wanted.
pub fn companion(of: &PgPool, size: u32) -> PgPool {
    pool(size).connect_lazy_with(of.connect_options().as_ref().clone())
}

/// A pool that gives up what does not answer: a connection whose user went away in the middle of a statement is tested
/// before it goes back, and one that was idle before it is taken out.
fn pool(size: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(ACQUIRE_PATIENCE)
        .test_before_acquire(false)
        .after_connect(|connection, _| {
            Box::pin(async move {
                connection.execute(sqlx::raw_sql(SESSION)).await?;
                Ok(())
            })
        })
        .before_acquire(|connection, _| {
            Box::pin(async move { within(TEST_PATIENCE, connection.ping()).await.map(|()| true) })
        })
        .after_release(|connection, _| Box::pin(within(TEST_PATIENCE, is_at_rest(connection))))
}

/// Whether a connection answers and is in no transaction: whoever goes away while one begins leaves it open, and what the
/// next did would be a part of it. Asked in one message: else the statement is younger than its own transaction.
async fn is_at_rest(connection: &mut PgConnection) -> sqlx::Result<bool> {
    let asked = sqlx::raw_sql("SELECT now() = statement_timestamp()");
    connection.fetch_one(asked).await?.try_get(0)
}

/// How often, and after which pause, a pool is closed again.
const CLOSINGS: u32 = 200;
const BETWEEN_CLOSINGS: Duration = Duration::from_millis(10);
/// How long connections may take to be closed in all: one that hangs comes back to the pool when it was tested.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// Ends all connections.
///
/// A pool closes what is idle, then waits for the rest, and leaves open what comes back to it last; so it is closed
/// until it holds nothing, for two seconds at most. What hangs is left to the operating system.
pub async fn disconnect(pool: &PgPool) {
    let closing = async {
        for _ in 0..CLOSINGS {
            pool.close().await;
            if pool.size() == 0 {
                return;
            }
            tokio::time::sleep(BETWEEN_CLOSINGS).await;
        }
    };
    if timeout(CLOSE_PATIENCE, closing).await.is_err() {
        tracing::warn!("some connections to the database do not end");
    }
}
