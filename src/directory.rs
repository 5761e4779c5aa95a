//! The in-memory view that answers `/validate`: licenses by the digest of their key, with their products.
//!
//! Bounded; a miss loads one license from the event store. It hears of this node's commits before their
//! callers do, and of other nodes' within a second, from the [`Feed`](crate::ledger::Feed).

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use quick_cache::sync::Cache;
use sqlx::PgPool;
use uuid::Uuid;
use vinzy_events::key::KeyDigest;
use vinzy_events::license::{License, LicenseEvent, LicenseState};
use vinzy_events::product::{Product, ProductEvent};
use vinzy_events::stream::{StreamAggregate, StreamEvent};
use vinzy_events::{LicenseId, ProductId};
use vinzy_projections::StoredEvent;

use crate::ledger::{LedgerError, Listener, StreamStore, Versioned};

/// Licenses kept.
const LICENSES: usize = 50_000;
/// Products kept.
const PRODUCTS: usize = 5_000;
/// How often a load that was overtaken by an event is tried again at once.
const LOAD_ATTEMPTS: usize = 5;

/// What `/validate` needs to know of a license.
#[derive(Clone)]
pub struct Found {
    /// The ledger it stands in.
    pub ledger_id: Arc<str>,
    /// The license.
    pub license_id: LicenseId,
    /// Its state.
    pub license: Arc<Known<License>>,
    /// Its product's state.
    pub product: Arc<Known<Product>>,
    /// Events of the ledger before this position are contained in what this node knows.
    pub position: u64,
}

/// An aggregate with a number that changes whenever its content does, and only then.
pub struct Known<A> {
    /// The state, as of event `seq` of its stream.
    pub versioned: Versioned<A>,
    /// Number of the last event that changed what `/validate` answers.
    pub content_seq: u64,
}

/// The directory of this node.
pub struct Directory {
    pool: PgPool,
    places: Cache<KeyDigest, (Arc<str>, LicenseId)>,
    licenses: Kept<LicenseId, License>,
    products: Kept<ProductId, Product>,
    positions: Mutex<HashMap<String, u64>>,
}

/// A bounded set of aggregates that follow the feed.
struct Kept<K, A> {
    known: Cache<K, Arc<Known<A>>>,
    /// Loads under way, and whether an event has overtaken them. Held while events are followed and while
    /// a load is put in place, so that no event falls between the two.
    loading: Mutex<HashMap<K, Load>>,
}

#[derive(Default)]
struct Load {
    waiting: usize,
    overtaken: bool,
}

impl Directory {
    /// An empty directory over the event store of `pool`.
    pub fn new(pool: PgPool) -> Self {
        Self {
            pool,
            places: Cache::new(LICENSES),
            licenses: Kept::new(LICENSES),
            products: Kept::new(PRODUCTS),
            positions: Mutex::default(),
        }
    }

    /// The license with this key; `None` when there is none or it was deleted.
    pub async fn find(&self, digest: KeyDigest) -> Result<Option<Found>, LedgerError> {
        let Some((ledger_id, license_id)) = self.place(digest).await? else {
            return Ok(None);
        };
        // Read first: what is loaded after it can only be newer.
        let position = self.position(&ledger_id);
        let license = self.licenses.get(license_id, &self.pool, &ledger_id).await?;
        let Some(state) = license.versioned.aggregate.live() else {
            return Ok(None);
        };
        let product = self
            .products
            .get(state.product_id, &self.pool, &ledger_id)
            .await?;
        Ok(Some(Found {
            ledger_id,
            license_id,
            license,
            product,
            position,
        }))
    }

    async fn place(&self, digest: KeyDigest) -> Result<Option<(Arc<str>, LicenseId)>, LedgerError> {
        if let Some(place) = self.places.get(&digest) {
            return Ok(Some(place));
        }
        let row = sqlx::query!(
            "SELECT ledger_id, license_id FROM license_keys WHERE key_digest = $1",
            digest.as_bytes().as_slice(),
        )
        .fetch_optional(&self.pool)
        .await
        .map_err(|error| {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "license key could not be looked up"
            );
            LedgerError::Unavailable
        })?;
        let Some(row) = row else { return Ok(None) };
        let place = (Arc::from(row.ledger_id), LicenseId::from(row.license_id));
        // A key keeps its license for good, so this entry never grows stale.
        self.places.insert(digest, place.clone());
        Ok(Some(place))
    }

    fn position(&self, ledger_id: &str) -> u64 {
        let positions = self.positions.lock().unwrap_or_else(PoisonError::into_inner);
        positions.get(ledger_id).copied().unwrap_or(0)
    }
}

