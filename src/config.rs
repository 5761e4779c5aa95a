//! Settings: flags before environment before `vinzy.toml` before defaults, under the same names.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, Command, ValueEnum};
use ipnet::IpNet;

use crate::webhooks::schedule::Schedule;

/// The file that is read when none is named.
const DEFAULT_FILE: &str = "vinzy.toml";

/// Settings that may be tables in the file.
const TABLES: [&str; 3] = ["hmac_keys", "polar_webhook_secret", "stripe_webhook_secret"];

/// A text that must not be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// How validations are noted in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ValidationAudit {
    /// Each one, before it is answered: slow, and exact even if the server is killed.
    Each,
    /// Counted, and noted once a second per license.
    Coalesced,
    /// Not at all.
    Off,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Where else the server may read.
#[derive(Debug, Clone, Args)]
pub struct ReplicaConfig {
    /// Streaming replica of the database, as <postgres://user:password@host/name>, that lists, searches and sums are
    /// read from as long as it keeps up; empty reads everything from the database itself
    #[arg(long, env = "VINZY_DB_READ_URL", value_name = "URL", hide_env_values = true)]
    pub db_read_url: Option<Secret>,
}

/// Where data and database are.
#[derive(Debug, Clone, Args)]
pub struct DatabaseConfig {
    /// PostgreSQL to use, 15 or newer, as <postgres://user:password@host/name>; empty starts a private one under the
    /// data directory
    #[arg(long, env = "VINZY_DB_URL", value_name = "URL", hide_env_values = true)]
    pub db_url: Option<Secret>,

    /// Connections to the database, at most; a quarter as many come on top for the ledgers' writers
    #[arg(long, env = "VINZY_DB_POOL_SIZE", value_name = "N", default_value_t = 16,
          value_parser = clap::value_parser!(u32).range(4..=1000))]
    pub db_pool_size: u32,

    /// Directory of the private database, of generated secrets, and of the last checkpoint of each ledger
    /// (checkpoints/): to be kept also where the database is elsewhere
    #[arg(long, env = "VINZY_DATA_DIR", value_name = "DIR", default_value = "./data")]
    pub data_dir: PathBuf,

    /// User to become when started as root with the private database, which refuses to run as root;
    /// empty takes the owner of the data directory, else the first of vinzy, postgres and nobody
    #[arg(long, env = "VINZY_RUN_AS", value_name = "USER")]
    pub run_as: Option<String>,
}

/// Secrets. In development those that are missing are generated and kept in the data directory.
#[derive(Debug, Clone, Args)]
pub struct SecretConfig {
    /// `development` generates missing secrets; anything else refuses to start with missing or weak ones
    #[arg(
        long,
        env = "VINZY_ENVIRONMENT",
        value_name = "NAME",
        default_value = "development"
    )]
    pub environment: String,

    /// Master keys of at least 32 characters, separated by commas, that wrap the keys which the database keeps:
    /// of personal data, of webhooks' secrets and of hashes. The first wraps, all open. Losing them loses the names of
    /// all customers
    #[arg(long, env = "VINZY_SECRET_KEY", value_name = "TEXT", hide_env_values = true)]
    pub secret_key: Option<Secret>,

    /// The key that signs license keys, as version 0; at least 32 characters
    #[arg(long, env = "VINZY_HMAC_KEY", value_name = "TEXT", hide_env_values = true)]
    pub hmac_key: Option<Secret>,

    /// Keys of license keys by version, as {"0":"old","1":"new"}: the highest signs, all verify; goes
    /// before the single key
    #[arg(long, env = "VINZY_HMAC_KEYS", value_name = "JSON", hide_env_values = true)]
    pub hmac_keys: Option<Secret>,

    /// Ed25519 seeds of 32 bytes, as base64 or hex, separated by commas: the first signs leases, all verify
    /// them. Ledgers' checkpoints are signed with a key derived from the first, to which ledgers of before are handed
    /// over at the next start
    #[arg(long, env = "VINZY_SIGNING_KEY", value_name = "SEEDS", hide_env_values = true)]
    pub signing_key: Option<Secret>,

    /// API key of the admin
    #[arg(long, env = "VINZY_API_KEY", value_name = "KEY", hide_env_values = true)]
    pub api_key: Option<Secret>,

    /// API key of the super-admin
    #[arg(
        long,
        env = "VINZY_SUPER_ADMIN_KEY",
        value_name = "KEY",
        hide_env_values = true
    )]
    pub super_admin_key: Option<Secret>,
}

