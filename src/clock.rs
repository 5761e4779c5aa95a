//! The only place where time and entropy enter the program.
//!
//! Everything else takes a [`Clock`] or an [`Entropy`] as a value, so that a test can freeze the one and
//! seed the other.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use vinzy_events::Timestamp;

/// Where the time comes from.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that moves only when told to; clones share it.
    Frozen(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `at` until [`Clock::advance`] moves it.
    pub fn frozen(at: Timestamp) -> Self {
        Self::Frozen(Arc::new(AtomicI64::new(at.as_micros())))
    }

    /// The time now, to the microsecond.
    pub fn now(&self) -> Timestamp {
        match self {
            #[expect(clippy::disallowed_methods, reason = "this is the one module that may")]
            Self::System => Timestamp::from_chrono(chrono::DateTime::from(std::time::SystemTime::now())),
            Self::Frozen(micros) => {
                Timestamp::from_micros(micros.load(Ordering::SeqCst)).unwrap_or(Timestamp::UNIX_EPOCH)
            }
        }
    }

    /// Sets a frozen clock, also back; the system's clock stays as it is.
    pub fn set(&self, at: Timestamp) {
        if let Self::Frozen(micros) = self {
            micros.store(at.as_micros(), Ordering::SeqCst);
        }
    }

    /// Moves a frozen clock forward; the system's clock stays as it is.
    pub fn advance(&self, by: std::time::Duration) {
        if let Self::Frozen(micros) = self {
            micros.fetch_add(
                i64::try_from(by.as_micros()).unwrap_or(i64::MAX),
                Ordering::SeqCst,
            );
        }
    }
}

/// Where random bytes come from.
#[derive(Debug, Clone)]
pub enum Entropy {
    /// A cryptographic generator seeded by the operating system.
    System,
    /// A reproducible sequence, for tests; clones share it.
    Seeded(Arc<Mutex<StdRng>>),
}

impl Entropy {
    /// A reproducible sequence.
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match self {
            Self::System => rand::rng().fill_bytes(&mut bytes),
            Self::Seeded(rng) => rng
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .fill_bytes(&mut bytes),
        }
        bytes
    }
}