impl Found {
    /// The license's state.
    pub fn state(&self) -> &LicenseState {
        self.license
            .versioned
            .aggregate
            .live()
            .expect("`find` gives live licenses only")
    }
}

impl Listener for Directory {
    fn committed(&self, ledger_id: &str, events: &[StoredEvent]) {
        for event in events {
            let Ok(id) = Uuid::parse_str(&event.stream_id) else {
                continue;
            };
            match event.stream_type.as_str() {
                "license" => self.licenses.follow(id.into(), event, |event: &LicenseEvent| {
                    !matches!(event, LicenseEvent::Validated(_))
                }),
                "product" => self.products.follow(id.into(), event, |_: &ProductEvent| true),
                _ => {}
            }
        }
        if let Some(last) = events.last() {
            let mut positions = self.positions.lock().unwrap_or_else(PoisonError::into_inner);
            positions.insert(ledger_id.to_owned(), last.position + 1);
        }
    }
}

impl<K, A> Kept<K, A>
where
    K: Copy + Eq + Hash + std::fmt::Display,
    A: StreamAggregate,
{
    fn new(capacity: usize) -> Self {
        Self {
            known: Cache::new(capacity),
            loading: Mutex::default(),
        }
    }

    async fn get(&self, id: K, pool: &PgPool, ledger_id: &str) -> Result<Arc<Known<A>>, LedgerError> {
        if let Some(known) = self.known.get(&id) {
            return Ok(known);
        }
        let store = StreamStore::new(pool.clone(), ledger_id);
        for _ in 0..LOAD_ATTEMPTS {
            self.start_load(id);
            let loaded = store.load::<A>(&id.to_string()).await;
            let known = loaded.map(|versioned| {
                Arc::new(Known {
                    content_seq: versioned.seq,
                    versioned,
                })
            });
            if self.finish_load(id, known.as_ref().ok()) || known.is_err() {
                return known;
            }
        }
        // Events pour in faster than we load: answer from what is on disk now, without keeping it.
        let versioned = store.load::<A>(&id.to_string()).await?;
        Ok(Arc::new(Known {
            content_seq: versioned.seq,
            versioned,
        }))
    }

    fn start_load(&self, id: K) {
        let mut loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        loading.entry(id).or_default().waiting += 1;
    }

    /// Keeps what was loaded, unless an event has overtaken the load. Whether it is good to use.
    fn finish_load(&self, id: K, known: Option<&Arc<Known<A>>>) -> bool {
        let mut loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(load) = loading.get_mut(&id) else {
            return false;
        };
        let overtaken = load.overtaken;
        load.waiting -= 1;
        if load.waiting == 0 {
            loading.remove(&id);
        }
        if let (Some(known), false) = (known, overtaken) {
            self.known.insert(id, Arc::clone(known));
        }
        !overtaken
    }

    fn follow<E>(&self, id: K, stored: &StoredEvent, changes_content: impl Fn(&E) -> bool)
    where
        A: StreamAggregate<Event = E>,
        E: StreamEvent,
    {
        let mut loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(load) = loading.get_mut(&id) {
            load.overtaken = true;
        }
        let Some(known) = self.known.get(&id) else { return };
        if stored.stream_seq <= known.versioned.seq {
            return;
        }
        let next = (stored.stream_seq == known.versioned.seq + 1)
            .then(|| stored.decode::<E>().ok())
            .flatten()
            .map(|event| {
                let content_seq = if changes_content(&event) {
                    stored.stream_seq
                } else {
                    known.content_seq
                };
                let mut versioned = known.versioned.clone();
                versioned.aggregate.apply(event);
                versioned.seq = stored.stream_seq;
                Known {
                    versioned,
                    content_seq,
                }
            });
        match next {
            Some(next) => self.known.insert(id, Arc::new(next)),
            // A gap, or an event this program cannot read: the next look-up loads and tells its caller.
            None => {
                self.known.remove(&id);
            }
        }
    }
}
