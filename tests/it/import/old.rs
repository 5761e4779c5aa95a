//! A database as the old system left them, made up from a seed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rusqlite::{Connection, params};
use uuid::Uuid;
use vinzy_engine::clock::Entropy;
use vinzy_events::key::{KeyDigest, KeyRing};

/// The keys of the old system's licenses, by version.
pub(super) const OLD_KEYS: [&str; 2] = [
    "the first key of license keys, of two thousand and twenty-four",
    "the second key of license keys, of two thousand and twenty-five",
];

/// The tables as an ORM makes them.
const SCHEMA: &str = "
    CREATE TABLE tenants (id VARCHAR(36) PRIMARY KEY, name VARCHAR(255) NOT NULL, slug VARCHAR(100) NOT NULL,
        api_key_hash VARCHAR(64), hmac_key_version INTEGER NOT NULL, config_overrides JSON, created_at DATETIME);
    CREATE TABLE products (id VARCHAR(36) PRIMARY KEY, tenant_id VARCHAR(36), code VARCHAR(10) NOT NULL, name VARCHAR(255),
        description TEXT, default_tier VARCHAR(50), features JSON, metadata JSON, created_at DATETIME);
    CREATE TABLE customers (id VARCHAR(36) PRIMARY KEY, tenant_id VARCHAR(36), name VARCHAR(255), email VARCHAR(255),
        company VARCHAR(255), metadata JSON, created_at DATETIME);
    CREATE TABLE licenses (id VARCHAR(36) PRIMARY KEY, tenant_id VARCHAR(36), key_hash VARCHAR(64), status VARCHAR(20),
        product_id VARCHAR(36), customer_id VARCHAR(36), tier VARCHAR(50), machines_limit INTEGER, expires_at DATETIME,
        features JSON, entitlements JSON, metadata JSON, created_at DATETIME, updated_at DATETIME, deleted_at DATETIME);
    CREATE TABLE machines (id VARCHAR(36) PRIMARY KEY, license_id VARCHAR(36), fingerprint VARCHAR(255), hostname VARCHAR(255),
        platform VARCHAR(50), version VARCHAR(50), last_heartbeat DATETIME, metadata JSON, created_at DATETIME);
    CREATE TABLE usage_records (id VARCHAR(36) PRIMARY KEY, license_id VARCHAR(36), metric VARCHAR(255), value FLOAT,
        metadata JSON, recorded_at DATETIME);
    CREATE TABLE webhook_endpoints (id VARCHAR(36) PRIMARY KEY, tenant_id VARCHAR(36), url VARCHAR(2048), secret VARCHAR(255),
        description TEXT, event_types JSON, status VARCHAR(20), max_retries INTEGER, timeout_seconds INTEGER,
        created_at DATETIME, updated_at DATETIME);
    CREATE TABLE webhook_deliveries (id VARCHAR(36) PRIMARY KEY, endpoint_id VARCHAR(36), payload JSON);
    CREATE TABLE anomalies (id VARCHAR(36) PRIMARY KEY, license_id VARCHAR(36), anomaly_type VARCHAR(50), severity VARCHAR(20),
        metric VARCHAR(255), z_score FLOAT, baseline_mean FLOAT, baseline_stddev FLOAT, observed_value FLOAT, detail JSON,
        resolved BOOLEAN, resolved_by VARCHAR(255), resolved_at DATETIME, created_at DATETIME);
    CREATE TABLE audit_events (id VARCHAR(36) PRIMARY KEY, license_id VARCHAR(36), event_type VARCHAR(50), actor VARCHAR(255),
        detail JSON, prev_hash VARCHAR(64), event_hash VARCHAR(64), signature VARCHAR(64), created_at DATETIME);";

/// An old database in a file.
pub(super) struct Old {
    _directory: tempfile::TempDir,
    pub(super) path: PathBuf,
    pub(super) connection: Connection,
    entropy: Entropy,
    rings: Vec<KeyRing>,
}

/// A license key that was handed out.
pub(super) struct Issued {
    pub(super) id: Uuid,
    pub(super) key: String,
    /// What its validation must say.
    pub(super) code: &'static str,
    pub(super) machines: u64,
    /// What was used, by metric, in thousandths.
    pub(super) used: BTreeMap<&'static str, u64>,
    pub(super) of_tenant: bool,
}

