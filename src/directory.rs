//! The in-memory view that answers `/validate`: licenses by the digest of their key, with their products and
//! what was used of their features.
//!
//! Bounded; a miss loads one license from the event store. It hears of this node's commits before their
//! callers do, and of other nodes' within a second, from the [`Feed`](crate::ledger::Feed).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use quick_cache::sync::Cache;
use serde_json::{Map, Value};
use sqlx::PgPool;
use vinzy_events::agent::tokens_metric;
use vinzy_events::entitlement::base_features;
use vinzy_events::id::InvalidId;
use vinzy_events::key::KeyDigest;
use vinzy_events::license::{License, LicenseEvent, LicenseState};
use vinzy_events::meter::{Meter, meter_id, metric_of};
use vinzy_events::product::Product;
use vinzy_events::stream::StreamAggregate;
use vinzy_events::{LicenseId, ProductId};
use vinzy_projections::StoredEvent;

use crate::ledger::{LedgerError, Listener, StreamStore, Versioned};

/// Licenses kept.
const LICENSES: usize = 50_000;
/// Products kept.
const PRODUCTS: usize = 5_000;
/// How often a load that was overtaken by an event is tried again at once.
const LOAD_ATTEMPTS: usize = 5;

/// Where a license is, and its product: none of it ever changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The ledger it stands in.
    pub ledger_id: Arc<str>,
    /// The license.
    pub license_id: LicenseId,
    /// Its product.
    pub product_id: ProductId,
}

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
    /// What was used of its features and by its agents.
    pub meters: Arc<Meters>,
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

/// The meters of a license that its features and agents have limits for.
#[derive(Clone, Default)]
pub struct Meters {
    /// Copies share the meters that do not change between them.
    by_metric: BTreeMap<String, Arc<Versioned<Meter>>>,
    /// Content of license and product that the metrics were taken from.
    content: (u64, u64),
}

impl Meters {
    /// The meter of a metric; `None` for metrics that the license says nothing about.
    pub fn get(&self, metric: &str) -> Option<&Meter> {
        self.by_metric.get(metric).map(|meter| &meter.aggregate)
    }

    /// A number that grows with every record.
    pub fn version(&self) -> u64 {
        self.by_metric.values().map(|meter| meter.seq).sum()
    }
}

/// The directory of this node.
pub struct Directory {
    pool: PgPool,
    places: Cache<KeyDigest, (Arc<str>, LicenseId)>,
    licenses: Kept<LicenseId, Known<License>>,
    products: Kept<ProductId, Known<Product>>,
    meters: Kept<LicenseId, Meters>,
    positions: Mutex<HashMap<String, u64>>,
}

/// A bounded set of values that follow the feed.
struct Kept<K, V> {
    known: Cache<K, Arc<V>>,
    /// Loads under way, and whether an event has overtaken them. Held while events are followed and while
    /// a load is put in place, so that no event falls between the two.
    loading: Mutex<HashMap<K, Load>>,
}

#[derive(Default)]
struct Load {
    waiting: usize,
    overtaken: bool,
}

/// What becomes of a value.
enum Change<V> {
    /// It stays as it is.
    Keep,
    /// Another takes its place.
    Replace(V),
    /// It is forgotten: the next look-up loads it, and tells its caller if that fails.
    Forget,
}

impl Directory {
    /// An empty directory over the event store of `pool`.
    pub fn new(pool: PgPool) -> Self {
        Self {
            pool,
            places: Cache::new(LICENSES),
            licenses: Kept::new(LICENSES),
            products: Kept::new(PRODUCTS),
            meters: Kept::new(LICENSES),
            positions: Mutex::default(),
        }
    }

    /// Where the license with this key is; `None` when there is none or it was deleted.
    pub async fn locate(&self, digest: KeyDigest) -> Result<Option<Located>, LedgerError> {
        let Some((ledger_id, license_id)) = self.place(digest).await? else {
            return Ok(None);
        };
        let license = self.license(license_id, &ledger_id).await?;
        Ok(license.versioned.aggregate.live().map(|state| Located {
            product_id: state.product_id,
            ledger_id,
            license_id,
        }))
    }

    /// The license with this key; `None` when there is none or it was deleted.
    pub async fn find(&self, digest: KeyDigest) -> Result<Option<Found>, LedgerError> {
        let Some((ledger_id, license_id)) = self.place(digest).await? else {
            return Ok(None);
        };
        // Read first: what is loaded after it can only be newer.
        let position = self.position(&ledger_id);
        let license = self.license(license_id, &ledger_id).await?;
        let Some(state) = license.versioned.aggregate.live() else {
            return Ok(None);
        };
        let product = self.product(state.product_id, &ledger_id).await?;
        let meters = self.meters(license_id, &ledger_id, &license, &product).await?;
        Ok(Some(Found {
            ledger_id,
            license_id,
            license,
            product,
            meters,
            position,
        }))
    }

