//! What is counted and measured, for Prometheus. No label holds a secret, a key, a tenant or a personal datum.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::http::server::Connections;

/// A request and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Measured {
    method: &'static str,
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfProjection {
    projection: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Version {
    version: &'static str,
}

type Seconds = Gauge<f64, AtomicU64>;

/// How the writers of the ledgers fare.
#[derive(Debug, Clone)]
pub struct LedgerMetrics {
    operations: Histogram,
    seconds: Histogram,
    failed: Counter,
}

impl LedgerMetrics {
    /// A batch was committed, or not.
    pub fn batch(&self, operations: usize, took: Duration, committed: bool) {
        self.operations
            .observe(u32::try_from(operations).map_or(f64::MAX, f64::from));
        self.seconds.observe(took.as_secs_f64());
        if !committed {
            self.failed.inc();
        }
    }
}

/// How the signing of checkpoints fares.
#[derive(Debug, Clone, Default)]
pub struct CheckpointMetrics {
    signed: Counter,
    refused: Counter,
}

impl CheckpointMetrics {
    /// A checkpoint was signed.
    pub fn signed(&self) {
        self.signed.inc();
    }

    /// None was signed: the ledger does not continue the last, or the database failed.
    pub fn refused(&self) {
        self.refused.inc();
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReadFrom {
    database: &'static str,
}

/// Where read models are read.
#[derive(Debug, Clone, Default)]
pub struct ReplicaMetrics {
    reads: Family<ReadFrom, Counter>,
}

impl ReplicaMetrics {
    /// A query that the replica could answer was answered by it, or was not.
    pub fn asked(&self, replica: bool) {
        let database = if replica { "replica" } else { "primary" };
        self.reads.get_or_create(&ReadFrom { database }).inc();
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// How deliveries of webhooks fare.
#[derive(Debug, Clone)]
pub struct WebhookMetrics {
    tries: Family<Outcome, Counter>,
    seconds: Histogram,
    waiting: Gauge,
}

impl WebhookMetrics {
    /// A delivery was tried: `delivered`, `retried` or `given_up`.
    pub fn tried(&self, outcome: &'static str, took: Duration) {
        self.tries.get_or_create(&Outcome { outcome }).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// So many deliveries wait or are under way, on all nodes.
    pub fn waiting(&self, deliveries: i64) {
        self.waiting.set(deliveries);
    }
}

/// How mails with license keys fare.
#[derive(Debug, Clone, Default)]
pub struct MailMetrics {
    tries: Family<Outcome, Counter>,
}

impl MailMetrics {
    /// A mail was tried: `delivered`, `retried` or `given_up`.
    pub fn tried(&self, outcome: &'static str) {
        self.tries.get_or_create(&Outcome { outcome }).inc();
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Notice {
    provider: &'static str,
    outcome: &'static str,
}

/// What providers of payments tell.
#[derive(Debug, Clone, Default)]
pub struct ProvisioningMetrics {
    notices: Family<Notice, Counter>,
}

impl ProvisioningMetrics {
    /// A message came: `issued`, `noted`, `known`, `ignored`, or `refused` for what is wrong with it or with our products.
    pub fn told(&self, provider: &'static str, outcome: &'static str) {
        self.notices.get_or_create(&Notice { provider, outcome }).inc();
    }
}

/// What is read at the moment when somebody asks.
#[derive(Debug, Default)]
pub struct Now {
    /// Operations that wait for the ledgers' writers.
    pub ledger_queue: usize,
    /// Validations that are counted and not noted yet.
    pub validations_pending: usize,
    /// Requests that read events or wait for them.
    pub event_readers: usize,
    /// For each projection: its name, how many events it lacks in the ledger where it lacks most, and in how many
    /// ledgers it is parked.
    pub projections: Vec<(String, u64, u64)>,
    /// How old what this node knows may be.
    pub staleness: Duration,
    /// Connections to the database: those there are, and those that are idle.
    pub database: (u32, usize),
}

/// All of them.
pub struct Metrics {
    registry: Registry,
    started: Instant,
    requests: Family<Answered, Counter>,
    durations: Family<Measured, Histogram, fn() -> Histogram>,
    /// How the writers of the ledgers fare.
    pub ledger: LedgerMetrics,
    /// How the signing of checkpoints fares.
    pub checkpoints: CheckpointMetrics,
    /// How deliveries of webhooks fare.
    pub webhooks: WebhookMetrics,
    /// How mails with license keys fare.
    pub mails: MailMetrics,
    /// What providers of payments tell.
    pub provisioning: ProvisioningMetrics,
    /// Where read models are read.
    pub replica: ReplicaMetrics,
    ledger_queue: Gauge,
    validations_pending: Gauge,
    event_readers: Gauge,
    projection_lag: Family<OfProjection, Gauge>,
    projection_parked: Family<OfProjection, Gauge>,
    database_connections: Gauge,
    database_idle: Gauge,
    connections: [Gauge; 4],
    resident: Gauge,
    uptime: Seconds,
    staleness: Seconds,
    watched: OnceLock<Arc<Connections>>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Nothing counted yet.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("vinzy");
        let metrics = Self {
            started: Instant::now(),
            requests: Family::default(),
            durations: Family::new_with_constructor(latencies as fn() -> Histogram),
            ledger: LedgerMetrics {
                operations: Histogram::new(exponential_buckets(1.0, 2.0, 10)),
                seconds: latencies(),
                failed: Counter::default(),
            },
            checkpoints: CheckpointMetrics::default(),
            webhooks: WebhookMetrics {
                tries: Family::default(),
                seconds: latencies(),
                waiting: Gauge::default(),
            },
            mails: MailMetrics::default(),
            provisioning: ProvisioningMetrics::default(),
            replica: ReplicaMetrics::default(),
            ledger_queue: Gauge::default(),
            validations_pending: Gauge::default(),
            event_readers: Gauge::default(),
            projection_lag: Family::default(),
            projection_parked: Family::default(),
            database_connections: Gauge::default(),
            database_idle: Gauge::default(),
            connections: Default::default(),
            resident: Gauge::default(),
            uptime: Seconds::default(),
            staleness: Seconds::default(),
            watched: OnceLock::new(),
            registry: Registry::default(),
        };
        metrics.register_counts(&mut registry);
        metrics.register_states(&mut registry);
        Self { registry, ..metrics }
    }

    /// What grows with every request or batch.
    fn register_counts(&self, registry: &mut Registry) {
        registry.register(
            "checkpoints_signed",
            "Checkpoints that were signed without being asked for",
            self.checkpoints.signed.clone(),
        );
        registry.register(
            "checkpoints_refused",
            "Checkpoints that were not signed: the ledger does not continue the last, or the database failed",
            self.checkpoints.refused.clone(),
        );
        registry.register(
            "http_requests",
            "Requests that were answered",
            self.requests.clone(),
        );
        registry.register(
            "http_request_duration_seconds",
            "Time from a request's head to its answer",
            self.durations.clone(),
        );
        let LedgerMetrics {
            operations,
            seconds,
            failed,
        } = self.ledger.clone();
        registry.register(
            "ledger_batch_operations",
            "Operations that were written together",
            operations,
        );
        registry.register(
            "ledger_batch_duration_seconds",
            "Time to decide and commit a batch",
            seconds,
        );
        registry.register(
            "ledger_batches_failed",
            "Batches that could not be committed",
            failed,
        );
        registry.register(
            "mail_attempts",
            "Tries of mails with license keys, by what became of the mail",
            self.mails.tries.clone(),
        );
        registry.register(
            "provisioning_notices",
            "Messages of providers of payments, by what was done about them",
            self.provisioning.notices.clone(),
        );
        registry.register(
            "read_model_queries",
            "Times that a read model was asked while there is a replica, by who could answer",
            self.replica.reads.clone(),
        );
        registry.register(
            "webhook_attempts",
            "Tries of deliveries, by what became of the delivery",
            self.webhooks.tries.clone(),
        );
        registry.register(
            "webhook_attempt_duration_seconds",
            "Time from a request to a receiver to its answer",
            self.webhooks.seconds.clone(),
        );
    }

    /// What is read when somebody asks.
    fn register_states(&self, registry: &mut Registry) {
        let [open, accepted, refused, timed_out] = &self.connections;
        for (name, help, gauge) in [
            (
                "ledger_queue_depth",
                "Operations that wait to be written",
                &self.ledger_queue,
            ),
            (
                "validations_pending",
                "Licenses whose validations are not noted in the ledger yet",
                &self.validations_pending,
            ),
            (
                "event_readers",
                "Requests that read events or wait for them, or export",
                &self.event_readers,
            ),
            (
                "webhook_deliveries_pending",
                "Deliveries that wait (up to 100,000) or are under way, on all nodes, as of some seconds ago",
                &self.webhooks.waiting,
            ),
            (
                "database_connections",
                "Connections to the database",
                &self.database_connections,
            ),
            (
                "database_connections_idle",
                "Connections to the database that nobody uses",
                &self.database_idle,
            ),
            ("connections_open", "Connections of clients", open),
            (
                "connections_accepted",
                "Connections taken since the start",
                accepted,
            ),
            (
                "connections_refused",
                "Connections without a good TLS handshake since the start",
                refused,
            ),
            (
                "connections_timed_out",
                "Connections of clients that were too slow since the start",
                timed_out,
            ),
            (
                "process_resident_memory_bytes",
                "Memory of this process",
                &self.resident,
            ),
        ] {
            registry.register(name, help, gauge.clone());
        }
        registry.register("uptime_seconds", "Time since the start", self.uptime.clone());
        registry.register(
            "staleness_seconds",
            "How old what this node knows may be: beyond VINZY_MAX_STALENESS it validates nothing",
            self.staleness.clone(),
        );
        registry.register(
            "projection_lag_events",
            "Events that a projection has yet to read, in the ledger where it lacks most",
            self.projection_lag.clone(),
        );
        registry.register(
            "projection_parked",
            "Ledgers in which a projection has stopped at an event that it cannot read",
            self.projection_parked.clone(),
        );
        let version: Family<Version, Gauge> = Family::default();
        let build = Version {
            version: env!("CARGO_PKG_VERSION"),
        };
        version.get_or_create(&build).set(1);
        registry.register("build_info", "The program's version", version);
    }

    /// Shows the counts of a server's connections from now on.
    pub fn watch(&self, connections: Arc<Connections>) {
        self.watched.get_or_init(|| connections);
    }

    /// A request was answered. `route` is the path as it stands in the description, empty for none.
    pub fn answered(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        let method = method_name(method);
        let measured = Measured {
            method,
            route: route.to_owned(),
        };
        self.durations
            .get_or_create(&measured)
            .observe(took.as_secs_f64());
        let answered = Answered {
            method,
            route: measured.route,
            status: status.as_u16(),
        };
        self.requests.get_or_create(&answered).inc();
    }

    /// The text that Prometheus reads: the `OpenMetrics` format.
    pub fn text(&self, now: &Now) -> Result<String, fmt::Error> {
        self.ledger_queue.set(signed(now.ledger_queue as u64));
        self.validations_pending
            .set(signed(now.validations_pending as u64));
        self.event_readers.set(signed(now.event_readers as u64));
        for (projection, lag, parked) in &now.projections {
            let labels = OfProjection {
                projection: projection.clone(),
            };
            self.projection_lag.get_or_create(&labels).set(signed(*lag));
            self.projection_parked.get_or_create(&labels).set(signed(*parked));
        }
        self.database_connections.set(now.database.0.into());
        self.database_idle.set(signed(now.database.1 as u64));
        if let Some(watched) = self.watched.get() {
            let counts = [
                watched.open(),
                watched.accepted(),
                watched.refused(),
                watched.timed_out(),
            ];
            for (gauge, count) in self.connections.iter().zip(counts) {
                gauge.set(signed(count));
            }
        }
        self.resident.set(signed(resident_bytes().unwrap_or(0)));
        self.uptime.set(self.started.elapsed().as_secs_f64());
        self.staleness.set(now.staleness.as_secs_f64());
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn latencies() -> Histogram {
    // From 100 µs to 13 s.
    Histogram::new(exponential_buckets(0.0001, 2.0, 18))
}

/// Names that somebody made up are not counted one by one.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Memory that this process has in use, as Linux counts it.
fn resident_bytes() -> Option<u64> {
    let pages: u64 = std::fs::read_to_string("/proc/self/statm")
        .ok()?
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()?;
    let page_size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok()??;
    Some(pages * u64::try_from(page_size).ok()?)
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_shown() {
        let metrics = Metrics::new();
        metrics.answered(
            &Method::POST,
            "/validate",
            StatusCode::OK,
            Duration::from_micros(150),
        );
        let made_up = Method::from_bytes(b"MADEUP").unwrap();
        metrics.answered(&made_up, "", StatusCode::NOT_FOUND, Duration::from_micros(1));
        metrics.ledger.batch(3, Duration::from_millis(2), true);
        metrics.webhooks.tried("delivered", Duration::from_millis(20));
        metrics.webhooks.waiting(5);
        metrics.mails.tried("given_up");
        metrics.provisioning.told("stripe", "issued");
        let now = Now {
            projections: vec![("licenses".into(), 7, 1)],
            ..Now::default()
        };
        let text = metrics.text(&now).unwrap();
        for line in [
            "vinzy_http_requests_total{method=\"POST\",route=\"/validate\",status=\"200\"} 1",
            "vinzy_http_requests_total{method=\"other\",route=\"\",status=\"404\"} 1",
            "vinzy_http_request_duration_seconds_count{method=\"POST\",route=\"/validate\"} 1",
            "vinzy_ledger_batch_operations_sum 3.0",
            "vinzy_webhook_attempts_total{outcome=\"delivered\"} 1",
            "vinzy_webhook_deliveries_pending 5",
            "vinzy_mail_attempts_total{outcome=\"given_up\"} 1",
            "vinzy_provisioning_notices_total{provider=\"stripe\",outcome=\"issued\"} 1",
            "vinzy_projection_lag_events{projection=\"licenses\"} 7",
            "vinzy_projection_parked{projection=\"licenses\"} 1",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
