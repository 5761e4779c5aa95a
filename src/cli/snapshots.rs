//! `vinzy snapshots`

use std::error::Error;

use clap::{Args, Subcommand};

use super::Answer;
use super::store::with_store;
use crate::archive::Mover;
use crate::audit;
use crate::config::DatabaseConfig;

#[derive(Debug, Args)]
pub(super) struct Snapshots {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Remove snapshots; servers make them again as streams grow
    Drop(Drop),
}

#[derive(Debug, Args)]
#[command(
    after_help = "A snapshot holds the state of a long stream, so that it need not be read from its first event. None is \
                        ever needed, except those of streams that begin with archived events: they stay. Also beside \
                        running servers on the same VINZY_DB_URL."
)]
struct Drop {
    /// Only those of this ledger; of all if left out
    #[arg(long, value_name = "ID")]
    ledger: Option<String>,

    #[command(flatten)]
    database: DatabaseConfig,
}

impl Snapshots {
    pub(super) fn run(self, data_dir_given: bool) -> Result<Answer, Box<dyn Error>> {
        let Command::Drop(Drop { ledger, database }) = self.command;
        with_store(database, data_dir_given, |pool, _| async move {
            let mut ledgers = audit::ledgers(&pool).await?;
            if let Some(ledger) = ledger {
                if !ledgers.contains(&ledger) {
                    return Err(format!("there is no ledger {ledger} in this database").into());
                }
                ledgers = vec![ledger];
            }
            for ledger in ledgers {
                let (dropped, left) = Mover::begin(&pool, &ledger).await?.drop_snapshots().await?;
                println!("{ledger}: {dropped} snapshots removed");
                if left > 0 {
                    println!("{ledger}: {left} stay, because their streams begin with archived events");
                }
            }
            Ok(Answer::Yes)
        })
    }
}