    /// The product with an id.
    pub async fn product(
        &self,
        product_id: ProductId,
        ledger_id: &str,
    ) -> Result<Arc<Known<Product>>, LedgerError> {
        let load = || Known::load(&self.pool, ledger_id, product_id.to_string());
        self.products.get(product_id, |_| true, load).await
    }

    async fn license(
        &self,
        license_id: LicenseId,
        ledger_id: &str,
    ) -> Result<Arc<Known<License>>, LedgerError> {
        let load = || Known::load(&self.pool, ledger_id, license_id.to_string());
        self.licenses.get(license_id, |_| true, load).await
    }

    /// The meters of all metrics that the license can have a limit for.
    async fn meters(
        &self,
        license_id: LicenseId,
        ledger_id: &str,
        license: &Known<License>,
        product: &Known<Product>,
    ) -> Result<Arc<Meters>, LedgerError> {
        let content = (license.content_seq, product.content_seq);
        if let Some(known) = self.meters.known.get(&license_id)
            && known.content == content
        {
            return Ok(known);
        }
        let metrics = limited_metrics(license, product);
        // Other content may speak of the same metrics.
        self.meters.change(license_id, |known| {
            if metrics.iter().all(|metric| known.by_metric.contains_key(metric)) {
                let by_metric = known.by_metric.clone();
                Change::Replace(Meters { by_metric, content })
            } else {
                Change::Keep
            }
        });
        let ids: Vec<String> = metrics
            .iter()
            .map(|metric| meter_id(license_id, metric))
            .collect();
        let load = || async {
            let store = StreamStore::new(self.pool.clone(), ledger_id);
            let mut loaded = match ids.as_slice() {
                [] => HashMap::new(),
                ids => store.load_many::<Meter>(ids).await?,
            };
            let by_metric = metrics
                .iter()
                .zip(&ids)
                .filter_map(|(metric, id)| Some((metric.clone(), Arc::new(loaded.remove(id)?))))
                .collect();
            Ok(Meters { by_metric, content })
        };
        self.meters
            .get(license_id, |known| known.content == content, load)
            .await
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

/// The features' names, and the metrics of agents' tokens.
fn limited_metrics(license: &Known<License>, product: &Known<Product>) -> BTreeSet<String> {
    let none = Map::new();
    let (license, product) = (
        license.versioned.aggregate.state(),
        product.versioned.aggregate.state(),
    );
    let overrides = license.map_or(&none, |license| &license.entitlements);
    let base = base_features(
        license.map_or(&none, |license| &license.features),
        product.map_or(&none, |product| &product.features),
    );
    [base, overrides]
        .into_iter()
        .flat_map(|features| {
            let agents = features.get("agents").and_then(Value::as_object);
            let agents = agents.into_iter().flat_map(Map::keys);
            features
                .keys()
                .cloned()
                .chain(agents.map(|code| tokens_metric(code)))
        })
        .collect()
}

impl<A: StreamAggregate> Known<A> {
    async fn load(pool: &PgPool, ledger_id: &str, id: String) -> Result<Self, LedgerError> {
        let versioned = StreamStore::new(pool.clone(), ledger_id).load::<A>(&id).await?;
        Ok(Self {
            content_seq: versioned.seq,
            versioned,
        })
    }

    /// Follows an event of the stream.
    fn follow(&self, stored: &StoredEvent, changes_content: impl Fn(&A::Event) -> bool) -> Change<Self> {
        let content_seq = |event: &A::Event| {
            if changes_content(event) {
                stored.stream_seq
            } else {
                self.content_seq
            }
        };
        follow(&self.versioned, stored, content_seq, |content_seq, versioned| {
            Self {
                versioned,
                content_seq,
            }
        })
    }
}

/// What becomes of an aggregate with the next event of its stream. With a gap, or an event this program
/// cannot read, it is forgotten.
fn follow<A: StreamAggregate, I, V>(
    known: &Versioned<A>,
    stored: &StoredEvent,
    inspect: impl FnOnce(&A::Event) -> I,
    build: impl FnOnce(I, Versioned<A>) -> V,
) -> Change<V> {
    if stored.stream_seq <= known.seq {
        return Change::Keep;
    }
    if stored.stream_seq != known.seq + 1 {
        return Change::Forget;
    }
    let Ok(event) = stored.decode::<A::Event>() else {
        return Change::Forget;
    };
    let seen = inspect(&event);
    let mut versioned = known.clone();
    versioned.aggregate.apply(event);
    versioned.seq = stored.stream_seq;
    Change::Replace(build(seen, versioned))
}

impl Meters {
    fn follow(&self, metric: &str, stored: &StoredEvent) -> Change<Self> {
        let Some(known) = self.by_metric.get(metric) else {
            return Change::Keep;
        };
        follow(
            known,
            stored,
            |_| (),
            |(), versioned| {
                let mut meters = self.clone();
                meters.by_metric.insert(metric.to_owned(), Arc::new(versioned));
                meters
            },
        )
    }
}

impl Listener for Directory {
    fn committed(&self, ledger_id: &str, events: &[StoredEvent]) {
        for event in events {
            match event.stream_type.as_str() {
                "license" => self.licenses.follow(event.stream_id.parse(), |known| {
                    known.follow(event, |event| {
                        !matches!(
                            event,
                            LicenseEvent::Validated(_)
                                | LicenseEvent::Heartbeat(_)
                                | LicenseEvent::HistoryImported(_)
                        )
                    })
                }),
                "product" => self
                    .products
                    .follow(event.stream_id.parse(), |known| known.follow(event, |_| true)),
                "meter" => {
                    let license_id = event.license_id.map(LicenseId::from).ok_or(InvalidId);
                    let metric = metric_of(&event.stream_id).unwrap_or_default();
                    self.meters
                        .follow(license_id, |known| known.follow(metric, event));
                }
                _ => {}
            }
        }
        if let Some(last) = events.last() {
            let mut positions = self.positions.lock().unwrap_or_else(PoisonError::into_inner);
            positions.insert(ledger_id.to_owned(), last.position + 1);
        }
    }
}

/// A load under way; it also ends when whoever waits for it goes away.
struct UnderWay<'a, K: Copy + Eq + Hash, V> {
    kept: &'a Kept<K, V>,
    id: K,
}

impl<K: Copy + Eq + Hash, V> UnderWay<'_, K, V> {
    /// Keeps what was loaded, unless an event has overtaken the load. Whether it is good to use.
    fn finish(self, loaded: Option<&Arc<V>>) -> bool {
        let loading = self.kept.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let overtaken = loading.get(&self.id).is_none_or(|load| load.overtaken);
        if let (Some(loaded), false) = (loaded, overtaken) {
            self.kept.known.insert(self.id, Arc::clone(loaded));
        }
        drop(loading);
        !overtaken
    }
}

