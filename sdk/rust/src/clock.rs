//! The machine's clock: the only place where time enters.

use std::time::Duration;

/// The time since the beginning of 1970.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn since_1970() -> Duration {
    #[expect(clippy::disallowed_methods, reason = "this is the one module that may")]
    let now = std::time::SystemTime::now();
    // A clock that is before 1970 was set back.
    now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}

/// The time since the beginning of 1970.
#[cfg(target_family = "wasm")]
pub(crate) fn since_1970() -> Duration {
    Duration::from_secs_f64((js_sys::Date::now() / 1000.0).max(0.0))
}
