//! How a [`LicenseClient`] is made.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::answers::Answers;
use super::error::BuildError;
use super::leases::Leases;
use super::license::{LicenseClient, Shared};
use super::machine::Clock;
use super::transport::{Reach, reach_setters};
use crate::lease::KeySet;
use crate::store::LeaseStore;

/// Makes a [`LicenseClient`].
///
/// What is left out is as for an application that somebody waits for: where no server answers at all, it turns to its
/// lease in about twenty seconds at most; and it writes no file that nobody asked for.
#[derive(Clone)]
pub struct LicenseClientBuilder {
    reach: Reach,
    license_key: String,
    cache_ttl: Duration,
    store: Option<Arc<dyn LeaseStore>>,
    pinned_jwks: Option<String>,
    issuer: Option<String>,
    offline_grace: Duration,
    clock: Clock,
}

impl LicenseClientBuilder {
    pub(crate) fn new(server_url: String) -> Self {
        Self {
            reach: Reach::new(server_url),
            license_key: String::new(),
            cache_ttl: Duration::from_mins(1),
            store: None,
            pinned_jwks: None,
            issuer: None,
            offline_grace: Duration::ZERO,
            clock: Clock::default(),
        }
    }

    /// The license key. A service whose customers show theirs takes [`LicenseClient::with_key`] instead.
    #[must_use]
    pub fn license_key(mut self, key: impl Into<String>) -> Self {
        self.license_key = key.into();
        self
    }

    /// For [`LicenseClient::composed_entitlements`] only; an application in the field has none.
    #[must_use]
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.reach.api_key = Some(key.into());
        self
    }

    /// For how long a good answer of `validate` is given again without asking: a minute if left out; zero always asks. A
    /// suspension may be noticed that much later.
    #[must_use]
    pub fn cache_ttl(mut self, ttl: Duration) -> Self {
        self.cache_ttl = ttl;
        self
    }

    /// A file that keeps leases over restarts, as [`FileStore`](crate::store::FileStore) has it. Without one they are kept
    /// in memory.
    #[cfg(not(target_family = "wasm"))]
    #[must_use]
    pub fn lease_store(self, path: impl Into<std::path::PathBuf>) -> Self {
        self.lease_store_in(Arc::new(crate::store::FileStore::new(path)))
    }

    /// Where leases are kept over restarts: in what a platform has instead of files.
    #[must_use]
    pub fn lease_store_in(mut self, store: Arc<dyn LeaseStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// The public keys of your server, the text of the document at `/.well-known/jwks.json`: give them with your
    /// application. Then neither a server nor a lease that is signed by others is believed.
    #[must_use]
    pub fn pinned_jwks(mut self, text: impl Into<String>) -> Self {
        self.pinned_jwks = Some(text.into());
        self
    }

    /// Whose leases to believe, as their `iss` says (`licenses.example.com/t/you`), if several vendors share the server.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// For how long an expired lease is still good, but not after the license's own end. Not at all if left out.
    #[must_use]
    pub fn offline_grace(mut self, grace: Duration) -> Self {
        self.offline_grace = grace;
        self
    }

    /// Gives the time since the beginning of 1970, instead of the machine's clock: for tests.
    #[must_use]
    pub fn clock(mut self, since_1970: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        self.clock = Clock::new(since_1970);
        self
    }

    reach_setters!();

    /// Makes the client. It asks nothing of the server yet.
    pub fn build(self) -> Result<LicenseClient, BuildError> {
        let pinned = self.pinned_jwks.map(|text| match KeySet::parse(&text) {
            Ok(keys) if !keys.is_empty() => Ok(keys),
            _ => Err(BuildError::PinnedJwks),
        });
        let shared = Shared {
            pinned: pinned.transpose()?,
            transport: self.reach.build()?,
            answers: Answers::new(self.cache_ttl.as_secs_f64()),
            has_store: self.store.is_some(),
            leases: Leases::new(self.store),
            fetched: std::sync::Mutex::default(),
            issuer: self.issuer,
            grace: self.offline_grace.as_secs_f64(),
            clock: self.clock,
        };
        Ok(LicenseClient::new(shared, &self.license_key))
    }
}

impl fmt::Debug for LicenseClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LicenseClientBuilder")
            .field("server_url", &self.reach.server_url)
            .finish_non_exhaustive()
    }
}