/// How the server listens and answers.
#[derive(Debug, Clone, Args)]
pub struct ServerConfig {
    /// Address to listen on
    #[arg(long, env = "VINZY_HOST", value_name = "IP", default_value = "127.0.0.1")]
    pub host: IpAddr,

    /// Port to listen on; 0 takes a free one
    #[arg(long, env = "VINZY_PORT", value_name = "PORT", default_value_t = 8080)]
    pub port: u16,

    /// Path before all routes, such as /licensing
    #[arg(long, env = "VINZY_API_PREFIX", value_name = "PATH", default_value = "", value_parser = api_prefix)]
    pub api_prefix: String,

    /// Prefix of every ledger's name; fixed for a ledger once it is opened
    #[arg(long, env = "VINZY_LEDGER_ORIGIN", value_name = "NAME", default_value = "vinzy.local",
          value_parser = ledger_origin)]
    pub ledger_origin: String,

    /// How long a lease holds, in seconds
    #[arg(long, env = "VINZY_LEASE_TTL", value_name = "SECONDS", default_value_t = 86_400,
          value_parser = clap::value_parser!(u32).range(1..=315_360_000))]
    pub lease_ttl: u32,

    /// Seconds without the database after which a node refuses validations
    #[arg(long, env = "VINZY_MAX_STALENESS", value_name = "SECONDS", default_value_t = 30,
          value_parser = clap::value_parser!(u32).range(2..=86_400))]
    pub max_staleness: u32,

    /// Seconds after which a ledger that has grown gets a signed checkpoint; 0 signs only when one is asked for
    #[arg(long, env = "VINZY_CHECKPOINT_INTERVAL", value_name = "SECONDS", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(0..=86_400))]
    pub checkpoint_interval: u32,

    /// How validations are noted in the ledger
    #[arg(
        long,
        env = "VINZY_VALIDATION_AUDIT",
        value_name = "MODE",
        default_value = "coalesced"
    )]
    pub validation_audit: ValidationAudit,

    /// Who may ask, from where, and how much.
    #[command(flatten)]
    pub access: AccessConfig,

    /// Whom the server may call for integrators, and how often.
    #[command(flatten)]
    pub webhooks: WebhookConfig,

    /// Who may tell of purchases, and how license keys are mailed.
    #[command(flatten)]
    pub provisioning: ProvisioningConfig,
}

/// Who may tell of purchases, and how license keys are mailed.
#[derive(Debug, Clone, Args)]
pub struct ProvisioningConfig {
    /// Signing secrets of Stripe's webhook to /webhooks/stripe, separated by commas, or by tenant as
    /// {"default":"whsec_…","acme":["whsec_…"]}; empty turns the route off
    #[arg(
        long,
        env = "VINZY_STRIPE_WEBHOOK_SECRET",
        value_name = "SECRETS",
        hide_env_values = true
    )]
    pub stripe_webhook_secret: Option<Secret>,

    /// Signing secrets of Polar's webhook to /webhooks/polar, likewise
    #[arg(
        long,
        env = "VINZY_POLAR_WEBHOOK_SECRET",
        value_name = "SECRETS",
        hide_env_values = true
    )]
    pub polar_webhook_secret: Option<Secret>,

    /// Days that the license of a subscription lasts longer than what was paid for
    #[arg(long, env = "VINZY_SUBSCRIPTION_GRACE_DAYS", value_name = "DAYS", default_value_t = 3,
          value_parser = clap::value_parser!(u32).range(0..=365))]
    pub subscription_grace_days: u32,

    /// Mail server that license keys are sent by, as <smtp://user:password@host:587> with STARTTLS or
    /// <smtps://user:password@host:465>; empty sends none
    #[arg(long, env = "VINZY_SMTP_URL", value_name = "URL", hide_env_values = true)]
    pub smtp_url: Option<Secret>,

    /// Who mails come from, as `Shop <shop@example.com>`
    #[arg(long, env = "VINZY_MAIL_FROM", value_name = "ADDRESS")]
    pub mail_from: Option<String>,

    /// File with what mails say: a line `Subject: …`, an empty one, and text with {{key}}
    #[arg(long, env = "VINZY_MAIL_TEMPLATE", value_name = "FILE")]
    pub mail_template: Option<PathBuf>,

    /// Pauses before a mail is tried again, separated by commas; each varies by a fifth
    #[arg(
        long,
        env = "VINZY_MAIL_RETRY_SCHEDULE",
        value_name = "PAUSES",
        default_value = "10s,1m,10m,1h,6h,24h"
    )]
    pub mail_retry_schedule: Schedule,
}