impl<K: Copy + Eq + Hash, V> Drop for UnderWay<'_, K, V> {
    fn drop(&mut self) {
        let mut loading = self.kept.loading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(load) = loading.get_mut(&self.id) {
            load.waiting -= 1;
            if load.waiting == 0 {
                loading.remove(&self.id);
            }
        }
    }
}

impl<K: Copy + Eq + Hash, V> Kept<K, V> {
    fn new(capacity: usize) -> Self {
        Self {
            known: Cache::new(capacity),
            loading: Mutex::default(),
        }
    }

    /// The value of `id`, if it `fits`, else as it is loaded.
    async fn get<F>(
        &self,
        id: K,
        fits: impl Fn(&V) -> bool,
        load: impl Fn() -> F,
    ) -> Result<Arc<V>, LedgerError>
    where
        F: Future<Output = Result<V, LedgerError>>,
    {
        if let Some(known) = self.known.get(&id)
            && fits(&known)
        {
            return Ok(known);
        }
        for _ in 0..LOAD_ATTEMPTS {
            let under_way = self.start_load(id);
            let loaded = load().await.map(Arc::new);
            if under_way.finish(loaded.as_ref().ok()) || loaded.is_err() {
                return loaded;
            }
        }
        // Events pour in faster than we load: answer from what is on disk now, without keeping it.
        load().await.map(Arc::new)
    }

    fn start_load(&self, id: K) -> UnderWay<'_, K, V> {
        let mut loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        loading.entry(id).or_default().waiting += 1;
        UnderWay { kept: self, id }
    }

    /// Follows an event of `id`; of streams with odd ids there is nothing to follow.
    fn follow(&self, id: Result<K, InvalidId>, next: impl FnOnce(&V) -> Change<V>) {
        let Ok(id) = id else { return };
        let mut loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(load) = loading.get_mut(&id) {
            load.overtaken = true;
        }
        self.change_locked(id, next);
    }

    fn change(&self, id: K, next: impl FnOnce(&V) -> Change<V>) {
        let _unmoved = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        self.change_locked(id, next);
    }

    fn change_locked(&self, id: K, next: impl FnOnce(&V) -> Change<V>) {
        let Some(known) = self.known.get(&id) else { return };
        match next(&known) {
            Change::Keep => {}
            Change::Replace(value) => self.known.insert(id, Arc::new(value)),
            Change::Forget => {
                self.known.remove(&id);
            }
        }
    }
}
