//! Everything that requests work with, put together once.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;
use vinzy_events::key::KeyRing;
use vinzy_events::lease::{JwkSet, LeaseSigner};
use vinzy_projections::{Behind, Follower, Runner, StoredEvent};

use crate::access::Access;
use crate::audit::Walks;
use crate::clock::{Clock, Entropy};
use crate::commands::customers::AddressHasher;
use crate::commands::idempotency::RequestHasher;
use crate::commands::products::ProductCodes;
use crate::commands::validations::ValidationLog;
use crate::config::{AccessConfig, ServerConfig};
use crate::database::{companion, disconnect};
use crate::directory::Directory;
use crate::distribution::Layout;
use crate::event_feed::EventFeed;
use crate::http::service::metrics::Standings;
use crate::keys::server::ServerKeysError;
use crate::keys::{MasterKeys, ServerKeys};
use crate::ledger::publisher::{self, Publisher};
use crate::ledger::signer::Signer;
use crate::ledger::tree::TreeReader;
use crate::ledger::witness::{Witness, WitnessError};
use crate::ledger::{Feed, Ledgers, Listener, OpenError, Opening, open};
use crate::limits::Limits;
use crate::mails::{self, MailConfigError, Mails};
use crate::metrics::Metrics;
use crate::personal_data::store::PersonalDataStore;
use crate::processes::anomaly_detection::AnomalyDetection;
use crate::processes::webhook_outbox::WebhookOutbox;
use crate::provisioning::secrets::{InvalidSecrets, ProviderSecrets};
use crate::replica::Replica;
use crate::secrets::Secrets;
use crate::settings::Settings;
use crate::tenants::Tenants;
use crate::validation::{Knowledge, Validator};
use crate::webhooks::connector::Connector;
use crate::webhooks::policy::{ConnectPolicy, PolicyError};
use crate::webhooks::{Sending, Webhooks};

/// The ledger of whoever has no tenant.
pub const DEFAULT_LEDGER: &str = "default";
/// The server's own ledger: what happens to tenants.
pub const SYSTEM_LEDGER: &str = "system";
/// How long a query waits for its read model.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads for exports at a time: the rest of the connections is for those who do something else.
const EXPORTS: usize = 2;

/// Connections for what must not wait.
const VITAL_CONNECTIONS: u32 = 4;

/// The migrations, as they are in the program.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// The application's parts; clones share them.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// See [`App`].
pub struct Parts {
    /// The database.
    pub pool: PgPool,
    /// The same, for what must not wait for its turn among the requests: who asks, and what other nodes do.
    pub vital: PgPool,
    /// Verifications that requests have begun.
    pub walks: Walks,
    /// The time.
    pub clock: Clock,
    /// Random bytes.
    pub entropy: Entropy,
    /// The ledgers.
    pub ledgers: Arc<Ledgers>,
    /// Answers validations.
    pub validator: Validator,
    /// Counts them.
    pub validations: Arc<ValidationLog>,
    /// Sends webhooks.
    pub webhooks: Arc<Webhooks>,
    /// Sends license keys.
    pub mails: Arc<Mails>,
    /// What messages of providers of payments are verified with.
    pub provider_secrets: ProviderSecrets,
    /// Days that the license of a subscription lasts longer than what was paid for.
    pub grace_days: u32,
    /// Wrap keys.
    pub master_keys: MasterKeys,
    /// Opens personal data.
    pub personal_data: PersonalDataStore,
    /// Hashes addresses.
    pub address_hasher: AddressHasher,
    /// Hashes requests.
    pub request_hasher: RequestHasher,
    /// Finds products by their codes.
    pub product_codes: ProductCodes,
    /// Makes and checks license keys.
    pub key_ring: KeyRing,
    /// What is counted and measured.
    pub metrics: Metrics,
    /// Where the projections stood last.
    pub standings: Standings,
    /// Known API keys.
    pub access: Arc<Access>,
    /// The ledgers' events for integrators.
    pub event_feed: Arc<EventFeed>,
    /// Turns of those who read for an export.
    pub exports: Semaphore,
    /// The tenants with their settings.
    pub tenants: Arc<Tenants>,
    /// How much may be asked.
    pub limits: Arc<Limits>,
    /// Who may ask, from where, and how much.
    pub access_config: AccessConfig,
    /// Signs checkpoints.
    pub signer: Arc<Signer>,
    /// Public keys of leases.
    pub jwks: JwkSet,
    /// The ledger of whoever has no tenant.
    pub default_ledger: Arc<str>,
    /// The server's own ledger.
    pub system_ledger: Arc<str>,
    /// Prefix of every ledger's name.
    pub ledger_origin: String,
    /// Path before all routes.
    pub api_prefix: String,
    /// What the program was told, for whoever runs it.
    pub settings: Settings,
    projections: Follower,
    replica: Option<Replica>,
    background: std::sync::Mutex<Option<Background>>,
}