/// Whom the server may call for integrators, and how often.
#[derive(Debug, Clone, Args)]
pub struct WebhookConfig {
    /// Addresses and networks that webhooks may be sent to although they are not public, separated by commas
    #[arg(long, env = "VINZY_WEBHOOK_ALLOW_CIDRS", value_name = "CIDRS", value_delimiter = ',', value_parser = cidr)]
    pub webhook_allow_cidrs: Vec<IpNet>,

    /// Whether webhooks are sent by HTTPS only
    #[arg(long, env = "VINZY_WEBHOOK_HTTPS_ONLY", value_name = "BOOL", default_value = "false",
          value_parser = BoolishValueParser::new(), action = ArgAction::Set)]
    pub webhook_https_only: bool,

    /// Ports that webhooks may be sent to, such as 443,8000-8099; empty is all but those of other protocols, such
    /// as 25
    #[arg(long, env = "VINZY_WEBHOOK_PORTS", value_name = "PORTS", value_delimiter = ',', value_parser = ports)]
    pub webhook_ports: Vec<RangeInclusive<u16>>,

    /// Certificates in PEM of issuers that are trusted beside the system's, to send webhooks by HTTPS
    #[arg(long, env = "VINZY_WEBHOOK_CA", value_name = "FILE")]
    pub webhook_ca: Option<PathBuf>,

    /// How long finished deliveries of webhooks and their attempts are kept, in days
    #[arg(long, env = "VINZY_WEBHOOK_RETENTION_DAYS", value_name = "DAYS", default_value_t = 30,
          value_parser = clap::value_parser!(u32).range(1..=3_650))]
    pub webhook_retention_days: u32,

    /// Pauses before a delivery of a webhook is tried again, in ms, s, m or h, separated by commas; each varies by a
    /// fifth
    #[arg(
        long,
        env = "VINZY_WEBHOOK_RETRY_SCHEDULE",
        value_name = "PAUSES",
        default_value = "5s,5m,30m,2h,5h,10h,14h,20h,24h"
    )]
    pub webhook_retry_schedule: Schedule,
}

