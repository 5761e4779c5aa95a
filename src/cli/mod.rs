//! The command line. Exit code 0 means yes; 1 no; 2 that the question could not be put or answered.

mod archive;
mod audit;
mod completions;
mod database;
mod erase;
mod generate;
mod health;
mod import;
mod keys;
mod man;
mod migrate;
mod output;
mod replay;
mod serve;
mod snapshots;
mod store;
mod validate;
mod verify;

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config;
use crate::settings::Settings;

/// Licenses for software, on a ledger that anyone can verify.
#[derive(Debug, Parser)]
#[command(
    name = "vinzy",
    version,
    after_help = "Settings come from flags, from VINZY_* variables, from vinzy.toml (or --config FILE), in this \
                  order.\nExit codes: 0 yes, 1 no, 2 it could not be found out."
)]
struct Cli {
    /// File with settings; vinzy.toml in the working directory if there is one
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<std::path::PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(Box<serve::Serve>),
    /// Make a license key (offline)
    Generate(generate::Generate),
    /// Check a license key's form and signature (offline)
    Validate(validate::Validate),
    /// Ask a running server whether it is alive and ready
    Health(health::Health),
    /// Bring a database's schema up to date
    Migrate(migrate::Migrate),
    /// Verify the ledgers of a database, event by event
    Verify(verify::Verify),
    /// Make read models anew from the ledgers' events
    Replay(replay::Replay),
    /// Move older events of a ledger into files, or back
    Archive(archive::Archive),
    /// Take over what the database of the system before holds
    Import(Box<import::Import>),
    /// Throw away what saves reading long streams from their first event
    Snapshots(snapshots::Snapshots),
    /// Check a ledger from outside: by its address or its saved files
    Audit(Box<audit::Audit>),
    /// Erase the personal data of a customer, for good
    Erase(erase::Erase),
    /// Make, show and rotate the server's keys
    Keys(keys::Keys),
    /// Run only the private PostgreSQL, for psql, `pg_dump` and the like
    Database(database::Database),
    /// Print what a shell completes commands with
    Completions(completions::Completions),
    /// Write manual pages
    Man(man::Man),
}

/// The answer to what was asked.
enum Answer {
    Yes,
    No,
}

/// Says which cryptography TLS works with, for everything in this process that speaks HTTPS.
pub fn prepare_tls() {
    // An error says that somebody has said so before.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The tree of all commands, as help, manual pages and the reference show it.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program.
pub fn run() -> ExitCode {
    prepare_tls();
    let arguments: Vec<_> = std::env::args_os().collect();
    let named = config::named_file(&arguments);
    let (command, in_file) = match config::with_file(Cli::command(), named.as_deref()) {
        Ok(command) => command,
        Err(error) => return output::fail(&error),
    };
    let matches = command.get_matches_from(arguments);
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let innermost = innermost(&matches);
    let data_dir_given =
        std::env::var_os("VINZY_DATA_DIR").is_some_and(|dir| !dir.is_empty()) || given(innermost, "data_dir");
    let answer = match cli.command {
        Command::Serve(serve) => serve.run(data_dir_given, settings_of_server(innermost, &in_file)),
        Command::Generate(generate) => generate.run(),
        Command::Validate(validate) => validate.run(),
        Command::Health(health) => health.run(),
        Command::Migrate(migrate) => migrate.run(data_dir_given),
        Command::Verify(verify) => verify.run(data_dir_given),
        Command::Replay(replay) => replay.run(data_dir_given),
        Command::Archive(archive) => archive.run(data_dir_given),
        Command::Import(import) => import.run(data_dir_given),
        Command::Snapshots(snapshots) => snapshots.run(data_dir_given),
        Command::Audit(audit) => audit.run(),
        Command::Erase(erase) => erase.run(data_dir_given),
        Command::Keys(keys) => keys.run(data_dir_given, innermost),
        Command::Database(database) => database.run(data_dir_given),
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(),
    };
    match answer {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Err(error) => output::fail(error.as_ref()),
    }
}

/// What `vinzy serve` was told. Its settings are those of the command as it is written: where the environment holds
/// nothing, [`config::with_file`] forgets the names of variables.
fn settings_of_server(matches: &ArgMatches, in_file: &BTreeSet<String>) -> Settings {
    let command = Cli::command();
    let serve = command.find_subcommand("serve");
    Settings::of(
        serve.expect("the server is one of the commands"),
        matches,
        in_file,
    )
}

/// What was given to the command that is to run: for `vinzy keys list`, to `list`.
fn innermost(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, sub)| innermost(sub))
}

