//! Connections to the database.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, PgPool};

/// A session that holds the ledger's lock and falls silent must not hold it for ever. And plans are made when
/// tables are new and small, and kept while they grow: none may read a whole table where an index serves.
const SESSION: [(&str, &str); 2] = [
    ("idle_in_transaction_session_timeout", "30s"),
    ("enable_seqscan", "off"),
];

/// Connections to a database.
pub async fn connect(options: PgConnectOptions, size: u32) -> sqlx::Result<PgPool> {
    PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(Duration::from_secs(5))
        .connect_with(
            options
                .application_name("vinzy")
                .options(SESSION)
                .disable_statement_logging(),
        )
        .await
}

/// Further connections to the same database, made when they are wanted.
pub fn companion(pool: &PgPool, size: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(pool.options().get_acquire_timeout())
        .connect_lazy_with(pool.connect_options().as_ref().clone())
}

/// How often, and after which pause, a pool is closed again.
const CLOSINGS: u32 = 200;
const BETWEEN_CLOSINGS: Duration = Duration::from_millis(10);

/// Ends all connections.
///
/// A pool closes what is idle, then waits for the rest, and leaves open what comes back to it last; so it is closed
/// until it holds nothing, for two seconds at most.
pub async fn disconnect(pool: &PgPool) {
    for _ in 0..CLOSINGS {
        pool.close().await;
        if pool.size() == 0 {
            return;
        }
        tokio::time::sleep(BETWEEN_CLOSINGS).await;
    }
}