/// Who may ask, from where, and how much.
#[derive(Debug, Clone, Args)]
pub struct AccessConfig {
    /// Whether rate limits hold
    #[arg(long, env = "VINZY_RATE_LIMIT_ENABLED", value_name = "BOOL", default_value = "true",
          value_parser = BoolishValueParser::new(), action = ArgAction::Set)]
    pub rate_limit_enabled: bool,

    /// Requests per minute and client address to what applications ask without an API key; 0 is no limit
    #[arg(
        long,
        env = "VINZY_RATE_LIMIT_PUBLIC_PER_MINUTE",
        value_name = "N",
        default_value_t = 600
    )]
    pub rate_limit_public_per_minute: u32,

    /// Requests per minute and client address to what wants an API key; 0 is no limit
    #[arg(
        long,
        env = "VINZY_RATE_LIMIT_ADMIN_PER_MINUTE",
        value_name = "N",
        default_value_t = 1_200
    )]
    pub rate_limit_admin_per_minute: u32,

    /// Log-ins per minute and client address; 0 is no limit
    #[arg(
        long,
        env = "VINZY_RATE_LIMIT_LOGIN_PER_MINUTE",
        value_name = "N",
        default_value_t = 10
    )]
    pub rate_limit_login_per_minute: u32,

    /// Requests per minute with one API key or one license key, from all addresses; 0 is no limit
    #[arg(
        long,
        env = "VINZY_RATE_LIMIT_KEY_PER_MINUTE",
        value_name = "N",
        default_value_t = 6_000
    )]
    pub rate_limit_key_per_minute: u32,

    /// Addresses and networks that may ask anything at all, separated by commas; empty is everybody
    #[arg(long, env = "VINZY_IP_ALLOWLIST", value_name = "CIDRS", value_delimiter = ',', value_parser = cidr)]
    pub ip_allowlist: Vec<IpNet>,

    /// Addresses and networks that may use API keys, log in and read metrics, separated by commas; empty is everybody
    #[arg(long, env = "VINZY_ADMIN_IP_ALLOWLIST", value_name = "CIDRS", value_delimiter = ',', value_parser = cidr)]
    pub admin_ip_allowlist: Vec<IpNet>,

    /// Proxies in front of the server, separated by commas, whose X-Forwarded-For and X-Forwarded-Proto are believed
    #[arg(long, env = "VINZY_TRUSTED_PROXIES", value_name = "CIDRS", value_delimiter = ',', value_parser = cidr)]
    pub trusted_proxies: Vec<IpNet>,

    /// Web pages from where the API may be called, as <https://app.example.com>, separated by commas
    #[arg(long, env = "VINZY_CORS_ORIGINS", value_name = "ORIGINS", value_delimiter = ',', value_parser = origin)]
    pub cors_origins: Vec<String>,

    /// Requests that are worked on at a time; what comes beyond is told to try again
    #[arg(long, env = "VINZY_MAX_CONCURRENT_REQUESTS", value_name = "N", default_value_t = 2_048,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_concurrent_requests: u32,

    /// How long a log-in of the dashboard holds, in seconds
    #[arg(long, env = "VINZY_SESSION_TTL", value_name = "SECONDS", default_value_t = 43_200,
          value_parser = clap::value_parser!(u32).range(60..=31_536_000))]
    pub session_ttl: u32,

    /// Whether anyone may read the default tenant's ledger: its checkpoints and its events
    #[arg(long, env = "VINZY_LEDGER_PUBLIC", value_name = "BOOL", default_value = "false",
          value_parser = BoolishValueParser::new(), action = ArgAction::Set)]
    pub ledger_public: bool,

    /// What must be shown as `Authorization: Bearer` to read /metrics; empty is nothing
    #[arg(
        long,
        env = "VINZY_METRICS_TOKEN",
        value_name = "TEXT",
        hide_env_values = true
    )]
    pub metrics_token: Option<Secret>,
}

/// How connections are taken, and what they may cost. Times are in seconds.
#[derive(Debug, Clone, Args)]
pub struct ConnectionConfig {
    /// Certificates of the server in PEM, its own first: turns HTTPS on, and HTTP off
    #[arg(long, env = "VINZY_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,

    /// Private key of the first certificate in PEM, as PKCS#8, PKCS#1 or SEC1
    #[arg(long, env = "VINZY_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// How often renewed certificate files are looked for, in seconds
    #[arg(long, env = "VINZY_TLS_RELOAD", value_name = "SECONDS", default_value_t = 60,
          value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub tls_reload: u32,

    /// Connections at a time, at most: further ones wait
    #[arg(long, env = "VINZY_MAX_CONNECTIONS", value_name = "N", default_value_t = 10_240,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_connections: u32,

    /// How long a client may take for its TLS handshake, and again for the head of a request, in seconds
    #[arg(long, env = "VINZY_HEADER_TIMEOUT", value_name = "SECONDS", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub header_timeout: u32,

    /// How long a client may take for the body of a request, in seconds
    #[arg(long, env = "VINZY_BODY_TIMEOUT", value_name = "SECONDS", default_value_t = 60,
          value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub body_timeout: u32,

    /// How long a client may leave an answer unread, in seconds
    #[arg(long, env = "VINZY_WRITE_TIMEOUT", value_name = "SECONDS", default_value_t = 30,
          value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub write_timeout: u32,

    /// How long a connection may wait for its next request, in seconds; longer than a proxy before the server
    /// keeps its own
    #[arg(long, env = "VINZY_IDLE_TIMEOUT", value_name = "SECONDS", default_value_t = 75,
          value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub idle_timeout: u32,
}

