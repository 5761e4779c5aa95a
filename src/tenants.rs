//! What this node knows of the tenants: whether they are open, and their settings, by ledger. Follows the server's
//! own ledger: this node's changes are known before their callers hear of them, other nodes' within a second.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock};

use sqlx::PgPool;
use vinzy_events::tenant::{Tenant, TenantSettings};
use vinzy_projections::StoredEvent;
use vinzy_projections::event_log::{self, Span};

use crate::app::{DEFAULT_LEDGER, SYSTEM_LEDGER};
use crate::config::ServerConfig;
use crate::ledger::{Listener, Versioned};
use crate::limits::{Bucket, Limited};

const STREAM_TYPE: &str = "tenant";

/// A tenant as requests need to know it.
pub struct Profile {
    /// Whether it was closed.
    pub closed: bool,
    /// How long its leases hold, in seconds.
    pub lease_ttl_seconds: u32,
    /// Whether anyone may read its ledger.
    pub ledger_public: bool,
    /// Web pages from where its API may be called, beside those that the server allows.
    pub cors_origins: Vec<String>,
    /// Version of the HMAC key that signs its license keys; `None` is the newest.
    pub hmac_key_version: Option<u8>,
    /// Changes whenever the settings do.
    pub version: u64,
    /// Of its API keys, and of its license keys.
    buckets: Option<[Bucket; 2]>,
}

/// Who asks on a tenant's behalf. What license keys ask never keeps the vendor out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asking {
    /// The vendor.
    ApiKey,
    /// An application in the field.
    LicenseKey,
}

impl Profile {
    /// Counts one request of the tenant's.
    pub fn take(&self, asking: Asking) -> Result<(), Limited> {
        let Some([api_keys, license_keys]) = &self.buckets else {
            return Ok(());
        };
        match asking {
            Asking::ApiKey => api_keys.take(),
            Asking::LicenseKey => license_keys.take(),
        }
    }
}

/// All tenants.
pub struct Tenants {
    lease_ttl_seconds: u32,
    default: Arc<Profile>,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    streams: HashMap<String, Versioned<Tenant>>,
    by_ledger: HashMap<String, Arc<Profile>>,
    /// All origins that some open tenant allows.
    origins: HashSet<String>,
}

impl Known {
    fn gather_origins(&mut self) {
        let open = self.by_ledger.values().filter(|profile| !profile.closed);
        self.origins = open
            .flat_map(|profile| profile.cors_origins.iter().cloned())
            .collect();
    }
}

impl Tenants {
    /// Nobody but the default tenant, with the server's own settings.
    pub fn new(config: &ServerConfig) -> Self {
        Self {
            lease_ttl_seconds: config.lease_ttl,
            default: Arc::new(Profile {
                closed: false,
                lease_ttl_seconds: config.lease_ttl,
                ledger_public: config.access.ledger_public,
                cors_origins: vec![],
                hmac_key_version: None,
                version: 0,
                buckets: None,
            }),
            known: RwLock::default(),
        }
    }

    /// Reads all there are.
    pub async fn load(&self, pool: &PgPool) -> sqlx::Result<()> {
        let mut conn = pool.acquire().await?;
        let mut from = 0;
        loop {
            let span = Span {
                ledger_id: SYSTEM_LEDGER,
                from,
                to: u64::MAX,
                stream_types: &[STREAM_TYPE],
                limit: 1_000,
            };
            let events = event_log::read(&mut conn, span).await?;
            let Some(last) = events.last() else { return Ok(()) };
            from = last.position + 1;
            self.committed(SYSTEM_LEDGER, &events);
        }
    }

    /// The tenant whose ledger this is. One that this node has not heard of yet is as the server's settings say.
    pub fn of(&self, ledger_id: &str) -> Arc<Profile> {
        if ledger_id == DEFAULT_LEDGER {
            return Arc::clone(&self.default);
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.by_ledger.get(ledger_id).unwrap_or(&self.default))
    }

    /// The tenant with this ledger, if there is one and it is open.
    pub fn open(&self, ledger_id: &str) -> Option<Arc<Profile>> {
        let is_one = ledger_id == DEFAULT_LEDGER || {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            known.by_ledger.contains_key(ledger_id)
        };
        is_one
            .then(|| self.of(ledger_id))
            .filter(|profile| !profile.closed)
    }

    /// Whether any tenant allows calls from a web page's origin.
    pub fn any_allows_origin(&self, origin: &str) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.origins.contains(origin)
    }

    fn follow(&self, known: &mut Known, event: &StoredEvent) {
        let stream = known.streams.entry(event.stream_id.clone()).or_default();
        if event.stream_seq != stream.seq + 1 {
            return;
        }
        let Ok(decoded) = event.decode() else {
            tracing::error!(
                position = event.position,
                "an event of a tenant cannot be read: its settings stay as they were"
            );
            return;
        };
        stream.aggregate.evolve(decoded);
        stream.seq = event.stream_seq;
        if let Some(state) = stream.aggregate.state() {
            // Checked when they were set; names that a newer program knows mean nothing here.
            let settings = TenantSettings::read(&state.config_overrides).unwrap_or_default();
            let profile = Profile {
                closed: state.closed_at.is_some(),
                lease_ttl_seconds: settings.lease_ttl.unwrap_or(self.lease_ttl_seconds),
                ledger_public: settings.ledger_public.unwrap_or(self.default.ledger_public),
                cors_origins: settings.cors_origins,
                hmac_key_version: state.hmac_key_version,
                version: stream.seq,
                buckets: settings
                    .rate_limit_per_minute
                    .and_then(NonZeroU32::new)
                    .map(|rate| [Bucket::per_minute(rate), Bucket::per_minute(rate)]),
            };
            known
                .by_ledger
                .insert(state.slug.as_str().to_owned(), Arc::new(profile));
        }
    }
}

impl Listener for Tenants {
    fn committed(&self, ledger_id: &str, events: &[StoredEvent]) {
        if ledger_id != SYSTEM_LEDGER {
            return;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for event in events.iter().filter(|event| event.stream_type == STREAM_TYPE) {
            self.follow(&mut known, event);
        }
        known.gather_origins();
    }
}
