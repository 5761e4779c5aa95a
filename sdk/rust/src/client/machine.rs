//! What a client needs of the machine: time, chance, pauses, and a place for what blocks.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use crate::clock::since_1970;
use crate::lease::LAST_SECOND;

/// Where the time comes from, in seconds since 1970.
#[derive(Clone)]
pub(crate) struct Clock(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Clock {
    pub(crate) fn new(since_1970: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(since_1970))
    }

    pub(crate) fn now(&self) -> f64 {
        (self.0)().as_secs_f64()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new(since_1970)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// Seconds since 1970 as a time; what is after the year 9999 is its end.
pub(crate) fn time(seconds: f64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs_f64(seconds.clamp(0.0, crate::lease::seconds(LAST_SECOND)))
}

/// Seconds since 1970 of an RFC 3339 time.
pub(crate) fn parse(text: &str) -> Option<f64> {
    let time = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    #[expect(clippy::cast_precision_loss, reason = "microseconds are exact for centuries")]
    let micros = time.timestamp_micros() as f64;
    Some(micros / 1e6)
}

/// A name that nobody else takes.
pub(crate) fn unique() -> String {
    Uuid::new_v4().to_string()
}

/// Any part of a time.
pub(crate) fn part_of(longest: Duration) -> Duration {
    // The last 32 bits are random, all of them.
    let [.., a, b, c, d] = Uuid::new_v4().into_bytes();
    let random = u32::from_be_bytes([a, b, c, d]);
    longest.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

/// Waits.
#[cfg(not(target_family = "wasm"))]
pub(crate) async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Waits.
#[cfg(target_family = "wasm")]
pub(crate) async fn sleep(duration: Duration) {
    gloo_timers::future::sleep(duration).await;
}

/// Does what may block, beside the tasks that must not.
#[cfg(not(target_family = "wasm"))]
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Does what may block; a browser has no other place for it.
#[cfg(target_family = "wasm")]
pub(crate) async fn blocking<T>(work: impl FnOnce() -> T) -> T {
    work()
}