impl Default for ConnectionConfig {
    fn default() -> Self {
        defaults()
    }
}

impl Default for AccessConfig {
    fn default() -> Self {
        defaults()
    }
}

impl Default for WebhookConfig {
    fn default() -> Self {
        defaults()
    }
}

impl Default for ProvisioningConfig {
    fn default() -> Self {
        defaults()
    }
}

/// Settings without a look at flags, environment and file.
fn defaults<T: Args>() -> T {
    let command =
        T::augment_args(Command::new("defaults")).mut_args(|argument| argument.env(None::<&'static str>));
    command
        .try_get_matches_from(["defaults"])
        .and_then(|matches| T::from_arg_matches(&matches))
        .expect("each of these settings has a default or may be left out")
}

/// How the program tells what it does.
#[derive(Debug, Clone, Args)]
pub struct LogConfig {
    /// What to log, as in `RUST_LOG`: error, warn, info, debug, trace, or per module
    #[arg(long, env = "VINZY_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,

    /// How log lines look
    #[arg(long, env = "VINZY_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// OpenTelemetry collector that takes traces by OTLP over HTTP, such as <http://localhost:4318>; empty sends
    /// none
    #[arg(long, env = "VINZY_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
}

fn cidr(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let net = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    net.map(|net| net.trunc())
        .map_err(|_| "must be an address or a network such as 10.0.0.0/8".into())
}

fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let bounds = first.trim().parse().ok().zip(last.trim().parse().ok());
    bounds
        .map(|(first, last)| first..=last)
        .filter(|ports| !ports.is_empty() && !ports.contains(&0))
        .ok_or_else(|| "must be a port or a range such as 8000-8099".into())
}

fn origin(text: &str) -> Result<String, String> {
    let text = text.trim();
    if vinzy_events::tenant::is_origin(text) {
        Ok(text.to_owned())
    } else {
        Err("must be an origin such as https://app.example.com".into())
    }
}

fn api_prefix(text: &str) -> Result<String, String> {
    let trimmed = text.trim_end_matches('/');
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~".contains(c);
    let valid = trimmed.is_empty()
        || trimmed.starts_with('/') && trimmed.chars().all(plain) && !trimmed.contains("//");
    if valid {
        Ok(trimmed.to_owned())
    } else {
        Err("must be a path such as /licensing".into())
    }
}

fn ledger_origin(text: &str) -> Result<String, String> {
    let valid = (1..=200).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_graphic() && c != '+')
        && !text.ends_with('/');
    if valid {
        Ok(text.to_owned())
    } else {
        Err("must be a name such as licenses.example.com".into())
    }
}

/// Why the settings' file is refused.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not TOML.
    #[error("{path} is not valid TOML: {source}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<toml::de::Error>,
    },
    /// It names a setting that there is not.
    #[error("{path} has the unknown setting {key:?}; `vinzy serve --help` lists them all")]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The setting.
        key: String,
    },
    /// A setting is not text, number, truth value or array of text.
    #[error("{path}: the setting {key:?} must be text, a number, true or false, or an array of text")]
    WrongType {
        /// The file.
        path: PathBuf,
        /// The setting.
        key: String,
    },
}

/// Makes the file's values the defaults of `command` and all its subcommands, and says which settings the file holds.
///
/// The file is `named`, or `vinzy.toml` in the working directory if there is one. Environment variables
/// that are set but empty count as unset, so they are taken from the command too.
pub fn with_file(command: Command, named: Option<&Path>) -> Result<(Command, BTreeSet<String>), FileError> {
    let path = named.unwrap_or(Path::new(DEFAULT_FILE));
    let values = if named.is_some() || path.exists() {
        read(path)?
    } else {
        toml::Table::new()
    };
    let mut unused: Vec<String> = values.keys().cloned().collect();
    let command = apply(command, &values, path, &mut unused)?;
    match unused.into_iter().next() {
        Some(key) => Err(FileError::UnknownKey {
            path: path.to_owned(),
            key,
        }),
        None => Ok((command, values.into_iter().map(|(key, _)| key).collect())),
    }
}

