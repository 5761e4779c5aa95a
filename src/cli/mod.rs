//! The command line. Exit code 0 means yes; 1 no; 2 that the question could not be put or answered.

mod audit;
mod database;
mod erase;
mod generate;
mod health;
mod keys;
mod migrate;
mod output;
mod serve;
mod store;
mod validate;
mod verify;

use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config;

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
    /// Check a ledger from outside: by its address or its saved files
    Audit(Box<audit::Audit>),
    /// Erase the personal data of a customer, for good
    Erase(erase::Erase),
    /// Make, show and rotate the server's keys
    Keys(keys::Keys),
    /// Run only the private PostgreSQL, for psql, `pg_dump` and the like
    Database(database::Database),
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

/// Runs the program.
pub fn run() -> ExitCode {
    prepare_tls();
    let arguments: Vec<_> = std::env::args_os().collect();
    let command = match config::with_file(Cli::command(), config::named_file(&arguments).as_deref()) {
        Ok(command) => command,
        Err(error) => return output::fail(&error),
    };
    let matches = command.get_matches_from(arguments);
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let innermost = innermost(&matches);
    let data_dir_given =
        std::env::var_os("VINZY_DATA_DIR").is_some_and(|dir| !dir.is_empty()) || given(innermost, "data_dir");
    let answer = match cli.command {
        Command::Serve(serve) => serve.run(data_dir_given),
        Command::Generate(generate) => generate.run(),
        Command::Validate(validate) => validate.run(),
        Command::Health(health) => health.run(),
        Command::Migrate(migrate) => migrate.run(data_dir_given),
        Command::Verify(verify) => verify.run(data_dir_given),
        Command::Audit(audit) => audit.run(),
        Command::Erase(erase) => erase.run(data_dir_given),
        Command::Keys(keys) => keys.run(data_dir_given, innermost),
        Command::Database(database) => database.run(data_dir_given),
    };
    match answer {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Err(error) => output::fail(error.as_ref()),
    }
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
