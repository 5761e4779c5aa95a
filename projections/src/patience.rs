//! Nothing waits for a silent database without an end.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::time::timeout;

/// What `work` comes to, if it does in time.
///
/// # Errors
/// Those of `work`, and that of a connection that timed out. The work is then dropped where it stands; whether the
/// database has done it is not known.
pub async fn within<T, E: From<sqlx::Error>>(
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    timeout(limit, work).await.unwrap_or_else(|_| {
        let silent = io::Error::new(io::ErrorKind::TimedOut, "the database does not answer");
        Err(sqlx::Error::from(silent).into())
    })
}