/// The file that the command line or the environment names.
pub fn named_file(arguments: &[OsString]) -> Option<PathBuf> {
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == "--config" {
            return arguments.next().map(PathBuf::from);
        }
        if let Some(path) = argument.to_str().and_then(|text| text.strip_prefix("--config=")) {
            return Some(path.into());
        }
    }
    std::env::var_os("VINZY_CONFIG")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
}

/// The file that settings come from, when there is one.
pub fn settings_file(arguments: &[OsString]) -> PathBuf {
    named_file(arguments).unwrap_or_else(|| DEFAULT_FILE.into())
}

fn read(path: &Path) -> Result<toml::Table, FileError> {
    let text = std::fs::read_to_string(path).map_err(|source| FileError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    text.parse().map_err(|source| FileError::Malformed {
        path: path.to_owned(),
        source: Box::new(source),
    })
}

fn apply(
    command: Command,
    values: &toml::Table,
    path: &Path,
    unused: &mut Vec<String>,
) -> Result<Command, FileError> {
    let mut command = command;
    let arguments: Vec<_> = command
        .get_arguments()
        .map(|argument| (argument.get_id().clone(), argument.get_env().is_some()))
        .collect();
    for (id, has_env) in arguments {
        if !has_env {
            continue;
        }
        let key = id.as_str();
        let default = values
            .get(key)
            .map(|value| text_of(value, key, path))
            .transpose()?;
        unused.retain(|unused| unused != key);
        command = command.mut_arg(&id, |mut argument| {
            let set_but_empty = argument
                .get_env()
                .is_some_and(|name| std::env::var_os(name).is_some_and(|value| value.is_empty()));
            if set_but_empty {
                argument = argument.env(None::<&'static str>);
            }
            match default {
                Some(default) => argument.default_value(default),
                None => argument,
            }
        });
    }
    let names: Vec<String> = command
        .get_subcommands()
        .map(|sub| sub.get_name().to_owned())
        .collect();
    for name in names {
        let mut failure = None;
        command = command.mut_subcommand(&name, |sub| match apply(sub.clone(), values, path, unused) {
            Ok(sub) => sub,
            Err(error) => {
                failure = Some(error);
                sub
            }
        });
        if let Some(error) = failure {
            return Err(error);
        }
    }
    Ok(command)
}

fn text_of(value: &toml::Value, key: &str, path: &Path) -> Result<String, FileError> {
    match value {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Boolean(flag) => Ok(flag.to_string()),
        // Lists may be written as arrays of text.
        toml::Value::Array(items) => {
            let texts: Option<Vec<&str>> = items.iter().map(toml::Value::as_str).collect();
            texts
                .map(|texts| texts.join(","))
                .ok_or_else(|| wrong_type(key, path))
        }
        // Keys by version, and secrets by tenant, may be written as a table.
        toml::Value::Table(table) if TABLES.contains(&key) => {
            serde_json::to_string(table).map_err(|_| wrong_type(key, path))
        }
        _ => Err(wrong_type(key, path)),
    }
}

fn wrong_type(key: &str, path: &Path) -> FileError {
    FileError::WrongType {
        path: path.to_owned(),
        key: key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use clap::{FromArgMatches, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        server: ServerConfig,
        #[command(flatten)]
        connections: ConnectionConfig,
        #[command(flatten)]
        secrets: SecretConfig,
    }

    fn parse(file: &str, arguments: &[&str]) -> Result<Cli, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vinzy.toml");
        std::fs::write(&path, file).unwrap();
        let command = <Cli as clap::CommandFactory>::command();
        let (command, _) = with_file(command, Some(&path)).map_err(|error| error.to_string())?;
        let arguments = ["vinzy"].iter().chain(arguments);
        let matches = command
            .try_get_matches_from(arguments)
            .map_err(|error| error.to_string())?;
        Cli::from_arg_matches(&matches).map_err(|error| error.to_string())
    }

    #[test]
    fn a_flag_goes_before_the_file_and_the_file_before_the_default() {
        let cli = parse("port = 9000\nlease_ttl = 60", &["--lease-ttl", "30"]).unwrap();
        assert_eq!(
            (cli.server.port, cli.server.lease_ttl, cli.server.max_staleness),
            (9000, 30, 30)
        );
    }

    #[test]
    fn connections_have_defaults_and_bounds() {
        let cli = parse("header_timeout = 5\ntls_cert = \"cert.pem\"", &[]).unwrap();
        let defaults = ConnectionConfig::default();
        assert_eq!(cli.connections.header_timeout, 5);
        assert_eq!(cli.connections.tls_cert, Some("cert.pem".into()));
        assert_eq!(cli.connections.max_connections, defaults.max_connections);
        assert_eq!(
            (
                defaults.header_timeout,
                defaults.max_connections,
                defaults.tls_cert
            ),
            (10, 10_240, None)
        );
        assert!(parse("max_connections = 0", &[]).unwrap_err().contains("1..="));
        assert!(parse("idle_timeout = 0", &[]).unwrap_err().contains("1..="));
    }

    #[test]
    fn keys_by_version_may_be_a_table() {
        let cli = parse("[hmac_keys]\n0 = \"old\"\n1 = \"new\"", &[]).unwrap();
        assert_eq!(
            cli.secrets.hmac_keys.unwrap().expose(),
            r#"{"0":"old","1":"new"}"#
        );
    }

    #[test]
    fn secrets_by_tenant_may_be_a_table() {
        let file = "[stripe_webhook_secret]\nacme = [\"new\", \"old\"]";
        let secret = parse(file, &[])
            .unwrap()
            .server
            .provisioning
            .stripe_webhook_secret;
        assert_eq!(secret.unwrap().expose(), r#"{"acme":["new","old"]}"#);
        let listed = parse("polar_webhook_secret = [\"new\", \"old\"]", &[]).unwrap();
        let secret = listed.server.provisioning.polar_webhook_secret;
        assert_eq!(secret.unwrap().expose(), "new,old");
    }

    #[test]
    fn lists_are_separated_by_commas_and_may_be_arrays() {
        let cli = parse(
            "cors_origins = [\"https://a.example\", \"https://b.example\"]",
            &["--ip-allowlist", "10.1.2.3/8, 192.0.2.7"],
        )
        .unwrap();
        let access = cli.server.access;
        assert_eq!(access.cors_origins, ["https://a.example", "https://b.example"]);
        let nets: Vec<String> = access.ip_allowlist.iter().map(ToString::to_string).collect();
        assert_eq!(nets, ["10.0.0.0/8", "192.0.2.7/32"]);
        for wrong in [
            "ip_allowlist = \"everywhere\"",
            "cors_origins = \"*\"",
            "cors_origins = [1]",
        ] {
            assert!(parse(wrong, &[]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ports_are_single_or_from_to() {
        let cli = parse("webhook_ports = [\"443\", \"8000 - 8099\"]", &[]).unwrap();
        assert_eq!(cli.server.webhooks.webhook_ports, [443..=443, 8000..=8099]);
        for wrong in ["0", "99999", "8099-8000", "http", "1-2-3", "-5"] {
            let file = format!("webhook_ports = \"{wrong}\"");
            assert!(parse(&file, &[]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn rate_limits_can_be_switched_off() {
        let enabled = |arguments: &[&str]| parse("", arguments).unwrap().server.access.rate_limit_enabled;
        assert!(enabled(&[]));
        assert!(!enabled(&["--rate-limit-enabled", "false"]));
        assert!(
            !parse("rate_limit_enabled = false", &[])
                .unwrap()
                .server
                .access
                .rate_limit_enabled
        );
    }

    #[test]
    fn mistakes_in_the_file_are_named() {
        assert!(parse("prot = 9000", &[]).unwrap_err().contains("\"prot\""));
        assert!(parse("port = [1]", &[]).unwrap_err().contains("\"port\""));
        assert!(parse("port = ", &[]).unwrap_err().contains("not valid TOML"));
        assert!(parse("port = 99999", &[]).unwrap_err().contains("99999"));
    }

    #[test]
    fn secrets_are_not_printed() {
        let cli = parse("api_key = \"sesame\"", &[]).unwrap();
        assert!(!format!("{cli:?}").contains("sesame"));
    }
}