/// Whether the command has a setting and a person gave it.
fn given(matches: &ArgMatches, id: &str) -> bool {
    matches.try_contains_id(id).is_ok()
        && matches
            .value_source(id)
            .is_some_and(|source| source != clap::parser::ValueSource::DefaultValue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_shown_with_their_kinds_and_sources_and_secrets_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("v.toml");
        let text = "lease_ttl = 60\nwebhook_https_only = true\napi_key = \"from-the-file\"\n\
                    webhook_ports = [\"443\", \"8000-8099\"]\n[hmac_keys]\n0 = \"of-version-0\"";
        std::fs::write(&file, text).unwrap();
        let (command, in_file) = config::with_file(Cli::command(), Some(&file)).unwrap();
        let arguments = [
            "vinzy",
            "serve",
            "--port=0",
            "--db-url=postgres://u:hidden@h/d",
            "--ip-allowlist=10.1.2.3/8,::1",
            "--api-prefix=/licensing/",
            "--otlp-endpoint=http://me:hidden@collector:4318",
            "--log-format=json",
            "--metrics-token=hidden",
        ];
        let matches = command.get_matches_from(arguments);
        let settings = settings_of_server(innermost(&matches), &in_file);
        let all: Vec<_> = settings.iter().collect();
        let expect = |name: &str, value: serde_json::Value, secret: bool, source: &str| {
            let one = all.iter().find(|setting| setting.name == name).unwrap();
            let found = (one.value.clone().into(), one.secret, one.source.as_str());
            assert_eq!(found, (value, secret, source), "{name}");
        };
        expect("VINZY_PORT", 0.into(), false, "flag");
        expect("VINZY_LEASE_TTL", 60.into(), false, "file");
        expect("VINZY_MAX_STALENESS", 30.into(), false, "default");
        expect("VINZY_HOST", "127.0.0.1".into(), false, "default");
        expect("VINZY_API_PREFIX", "/licensing".into(), false, "flag");
        expect("VINZY_WEBHOOK_HTTPS_ONLY", true.into(), false, "file");
        expect(
            "VINZY_WEBHOOK_PORTS",
            serde_json::json!(["443", "8000-8099"]),
            false,
            "file",
        );
        expect(
            "VINZY_IP_ALLOWLIST",
            serde_json::json!(["10.0.0.0/8", "::1/128"]),
            false,
            "flag",
        );
        expect("VINZY_TRUSTED_PROXIES", serde_json::Value::Null, false, "default");
        expect("VINZY_LOG_FORMAT", "json".into(), false, "flag");
        expect("VINZY_VALIDATION_AUDIT", "coalesced".into(), false, "default");
        expect("VINZY_DATA_DIR", "./data".into(), false, "default");
        expect("VINZY_TLS_CERT", serde_json::Value::Null, false, "default");
        let schedule = "5s,5m,30m,2h,5h,10h,14h,20h,24h";
        expect("VINZY_WEBHOOK_RETRY_SCHEDULE", schedule.into(), false, "default");
        expect(
            "VINZY_OTLP_ENDPOINT",
            "http://***@collector:4318".into(),
            false,
            "flag",
        );
        expect("VINZY_DB_URL", serde_json::Value::Null, true, "flag");
        expect("VINZY_API_KEY", serde_json::Value::Null, true, "file");
        expect("VINZY_HMAC_KEYS", serde_json::Value::Null, true, "file");
        expect("VINZY_METRICS_TOKEN", serde_json::Value::Null, true, "flag");
        expect("VINZY_SECRET_KEY", serde_json::Value::Null, true, "default");

        let secrets: Vec<_> = all
            .iter()
            .filter(|one| one.secret)
            .map(|one| &*one.name)
            .collect();
        let expected = [
            "VINZY_METRICS_TOKEN",
            "VINZY_STRIPE_WEBHOOK_SECRET",
            "VINZY_POLAR_WEBHOOK_SECRET",
            "VINZY_SMTP_URL",
            "VINZY_DB_URL",
            "VINZY_DB_READ_URL",
            "VINZY_SECRET_KEY",
            "VINZY_HMAC_KEY",
            "VINZY_HMAC_KEYS",
            "VINZY_SIGNING_KEY",
            "VINZY_API_KEY",
            "VINZY_SUPER_ADMIN_KEY",
        ];
        assert_eq!(secrets, expected, "what is no secret has a kind that is shown");
        let shown = format!("{settings:?}");
        for hidden in ["hidden", "from-the-file", "of-version-0"] {
            assert!(!shown.contains(hidden), "{hidden}");
        }
        assert!(all.iter().all(|one| !one.description.is_empty()));
    }
}