impl Old {
    pub(super) fn empty() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vinzy.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA synchronous = OFF").unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        // Before there were versions, the character of the version was random: such keys name any.
        let rings = (0..32).map(|version: u8| {
            let key = OLD_KEYS[usize::from(version == 1)];
            KeyRing::try_new(BTreeMap::from([(version, key.to_owned())])).unwrap()
        });
        Self {
            _directory: directory,
            path,
            connection,
            entropy: Entropy::seeded(20),
            rings: rings.collect(),
        }
    }

    pub(super) fn id(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.entropy.bytes()).into_uuid()
    }

    pub(super) fn below(&self, bound: u64) -> u64 {
        u64::from_le_bytes(self.entropy.bytes()) % bound
    }

    /// A key whose first random character names `version`, made with the second key for version 1, else with the first.
    pub(super) fn key(&self, code: &str, version: u8) -> String {
        self.rings[usize::from(version)]
            .generate(code, self.entropy.bytes())
            .as_str()
            .to_owned()
    }

    /// A time as the old system wrote them, so many seconds after the beginning of 2025.
    pub(super) fn time(seconds: u64) -> String {
        let micros = (1_735_689_600 + i64::try_from(seconds).unwrap()) * 1_000_000 + 123_456;
        let time = vinzy_events::Timestamp::from_micros(micros).unwrap().to_string();
        time.replace('T', " ").replace('Z', "")
    }

    pub(super) fn execute(&self, sql: &str) {
        self.connection.execute_batch(sql).unwrap();
    }

    pub(super) fn product(&self, code: &str, tenant: Option<Uuid>) -> Uuid {
        let id = self.id();
        self.connection
            .execute(
                "INSERT INTO products VALUES (?, ?, ?, 'Product', '', 'standard', ?, '{\"k\": 1}', ?)",
                params![
                    id.to_string(),
                    tenant.map(|id| id.to_string()),
                    code,
                    r#"{"export": true, "api_calls": {"enabled": true, "limit": 1000000}}"#,
                    Self::time(0)
                ],
            )
            .unwrap();
        id
    }

    pub(super) fn customer(&self, email: &str, tenant: Option<Uuid>) -> Uuid {
        let id = self.id();
        self.connection
            .execute(
                "INSERT INTO customers VALUES (?, ?, ?, ?, 'Acme', NULL, ?)",
                params![
                    id.to_string(),
                    tenant.map(|id| id.to_string()),
                    format!("Customer {email}"),
                    email,
                    Self::time(self.below(1_000_000))
                ],
            )
            .unwrap();
        id
    }

    /// An active license without an end; the rest of its columns can be set afterwards.
    pub(super) fn license(&self, key: &str, product: Uuid, customer: &str, tenant: Option<Uuid>) -> Uuid {
        let id = self.id();
        self.connection
            .execute(
                "INSERT INTO licenses VALUES (?, ?, ?, 'active', ?, ?, 'pro', 3, NULL, '{}', '{}', '{\"m\": 1}', ?, NULL, NULL)",
                params![
                    id.to_string(),
                    tenant.map(|id| id.to_string()),
                    KeyDigest::of(key).to_string(),
                    product.to_string(),
                    customer,
                    Self::time(self.below(10_000_000))
                ],
            )
            .unwrap();
        id
    }

    pub(super) fn machine(&self, license: Uuid, fingerprint: &str) -> Uuid {
        let id = self.id();
        self.connection
            .execute(
                "INSERT INTO machines VALUES (?, ?, ?, 'host', 'linux', '1.2.3', ?, '{}', ?)",
                params![
                    id.to_string(),
                    license.to_string(),
                    fingerprint,
                    Self::time(20_000_000),
                    Self::time(15_000_000)
                ],
            )
            .unwrap();
        id
    }

    pub(super) fn usage(&self, license: Uuid, metric: &str, value: f64, seconds: u64) {
        self.connection
            .execute(
                "INSERT INTO usage_records VALUES (?, ?, ?, ?, '{}', ?)",
                params![
                    self.id().to_string(),
                    license.to_string(),
                    metric,
                    value,
                    Self::time(seconds)
                ],
            )
            .unwrap();
    }

    pub(super) fn audit(&self, license: Uuid, event_type: &str, detail: &str, seconds: u64) {
        let hash = KeyDigest::of(detail).to_string();
        self.connection
            .execute(
                "INSERT INTO audit_events VALUES (?, ?, ?, 'system', ?, NULL, ?, ?, ?)",
                params![
                    self.id().to_string(),
                    license.to_string(),
                    event_type,
                    detail,
                    hash,
                    hash,
                    Self::time(seconds)
                ],
            )
            .unwrap();
    }

    /// A tenant whose old API key is `api_key`.
    pub(super) fn tenant(&self, slug: &str, api_key: &str) -> Uuid {
        let id = self.id();
        self.connection
            .execute(
                "INSERT INTO tenants VALUES (?, ?, ?, ?, 0, '{\"x\": 1}', ?)",
                params![
                    id.to_string(),
                    slug.to_uppercase(),
                    slug,
                    KeyDigest::of(api_key).to_string(),
                    Self::time(0)
                ],
            )
            .unwrap();
        id
    }

    /// Many licenses, sound ones, with customers, machines, usage and history, a part of them a tenant's.
    pub(super) fn many(&self, licenses: u64, tenant: Uuid) -> Vec<Issued> {
        self.execute("BEGIN");
        let own = [("PRD", None), ("AB", None), ("C", None), ("PRD", Some(tenant))];
        let own = own.map(|(code, tenant)| (code, tenant, self.product(code, tenant)));
        let customers: Vec<(Uuid, Uuid)> = (0..licenses.div_ceil(5))
            .map(|number| {
                let email = format!("customer{number}@example.com");
                (self.customer(&email, None), self.customer(&email, Some(tenant)))
            })
            .collect();
        let issued = (0..licenses).map(|number| {
            let of_tenant = number % 20 == 0;
            let (code, tenant, product) = own[if of_tenant {
                3
            } else {
                usize::try_from(number % 3).unwrap()
            }];
            let version = match self.below(3) {
                0 => 0,
                1 => 1,
                // A random character, from before there were versions; made with the first key.
                _ => 2 + u8::try_from(self.below(30)).unwrap(),
            };
            let key = self.key(code, version);
            let (general, tenants) = customers[usize::try_from(self.below(customers.len() as u64)).unwrap()];
            let customer = if of_tenant { tenants } else { general };
            // Ids in all the ways in which they are written.
            let customer = match number % 3 {
                0 => customer.to_string(),
                1 => customer.simple().to_string(),
                _ => customer.to_string().to_uppercase(),
            };
            let id = self.license(&key, product, &customer, tenant);
            let code = self.stand(id, number);
            let mut one = Issued {
                id,
                key,
                code,
                machines: 0,
                used: BTreeMap::new(),
                of_tenant,
            };
            if number % 5 == 0 {
                one.machines = 1 + self.below(3);
                (0..one.machines).for_each(|machine| {
                    self.machine(id, &format!("machine-{number}-{machine}"));
                });
            }
            if number % 20 == 3 {
                self.meter(&mut one);
            }
            if number % 4 == 0 {
                self.audit(
                    id,
                    "license.created",
                    &format!("{{\"tier\": \"pro\", \"number\": {number}}}"),
                    number,
                );
            }
            one
        });
        let issued = issued.collect();
        self.execute("COMMIT");
        issued
    }

    /// What a license's validation must say.
    fn stand(&self, id: Uuid, number: u64) -> &'static str {
        let (change, code) = match number % 40 {
            7 => ("status = 'suspended'", "SUSPENDED"),
            8 => ("status = 'revoked'", "SUSPENDED"),
            9 => ("expires_at = '2025-06-01 00:00:00'", "EXPIRED"),
            10 => ("expires_at = '2099-06-01 00:00:00.000000'", "OK"),
            11 => ("machines_limit = NULL", "OK"),
            12 => ("deleted_at = '2025-06-01 00:00:00'", "NOT_FOUND"),
            _ => return "OK",
        };
        self.execute(&format!("UPDATE licenses SET {change} WHERE id = '{id}'"));
        code
    }

    fn meter(&self, one: &mut Issued) {
        for record in 0..5 {
            let metric = if record % 2 == 0 { "api_calls" } else { "exports" };
            let thousandths = 1 + self.below(9_000_000);
            #[expect(clippy::cast_precision_loss, reason = "small enough")]
            self.usage(
                one.id,
                metric,
                thousandths as f64 / 1_000.0,
                1_000_000 * (record + 1),
            );
            *one.used.entry(metric).or_default() += thousandths;
        }
    }
}
