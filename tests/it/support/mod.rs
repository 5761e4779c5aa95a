//! What every test stands on: a database of its own, and a server in this process with a clock that
//! stands still, or servers of their own.

pub(crate) mod client;
pub(crate) mod database;
pub(crate) mod load;
pub(crate) mod node;
pub(crate) mod proxy;
pub(crate) mod receiver;
pub(crate) mod smtp;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use serde_json::{Value, json};
use vinzy_client::calls;
use vinzy_client::tenants::CreateTenant;
use vinzy_engine::app::{App, DEFAULT_LEDGER};
use vinzy_engine::clock::{Clock, Entropy};
use vinzy_engine::config::{
    AccessConfig, ConnectionConfig, ProvisioningConfig, SecretConfig, ServerConfig, ValidationAudit,
    WebhookConfig,
};
use vinzy_engine::database::{connect, disconnect};
use vinzy_engine::http;
use vinzy_engine::processes::anomaly_detection;
use vinzy_engine::secrets::Secrets;
use vinzy_engine::settings::Settings;
use vinzy_events::Timestamp;
use vinzy_events::anomaly::detection;
use vinzy_events::meter::{Counted, MeterEvent};
use vinzy_projections::event_log;

use client::Client;
use database::TestDatabase;

pub(crate) const ADMIN_KEY: &str = "vz_3kfhq8rT2mLw9pXcVb5nZs7dGj4yQe6u";
pub(crate) const SUPER_ADMIN_KEY: &str = "vzs_8dKq2LxPw5nRtVz3mBc7yHj9sGf4eTu6";
pub(crate) const SECRET: &str = "Vt7wqLz3nXk9pRb5mYc2sHd8fGj4aQe6uTo1iPl0";
pub(crate) const HMAC_KEY: &str = "Qe6uTo1iPl0Vt7wqLz3nXk9pRb5mYc2sHd8fGj4a";
pub(crate) const SIGNING_KEY: &str = "0b1c2d3e4f5061728394a5b6c7d8e9fa5b1e9c07d2a4f8361ce5b97043ad8f62";

/// The first moment of every test.
pub(crate) fn start_time() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

pub(crate) fn server_config() -> ServerConfig {
    ServerConfig {
        host: "127.0.0.1".parse().unwrap(),
        port: 0,
        api_prefix: String::new(),
        ledger_origin: "test.example".into(),
        lease_ttl: 86_400,
        max_staleness: 30,
        // Where a test wants none, there must be none.
        checkpoint_interval: 0,
        validation_audit: ValidationAudit::Coalesced,
        access: AccessConfig {
            rate_limit_enabled: false,
            max_concurrent_requests: 20_000,
            ..AccessConfig::default()
        },
        webhooks: WebhookConfig {
            // Where tests receive.
            webhook_allow_cidrs: ["127.0.0.0/8", "::1/128"]
                .map(|net| net.parse().unwrap())
                .to_vec(),
            ..WebhookConfig::default()
        },
        provisioning: ProvisioningConfig::default(),
    }
}

pub(crate) fn secrets() -> Secrets {
    secrets_with(SIGNING_KEY)
}

/// The secrets with other seeds.
pub(crate) fn secrets_with(signing_key: &str) -> Secrets {
    let secret = |text: &str| Some(text.to_owned().into());
    let config = SecretConfig {
        environment: "test".into(),
        secret_key: secret(SECRET),
        hmac_key: secret(HMAC_KEY),
        hmac_keys: None,
        signing_key: secret(signing_key),
        api_key: secret(ADMIN_KEY),
        super_admin_key: secret(SUPER_ADMIN_KEY),
    };
    Secrets::load(&config, "/nonexistent".as_ref(), &Entropy::System).unwrap()
}

/// A server in this process.
pub(crate) struct TestApp {
    pub(crate) app: App,
    pub(crate) clock: Clock,
    pub(crate) client: Client,
    pub(crate) database: TestDatabase,
    end: tokio::sync::oneshot::Sender<()>,
    serving: tokio::task::JoinHandle<()>,
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::start_with(server_config()).await
    }

    pub(crate) async fn start_with(config: ServerConfig) -> Self {
        let database = TestDatabase::create().await;
        Self::start_on(database, config).await
    }

    pub(crate) async fn start_on(database: TestDatabase, config: ServerConfig) -> Self {
        Self::start_as(database, config, &secrets()).await
    }

    /// A server with secrets of its own.
    pub(crate) async fn start_as(database: TestDatabase, config: ServerConfig, secrets: &Secrets) -> Self {
        let clock = Clock::frozen(start_time());
        let pool = connect(database.options(), 8).await.unwrap();
        let app = App::start(
            pool,
            &config,
            secrets,
            database.data_dir(),
            Settings::default(),
            clock.clone(),
            Entropy::seeded(7),
        )
        .await
        .unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::new(format!(
            "http://{}{}",
            listener.local_addr().unwrap(),
            config.api_prefix
        ));
        let (end, ended) = tokio::sync::oneshot::channel();
        let router = http::router(&app);
        let server = http::server::Server::try_new(&ConnectionConfig::default()).unwrap();
        let ending = app.clone();
        let serving = tokio::spawn(async move {
            let ended = async {
                let _ = ended.await;
                ending.wind_down();
            };
            server.serve(listener, router, ended).await;
        });
        Self {
            app,
            clock,
            client,
            database,
            end,
            serving,
        }
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// The client of whoever runs the server.
    pub(crate) fn operator(&self) -> Client {
        self.client.with_key(&json!(SUPER_ADMIN_KEY))
    }

    /// A new tenant, and the client of its admin.
    pub(crate) async fn tenant(&self, slug: &str) -> (Value, Client) {
        let tenant = CreateTenant {
            name: slug.to_uppercase(),
            slug: slug.to_owned(),
            ..CreateTenant::default()
        };
        let tenant = self.operator().call(&calls::tenants::create(&tenant)).await;
        let client = self.client.with_key(&tenant["api_key"]);
        (tenant, client)
    }

    pub(crate) async fn product(&self, code: &str) -> Value {
        self.client.product(code).await
    }

    pub(crate) async fn customer(&self, email: &str) -> Value {
        self.client.customer(email).await
    }

    pub(crate) async fn license(&self) -> Value {
        self.client.license().await
    }

    pub(crate) async fn license_of(&self, code: &str, customer: &Value) -> Value {
        self.client.license_of(code, customer).await
    }

    /// Ends the server.
    pub(crate) async fn stop(self) -> TestDatabase {
        let Self {
            app,
            client,
            database,
            end,
            serving,
            ..
        } = self;
        drop(client);
        let _ = end.send(());
        serving.await.unwrap();
        app.stop().await;
        database
    }

    /// Ends the server and checks what every test must leave behind: a ledger that verifies, read models
    /// that equal their rebuild, and nothing parked.
    pub(crate) async fn finish(self) {
        let ready = self.client.get_anonymously("/ready").await.expect(200);
        for projection in ready["projections"].as_array().unwrap() {
            assert_eq!(projection["parked"], 0, "{projection}");
        }
        let database = self.stop().await;
        check_everything(&database).await;
        database.drop().await;
    }
}

