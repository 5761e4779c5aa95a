//! `vinzy archive`

use std::error::Error;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use sqlx::PgPool;
use vinzy_events::Timestamp;
use vinzy_projections::archive::{Archive as Files, Archives};

use super::Answer;
use super::audit::{Stop, verify};
use super::store::with_store;
use super::verify::progress_bar;
use crate::app::DEFAULT_LEDGER;
use crate::archive::{self, Mover, TILE};
use crate::clock::Clock;
use crate::config::DatabaseConfig;

#[derive(Debug, Args)]
#[command(
    group = clap::ArgGroup::new("extent").required(true),
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Writes all events that a signed checkpoint covers to DIR, as `vinzy audit export` does, verifies the \
                  files as `vinzy audit verify` does, and only then removes the bytes of older events from the \
                  database: of licenses and meters, except for the last 32 of each. Servers go on meanwhile. Whoever is \
                  interrupted goes on the next time, with the same arguments.\n\n\
                  The role of the database needs rights that servers do not: docs/retention.md.\n\n\
                  Exit code 0: done. 1: the files are not what was signed; nothing was removed. 2: it could not be done."
)]
pub(super) struct Archive {
    #[command(subcommand)]
    command: Option<Command>,

    /// Directory to write to; for a ledger that is archived already, the same as before
    #[arg(value_name = "DIR", required = true)]
    directory: Option<PathBuf>,

    /// The ledger
    #[arg(long, value_name = "ID", default_value = DEFAULT_LEDGER)]
    ledger: String,

    /// Archive the events before this position
    #[arg(long, value_name = "NUMBER", group = "extent")]
    to_position: Option<u64>,

    /// Archive what was recorded before this time (RFC 3339)
    #[arg(long, value_name = "TIME", group = "extent")]
    before: Option<Timestamp>,

    /// Where the archive is, as clients of the API are told; the directory if left out
    #[arg(long, value_name = "TEXT")]
    location: Option<String>,

    /// Events whose bytes are removed in one transaction
    #[arg(long, value_name = "NUMBER", default_value_t = 2_560, value_parser = clap::value_parser!(u64).range(TILE..=65_536))]
    batch_size: u64,

    #[command(flatten)]
    database: DatabaseConfig,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Put the events of an archive back into the database
    Restore(Restore),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Every event is compared with the hash that stayed in the database, and those with the ledger's tree. \
                        The files stay. Whoever is interrupted begins again the next time."
)]
struct Restore {
    /// Directory with the archive
    #[arg(value_name = "DIR")]
    directory: PathBuf,

    #[command(flatten)]
    database: DatabaseConfig,
}

impl Archive {
    pub(super) fn run(self, data_dir_given: bool) -> Result<Answer, Box<dyn Error>> {
        if let Some(Command::Restore(restore)) = self.command {
            return restore.run(data_dir_given);
        }
        let database = self.database.clone();
        with_store(database, data_dir_given, |pool, _| async move {
            self.archive(&pool).await
        })
    }

    async fn archive(self, pool: &PgPool) -> Result<Answer, Box<dyn Error>> {
        let (Some(directory), ledger) = (self.directory, self.ledger) else {
            return Err("a directory is missing".into());
        };
        let key = archive::verifier_key(pool, &ledger).await?;
        let mut mover = Mover::begin(pool, &ledger).await?;
        let wanted = match (self.to_position, self.before) {
            (Some(position), _) => position,
            // What was recorded at that very time stays.
            (None, Some(time)) => {
                let before = Timestamp::from_micros(time.as_micros() - 1).unwrap_or(Timestamp::UNIX_EPOCH);
                mover.recorded_until(before).await?
            }
            (None, None) => return Err("neither a position nor a time".into()),
        };
        let size = wanted - wanted % TILE;
        if size == 0 {
            println!("{ledger}: nothing to archive: only {wanted} events, and a tile has {TILE}");
            return Ok(Answer::Yes);
        }
        let signed = mover.signed().await?;
        mover.check_unneeded(size, &signed).await?;

        let bar = progress_bar(&ledger, "tiles written");
        let told = |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        };
        mover.write(&directory, &signed, told).await?;
        bar.finish_and_clear();
        match verify::saved(&directory, key).await {
            Ok(()) => {}
            Err(Stop::Wrong(problem)) => {
                println!("{problem}");
                println!("{ledger}: nothing was removed from the database");
                return Ok(Answer::No);
            }
            Err(Stop::Failed(error)) => return Err(error),
        }
        let directory = std::path::absolute(directory)?;
        println!(
            "{ledger}: {} events saved in {} and verified",
            signed.checkpoint.size,
            directory.display()
        );

        let location = self.location.unwrap_or_else(|| directory.display().to_string());
        let archived = mover.note(size, &location, Clock::System.now()).await?;
        let bar = progress_bar(&ledger, "events removed");
        let told = |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        };
        let files = Files::open(&directory)?;
        let batch = self.batch_size - self.batch_size % TILE;
        let removed = mover.remove(&files, &archived, batch, told).await?;
        bar.finish_and_clear();
        println!(
            "{ledger}: the bytes of {removed} events before position {} were removed from the database",
            archived.size
        );
        Ok(Answer::Yes)
    }
}

impl Restore {
    fn run(self, data_dir_given: bool) -> Result<Answer, Box<dyn Error>> {
        let directory = self.directory;
        with_store(self.database, data_dir_given, |pool, _| async move {
            let files = Files::open(&directory)?;
            let ledger = archive::ledger_of(&pool, &files).await?;
            let mut mover = Mover::begin(&pool, &ledger).await?;
            let bar = progress_bar(&ledger, "events restored");
            let restored = mover.restore(&files, |done, all| {
                bar.set_length(all);
                bar.set_position(done);
            });
            let restored = restored.await?;
            bar.finish_and_clear();
            println!("{ledger}: {restored} events are back in the database; no event is archived");
            Ok(Answer::Yes)
        })
    }
}

/// Opens the archives in directories.
pub(super) async fn open_archives(
    pool: &PgPool,
    directories: &[PathBuf],
) -> Result<Archives, Box<dyn Error>> {
    Ok(archive::open(pool, directories.iter().map(PathBuf::as_path)).await?)
}