struct Background {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    runner: Runner,
    flush: tokio::task::JoinHandle<()>,
    stop_flush: watch::Sender<bool>,
    sending: Sending,
    mailing: mails::Sending,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// The databases of an application.
pub struct Databases {
    /// What is written to, and read from where there is no replica.
    pub primary: PgPool,
    /// What lists, searches and sums are read from, as long as it keeps up.
    pub replica: Option<PgPool>,
}

impl From<PgPool> for Databases {
    fn from(primary: PgPool) -> Self {
        Self {
            primary,
            replica: None,
        }
    }
}

/// Why the application cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be reached or used.
    #[error("the database cannot be used: {0}")]
    Database(#[from] sqlx::Error),
    /// The schema cannot be brought up to date.
    #[error("the database schema cannot be brought up to date: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The ledger cannot be opened.
    #[error(transparent)]
    Ledger(#[from] OpenError),
    /// The keys that the database keeps cannot be opened.
    #[error(transparent)]
    Keys(#[from] ServerKeysError),
    /// The data directory cannot be written.
    #[error("the last checkpoints cannot be kept in {path}: {cause}", path = .0, cause = .0.source)]
    Witness(#[from] WitnessError),
    /// Certificates for webhooks cannot be used.
    #[error(transparent)]
    Webhooks(#[from] PolicyError),
    /// Secrets of providers of payments are none.
    #[error(transparent)]
    Secrets(#[from] InvalidSecrets),
    /// Mails cannot be sent as it is set.
    #[error(transparent)]
    Mails(#[from] MailConfigError),
    /// The operating system gives no thread to the ledgers' writers.
    #[error("no thread for the ledgers: {0}")]
    Thread(#[from] std::io::Error),
}

/// A tenant's ledger is called `…/t/{slug}`; the server's own lies beside all of them.
pub(crate) fn opening(prefix: &str, ledger_id: &str) -> Opening {
    let origin = match ledger_id {
        SYSTEM_LEDGER => format!("{prefix}/{SYSTEM_LEDGER}"),
        tenant => format!("{prefix}/t/{tenant}"),
    };
    Opening {
        ledger_id: ledger_id.to_owned(),
        origin,
    }
}

/// The ledgers that there are from the first start on.
fn own_ledgers(prefix: &str) -> [Opening; 2] {
    [DEFAULT_LEDGER, SYSTEM_LEDGER].map(|ledger_id| opening(prefix, ledger_id))
}

/// Signs leases.
fn lease_signer(secrets: &Secrets) -> LeaseSigner {
    LeaseSigner::new(*secrets.signing_seeds.first().expect("there is at least one seed"))
}

/// The public keys of leases.
fn public_keys(secrets: &Secrets) -> JwkSet {
    let seeds = secrets.signing_seeds.iter();
    JwkSet {
        keys: seeds.map(|seed| LeaseSigner::new(*seed).jwk()).collect(),
    }
}

/// Wakes the projections of this node when something was committed.
struct Waker(Follower);

impl Listener for Waker {
    fn committed(&self, ledger_id: &str, events: &[StoredEvent]) {
        self.0.committed(ledger_id, events);
    }
}

/// Starts every read model and every process.
fn start_all(runner: &mut Runner, ledgers: &Arc<Ledgers>, clock: &Clock) {
    for projection in vinzy_projections::all() {
        runner.start(projection);
    }
    runner.start(Arc::new(AnomalyDetection::new(Arc::clone(ledgers))));
    runner.start(Arc::new(WebhookOutbox::new(clock.clone())));
}

/// Starts what notes uses of API keys, forgets who asked long ago, and follows other nodes.
fn followers(
    access: &Arc<Access>,
    limits: &Arc<Limits>,
    feed: &Arc<Feed>,
    vital: &PgPool,
    stop: &watch::Sender<bool>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let (uses, pool_of_uses, stopped) = (Arc::clone(access), vital.clone(), stop.subscribe());
    tasks.spawn(async move { uses.uses.run(pool_of_uses, stopped).await });
    let (sweeping, stopped) = (Arc::clone(limits), stop.subscribe());
    tasks.spawn(async move { sweeping.run(stopped).await });
    let (following, pool_to_follow, stopped) = (Arc::clone(feed), vital.clone(), stop.subscribe());
    tasks.spawn(async move { following.run(pool_to_follow, stopped).await });
    tasks
}

/// Starts what notes validations.
fn flushing(validations: &Arc<ValidationLog>, stopped: watch::Receiver<bool>) -> tokio::task::JoinHandle<()> {
    let log = Arc::clone(validations);
    tokio::spawn(async move { log.run(stopped).await })
}

impl App {
    /// Brings the schema up to date, opens the default ledger and starts what runs in the background. The last
    /// checkpoints are kept below `data_dir`. What is shown of `settings` is all that is done with them.
    #[expect(
        clippy::too_many_lines,
        reason = "everything is put together here, and nowhere else"
    )]
    pub async fn start(
        databases: impl Into<Databases>,
        config: &ServerConfig,
        secrets: &Secrets,
        data_dir: &Path,
        settings: Settings,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Self, StartError> {
        let Databases {
            primary: pool,
            replica,
        } = databases.into();
        let connector = Connector::new(ConnectPolicy::try_new(&config.webhooks)?);
        let provider_secrets = ProviderSecrets::try_new(&config.provisioning)?;
        MIGRATOR.run(&pool).await?;
        let witness = Witness::open(data_dir).await?;
        let server_keys = ServerKeys::open_or_make(&pool, &secrets.master_keys, &entropy).await?;
        let checkpoint_keys = secrets.checkpoint_keys();
        for opening in own_ledgers(&config.ledger_origin) {
            open(&pool, &opening, &checkpoint_keys, &clock, &entropy).await?;
        }

        let mut runner = Runner::new(pool.clone());
        let directory = Arc::new(Directory::new(pool.clone()));
        let vital = companion(&pool, VITAL_CONNECTIONS);
        let metrics = Metrics::new();
        let tenants = Arc::new(Tenants::new(config));
        let limits = Arc::new(Limits::new(&config.access));
        let publisher = Arc::new(Publisher::default());
        let event_feed = Arc::new(EventFeed::new(pool.clone()));
        let listeners: Vec<Arc<dyn Listener>> = vec![
            Arc::clone(&directory) as _,
            Arc::clone(&publisher) as _,
            Arc::clone(&tenants) as _,
            Arc::new(Waker(runner.follower())),
            Arc::clone(&event_feed) as _,
        ];
        let feed = Arc::new(Feed::new(listeners));
        feed.start_at_present(&pool).await?;
        tenants.load(&pool).await?;
        let layout = Layout::of(&mut *pool.acquire().await?).await?;
        let ledgers = Arc::new(Ledgers::new(
            pool.clone(),
            layout,
            Arc::clone(&feed),
            metrics.ledger.clone(),
            clock.clone(),
            entropy.clone(),
        )?);
        start_all(&mut runner, &ledgers, &clock);
        let validations = Arc::new(ValidationLog::new(config.validation_audit, Arc::clone(&ledgers)));

        let trees = TreeReader::new(pool.clone(), runner.follower());
        let signer = Signer::new(pool.clone(), checkpoint_keys, witness, trees, clock.clone());
        let signer = Arc::new(signer);
        let (stop, stop_flush) = (watch::channel(false).0, watch::channel(false).0);
        let access = Arc::new(Access::new(secrets, vital.clone()));
        let mut tasks = followers(&access, &limits, &feed, &vital, &stop);
        let flush = flushing(&validations, stop_flush.subscribe());
        let means = publisher::Means {
            pool: pool.clone(),
            signer: Arc::clone(&signer),
            metrics: metrics.checkpoints.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
        };
        let interval = Some(config.checkpoint_interval).filter(|seconds| *seconds > 0);
        let interval = interval.map(|seconds| Duration::from_secs(seconds.into()));
        tasks.spawn(publisher.run(means, interval, stop.subscribe()));

        let (webhooks, sending) = Webhooks::start(Webhooks {
            pool: pool.clone(),
            layout,
            vital: vital.clone(),
            masters: secrets.master_keys.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            ledgers: Arc::clone(&ledgers),
            follower: runner.follower(),
            connector,
            schedule: config.webhooks.webhook_retry_schedule.clone(),
            retention_days: config.webhooks.webhook_retention_days,
            metrics: metrics.webhooks.clone(),
            wake: Notify::new(),
        });
        let personal_data = PersonalDataStore::new(pool.clone(), secrets.master_keys.clone());
        let means = mails::Means {
            pool: pool.clone(),
            personal_data: personal_data.clone(),
            ledgers: Arc::clone(&ledgers),
            clock: clock.clone(),
            entropy: entropy.clone(),
            metrics: metrics.mails.clone(),
        };
        let (mails, mailing) = Mails::try_new(&config.provisioning, means)?.start();
        let replica = replica.map(|replica| Replica::new(replica, metrics.replica.clone()));
        let parts = Parts {
            validator: Validator::new(
                Knowledge {
                    directory,
                    tenants: Arc::clone(&tenants),
                    feed,
                },
                lease_signer(secrets),
                secrets.key_ring.clone(),
                Arc::clone(&limits),
                config,
                entropy.clone(),
            ),
            validations,
            webhooks,
            mails,
            provider_secrets,
            grace_days: config.provisioning.subscription_grace_days,
            master_keys: secrets.master_keys.clone(),
            personal_data,
            address_hasher: AddressHasher::new(server_keys.uniqueness),
            request_hasher: RequestHasher::new(server_keys.idempotency),
            product_codes: ProductCodes::default(),
            key_ring: secrets.key_ring.clone(),
            metrics,
            standings: Standings::default(),
            access,
            event_feed,
            exports: Semaphore::new(EXPORTS),
            tenants,
            limits,
            access_config: config.access.clone(),
            signer,
            jwks: public_keys(secrets),
            default_ledger: DEFAULT_LEDGER.into(),
            system_ledger: SYSTEM_LEDGER.into(),
            ledger_origin: config.ledger_origin.clone(),
            api_prefix: config.api_prefix.clone(),
            settings,
            projections: runner.follower(),
            replica,
            background: std::sync::Mutex::new(Some(Background {
                stop,
                tasks,
                runner,
                flush,
                stop_flush,
                sending,
                mailing,
            })),
            pool,
            vital,
            walks: Walks::default(),
            clock,
            entropy,
            ledgers,
        };
        Ok(Self(Arc::new(parts)))
    }

    /// Waits until a read model shows, or a process has dealt with, everything that is in the ledger now. Gives where
    /// that can be read: a replica, if there is one that has come as far.
    pub async fn in_step(&self, projection: &'static str, ledger_id: &str) -> Result<&PgPool, Behind> {
        if let Some(replica) = &self.replica
            && let Some(pool) = replica.in_step(&self.projections, projection, ledger_id).await
        {
            return Ok(pool);
        }
        self.projections.wait(projection, ledger_id, PATIENCE).await?;
        Ok(&self.pool)
    }

    /// Opens a tenant's ledger, unless it is open.
    pub async fn open_ledger(&self, ledger_id: &str) -> Result<(), OpenError> {
        let opening = opening(&self.ledger_origin, ledger_id);
        open(
            &self.pool,
            &opening,
            self.signer.keys(),
            &self.clock,
            &self.entropy,
        )
        .await
    }

    /// The version of the HMAC key that signs a tenant's license keys.
    pub fn hmac_key_version(&self, ledger_id: &str) -> u8 {
        let tenants = self.tenants.of(ledger_id).hmac_key_version;
        tenants.unwrap_or_else(|| self.key_ring.current_version())
    }

    /// Tells those who wait for events that none will come from here: what would go on without an end is answered.
    /// Call it when the server is told to end.
    pub fn wind_down(&self) {
        self.event_feed.end();
    }

    /// Ends everything in order: validations are noted, deliveries under way finished or given back, queues written,
    /// read models brought to rest.
    /// Call it when no more requests come. A second call does nothing.
    pub async fn stop(&self) {
        let background = self
            .background
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take();
        let Some(mut background) = background else { return };
        background.stop_flush.send_replace(true);
        if let Err(error) = background.flush.await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "validations were not noted"
            );
        }
        // Before the ledgers: an endpoint may have to be disabled.
        background.sending.stop().await;
        background.mailing.stop().await;
        self.ledgers.close().await;
        background.stop.send_replace(true);
        while background.tasks.join_next().await.is_some() {}
        background.runner.stop().await;
        if let Some(replica) = &self.replica {
            replica.disconnect().await;
        }
        disconnect(&self.vital).await;
        disconnect(&self.pool).await;
    }
}
