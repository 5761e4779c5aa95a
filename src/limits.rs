//! Rate limits: buckets per client address and per key. They are this node's own and forgotten with it.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter};
use tokio::sync::watch;
use uuid::Uuid;

use crate::config::AccessConfig;

/// How often buckets that are full again are forgotten.
const SWEEP: Duration = Duration::from_mins(1);

/// Too much was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("rate limit reached")]
pub struct Limited {
    /// When to try again, in seconds; at least 1.
    pub retry_after_seconds: u32,
}

/// A bucket that refills evenly: as many as a minute's worth at once, then one by one.
pub struct Bucket(DefaultDirectRateLimiter);

impl Bucket {
    /// So many per minute.
    pub fn per_minute(count: NonZeroU32) -> Self {
        Self(RateLimiter::direct(Quota::per_minute(count)))
    }

    /// Takes one out.
    pub fn take(&self) -> Result<(), Limited> {
        self.0.check().map_err(|not_until| limited(&not_until))
    }
}

/// Buckets by key; without a rate everything passes.
struct Buckets<K: Hash + Eq + Clone>(Option<DefaultKeyedRateLimiter<K>>);

impl<K: Hash + Eq + Clone> Buckets<K> {
    fn per_minute(count: u32) -> Self {
        Self(NonZeroU32::new(count).map(|count| RateLimiter::keyed(Quota::per_minute(count))))
    }

    fn take(&self, key: &K) -> Result<(), Limited> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        limiter.check_key(key).map_err(|not_until| limited(&not_until))
    }

    fn sweep(&self) {
        if let Some(limiter) = &self.0 {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

fn limited(not_until: &NotUntil<<DefaultClock as Clock>::Instant>) -> Limited {
    let wait = not_until.wait_time_from(DefaultClock::default().now());
    let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
    Limited {
        retry_after_seconds: seconds.saturating_add(1),
    }
}

/// What a request wants, as far as its rate goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What stands open to applications.
    Public,
    /// What wants an API key.
    Admin,
    /// Logging in.
    LogIn,
}

/// All buckets of this node.
pub struct Limits {
    public: Buckets<IpAddr>,
    admin: Buckets<IpAddr>,
    log_in: Buckets<IpAddr>,
    keys: Buckets<Uuid>,
}

impl Limits {
    /// The limits of `config`.
    pub fn new(config: &AccessConfig) -> Self {
        let rate = |count| if config.rate_limit_enabled { count } else { 0 };
        Self {
            public: Buckets::per_minute(rate(config.rate_limit_public_per_minute)),
            admin: Buckets::per_minute(rate(config.rate_limit_admin_per_minute)),
            log_in: Buckets::per_minute(rate(config.rate_limit_login_per_minute)),
            keys: Buckets::per_minute(rate(config.rate_limit_key_per_minute)),
        }
    }

    /// One request from an address. An IPv6 network of 64 bits is one client: it has more addresses than can be
    /// counted.
    pub fn request(&self, kind: Kind, address: IpAddr) -> Result<(), Limited> {
        let buckets = match kind {
            Kind::Public => &self.public,
            Kind::Admin => &self.admin,
            Kind::LogIn => &self.log_in,
        };
        buckets.take(&client(address))
    }

    /// One request with a key: an API key's id, or a license's.
    pub fn key(&self, id: Uuid) -> Result<(), Limited> {
        self.keys.take(&id)
    }

    /// Forgets buckets that are full again, until `stopped`.
    pub async fn run(&self, mut stopped: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                _ = stopped.changed() => return,
                () = tokio::time::sleep(SWEEP) => {}
            }
            self.public.sweep();
            self.admin.sweep();
            self.log_in.sweep();
            self.keys.sweep();
        }
    }
}

fn client(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.into(),
            None => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_a_minutes_worth() {
        let bucket = Bucket::per_minute(NonZeroU32::new(3).unwrap());
        assert!((0..3).all(|_| bucket.take().is_ok()));
        let limited = bucket.take().unwrap_err();
        assert!((1..=21).contains(&limited.retry_after_seconds), "{limited:?}");
    }

    #[test]
    fn clients_are_apart_and_a_network_of_64_bits_is_one() {
        let buckets = Buckets::per_minute(1);
        for (address, passes) in [
            ("192.0.2.1", true),
            ("192.0.2.2", true),
            ("192.0.2.1", false),
            ("::ffff:192.0.2.2", false),
            ("2001:db8::1", true),
            ("2001:db8::2", false),
            ("2001:db8:0:1::1", true),
        ] {
            let address = client(address.parse().unwrap());
            assert_eq!(buckets.take(&address).is_ok(), passes, "{address}");
        }
    }
}
