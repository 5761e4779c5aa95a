//! `vinzy audit`: checks of a ledger by whoever may read it, without its database and without trusting its server.

mod check_receipt;
mod export;
mod prove;
mod source;
pub(super) mod verify;

use std::error::Error;

use clap::{Args, Subcommand};

use super::Answer;
use super::store::runtime;

#[derive(Debug, Args)]
#[command(
    after_help = "A ledger is read from its address, BASE/t/{tenant}, or from the files that `export` has saved. \
                  Exit code 0: it is proven. 1: it is not, and why is said. 2: it could not be found out."
)]
pub(super) struct Audit {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Save a ledger in files: checkpoint, events, hashes and key
    Export(export::Export),
    /// Check every event of a ledger against its signed checkpoint
    Verify(verify::Verify),
    /// Prove that an event stands in a ledger, as a receipt
    Prove(prove::Prove),
    /// Check a receipt (offline)
    CheckReceipt(check_receipt::CheckReceipt),
}

/// Why an audit ends early.
pub(super) enum Stop {
    /// Something is wrong with the ledger: what, as a sentence.
    Wrong(String),
    /// It cannot be found out.
    Failed(Box<dyn Error>),
}

impl<E: Error + 'static> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Stop {
    /// Something is wrong at a position.
    fn at(position: u64, problem: impl std::fmt::Display) -> Self {
        Self::Wrong(format!("BROKEN at position {position}: {problem}"))
    }
}

impl Audit {
    pub(super) fn run(self) -> Result<Answer, Box<dyn Error>> {
        let outcome = runtime()?.block_on(async {
            match self.command {
                Command::Export(export) => export.run().await,
                Command::Verify(verify) => verify.run().await,
                Command::Prove(prove) => prove.run().await,
                Command::CheckReceipt(check) => check.run(),
            }
        });
        match outcome {
            Ok(()) => Ok(Answer::Yes),
            Err(Stop::Wrong(problem)) => {
                println!("{problem}");
                Ok(Answer::No)
            }
            Err(Stop::Failed(error)) => Err(error),
        }
    }
}
