//! `cargo xtask …`: everything that a person would otherwise have to set up or remember.

mod book;
mod browser;
mod checks;
mod conformance;
mod dashboard;
mod database;
mod deb;
mod fuzz;
mod npm;
mod python;
mod python_sdk;
mod schemathesis;
mod serve;
mod setup;
mod shell;
mod sqlx;
mod standard_webhooks;
mod wasm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use shell::cargo;

/// Set-up, checks and generated files of this workspace.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Task {
    /// Do all the set-up, build, and start the server on its private database
    Serve {
        /// Arguments for `vinzy serve`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Do all the set-up and run every check: what CI runs
    Test,
    /// The same as `test`
    Check,
    /// Build the dashboard that the server embeds
    Dashboard {
        /// Within seconds, and large: for whoever works on it
        #[arg(long)]
        quick: bool,
    },
    /// Build the package for Debian and Ubuntu: `target/debian/vinzy-engine.deb`
    Deb {
        /// Pack the program that tests run, and see that what comes out of the package runs
        #[arg(long)]
        check: bool,
    },
    /// Check the documentation's links and build it as a book: `target/book/html`
    Book,
    /// Run the tests in a browser, those whose names hold one of the words if there are any
    Browser {
        /// Parts of names
        words: Vec<String>,
    },
    /// Check that the domain crate and the Rust client build for the browser
    Wasm,
    /// Attack the parsers at length: what `test` does for seconds
    Fuzz {
        /// For how many minutes
        #[arg(long, default_value_t = 10)]
        minutes: u64,
    },
    /// Make a ledger with a long history of a realistic mix, look back in it, verify and replay it: figures as of
    /// `cargo bench --bench load`, whose part it is
    History {
        /// How many events, at least
        #[arg(long, default_value_t = 1_000_000)]
        events: u64,
        /// What the mix derives from: the same commands for the same number
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Make it on a server that runs already; needs --api-key
        #[arg(long, requires = "api_key")]
        base_url: Option<String>,
        /// Admin key of that server
        #[arg(long)]
        api_key: Option<String>,
    },
    /// Try every operation of the API on a running server, by its own description
    Schemathesis(schemathesis::Extent),
    /// Check the Python SDK, and test it on a running server
    PythonSdk,
    /// Have auditing tools that nobody here wrote check a ledger of 70,000 events, and tampered copies of it
    Conformance,
    /// Install the Python library that a test of webhooks needs, and show the interpreter that has it
    StandardWebhooks,
    #[command(flatten)]
    Generated(Generated),
}

#[derive(Subcommand)]
enum Generated {
    /// Write the committed descriptions of all SQL statements (`.sqlx/`) again
    Sqlx {
        /// Only say whether they are up to date
        #[arg(long)]
        check: bool,
    },
    /// Write the committed `OpenAPI` document (`docs/openapi.json`) and the table of routes (`docs/security.md`) again
    Openapi,
    /// Write the committed JSON schemas of the events (`docs/schemas/events/`) again
    Schemas,
    /// Write the committed pages of reference (`docs/reference/`) and the tables of settings (`docs/configuration.md`) again
    Docs,
}

fn main() -> ExitCode {
    let done = match Task::parse() {
        Task::Serve { arguments } => serve::run(&arguments),
        Task::Test | Task::Check => checks::run_all(),
        Task::Dashboard { quick: true } => dashboard::build(dashboard::Build::Quick),
        Task::Dashboard { quick: false } => dashboard::build(dashboard::Build::Small),
        Task::Deb { check: true } => deb::check(),
        Task::Deb { check: false } => deb::build(deb::Program::Release).map(drop),
        Task::Book => book::build(),
        Task::Browser { words } => checks::in_browser(&words),
        Task::Wasm => wasm::check(),
        Task::Fuzz { minutes } => fuzz::run(minutes),
        Task::History {
            events,
            seed,
            base_url,
            api_key,
        } => {
            let mut bench = cargo(["bench", "--bench", "load", "--", "--only", "history"]);
            bench.args(["--events", &events.to_string(), "--seed", &seed.to_string()]);
            for (option, value) in [("--base-url", base_url), ("--api-key", api_key)] {
                bench.args(value.iter().flat_map(|value| [option, value]));
            }
            shell::run(&mut bench)
        }
        Task::Schemathesis(extent) => shell::build_server().and_then(|()| schemathesis::run(&extent)),
        Task::PythonSdk => shell::build_server().and_then(|()| python_sdk::run()),
        Task::Conformance => conformance::run(),
        Task::StandardWebhooks => standard_webhooks::python().map(|python| {
            println!("{}={}", standard_webhooks::VARIABLE, python.display());
        }),
        Task::Generated(Generated::Sqlx { check }) => sqlx::run(check),
        Task::Generated(Generated::Openapi) => checks::write_openapi(),
        Task::Generated(Generated::Schemas) => checks::write_schemas(),
        Task::Generated(Generated::Docs) => checks::write_docs(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