/// Compares the anomalies of a ledger with those that its records imply: each was found once, and of what the
/// process has dealt with none is missing. Gives their number.
pub(crate) async fn check_anomalies(pool: &sqlx::PgPool) -> u64 {
    let mut conn = pool.acquire().await.unwrap();
    let dealt_with: Option<i64> = sqlx::query_scalar(
        "SELECT position FROM projection_checkpoints WHERE ledger_id = $1 AND projection = $2",
    )
    .bind(DEFAULT_LEDGER)
    .bind(anomaly_detection::NAME)
    .fetch_optional(&mut *conn)
    .await
    .unwrap();
    let span = event_log::Span {
        ledger_id: DEFAULT_LEDGER,
        from: 0,
        to: u64::MAX,
        stream_types: &["meter", "anomaly"],
        limit: u32::MAX,
    };
    let (mut windows, mut implied, mut found) = (HashMap::new(), BTreeMap::new(), BTreeSet::new());
    for event in event_log::read(&mut conn, span).await.unwrap() {
        if event.stream_type == "meter" {
            let usage = Counted::from(event.decode::<MeterEvent>().unwrap());
            let window: &mut Vec<f64> = windows.entry(event.stream_id.clone()).or_default();
            let start = window.len().saturating_sub(detection::WINDOW);
            if !usage.imported && detection::detect_in(&window[start..], usage.value.to_f64()).is_some() {
                implied.insert(event.event_id.to_string(), event.position);
            }
            window.push(usage.value.to_f64());
        } else if event.event_type == "anomaly.detected" {
            let cause = event.parse_leaf().unwrap().payload["usage_event_id"]
                .as_str()
                .unwrap()
                .to_owned();
            assert!(implied.contains_key(&cause), "{cause} does not stand out");
            assert!(found.insert(cause), "an anomaly was found twice");
        }
    }
    let dealt_with = u64::try_from(dealt_with.unwrap_or(0)).unwrap();
    for (cause, position) in implied {
        assert!(
            position >= dealt_with || found.contains(&cause),
            "the anomaly of {cause} at {position} was lost"
        );
    }
    found.len() as u64
}

/// Verifies every ledger, compares every read model with its rebuild, and anomalies with their causes.
pub(crate) async fn check_everything(database: &TestDatabase) {
    let pool = connect(database.options(), 4).await.unwrap();
    let mut runner = vinzy_projections::Runner::new(pool.clone());
    for projection in vinzy_projections::all() {
        runner.start(projection);
    }
    let ledgers = vinzy_engine::audit::ledgers(&pool).await.unwrap();
    for ledger_id in &ledgers {
        for projection in vinzy_projections::all() {
            let wait = runner.follower();
            wait.wait(projection.name(), ledger_id, Duration::from_mins(1))
                .await
                .unwrap();
        }
    }
    runner.stop().await;

    for ledger_id in &ledgers {
        let report = vinzy_engine::audit::verify_ledger(&pool, ledger_id, None, |_, _| ())
            .await
            .unwrap();
        assert_eq!(report.damage, None, "the ledger {ledger_id} must verify");
        assert_eq!(report.events_checked, report.size);
        let mut conn = pool.acquire().await.unwrap();
        for projection in vinzy_projections::all() {
            let differences = vinzy_projections::rebuild::compare(&mut conn, projection.as_ref(), ledger_id)
                .await
                .unwrap();
            assert!(
                differences.is_empty(),
                "{} of {ledger_id} differs from its rebuild: {differences:#?}",
                projection.name()
            );
        }
    }
    check_anomalies(&pool).await;
    disconnect(&pool).await;
}

/// Asks until the answer is good; at most for half a minute.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, ask: impl Fn() -> F) {
    for _ in 0..600 {
        if ask().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never came true: {what}");
}
