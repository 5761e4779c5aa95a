//! `vinzy verify`

use std::error::Error;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use sqlx::PgPool;

use vinzy_projections::archive::Archives;

use super::Answer;
use super::archive::open_archives;
use super::store::with_store;
use crate::audit::{self, VerifyError};
use crate::config::DatabaseConfig;

#[derive(Debug, Args)]
#[command(
    after_help = "Walks every event: that it parses, is canonical, was built on the one before, is the next \
                        of its stream, is no older than the one before, is of a known type; that every column \
                        beside it says the same; that sealed data are what the event commits to, or went with \
                        an erasure; that the head, the last checkpoint, and the one that the server keeps in its data \
                        directory fit. Reads only, also beside a running \
                        server on the same VINZY_DB_URL.\n\n\
                        Exit code 0: all is as it was recorded. 1: it is not, and the first bad position is named."
)]
pub(super) struct Verify {
    /// Verify only this ledger; all of the database if left out
    #[arg(long, value_name = "ID")]
    ledger: Option<String>,

    /// Directory with the archive of a ledger, for events that are not in the database any more; may be given for each
    #[arg(long = "archive", value_name = "DIR")]
    archives: Vec<PathBuf>,

    #[command(flatten)]
    database: DatabaseConfig,
}

impl Verify {
    pub(super) fn run(self, data_dir_given: bool) -> Result<Answer, Box<dyn Error>> {
        let (wanted, archives) = (self.ledger, self.archives);
        with_store(self.database, data_dir_given, |pool, data_dir| async move {
            let ledgers = match wanted {
                Some(ledger) => vec![ledger],
                None => audit::ledgers(&pool).await?,
            };
            if ledgers.is_empty() {
                println!("there is no ledger in this database");
            }
            let archives = open_archives(&pool, &archives).await?;
            let mut all_good = true;
            for ledger in ledgers {
                all_good &= verify(&pool, &data_dir, &archives, &ledger).await?;
            }
            Ok(if all_good { Answer::Yes } else { Answer::No })
        })
    }
}

async fn verify(
    pool: &PgPool,
    data_dir: &Path,
    archives: &Archives,
    ledger_id: &str,
) -> Result<bool, Box<dyn Error>> {
    let kept = audit::kept_checkpoint(data_dir, ledger_id).await?;
    let bar = progress_bar(ledger_id, "events");
    let report = audit::verify_ledger_with(pool, ledger_id, kept.as_ref(), archives, |done, size| {
        bar.set_length(size);
        bar.set_position(done);
    })
    .await
    .map_err(name_the_option)?;
    bar.finish_and_clear();
    let origin = &report.origin;
    match report.damage {
        None => {
            println!(
                "{origin}: {} events verified, root {}",
                report.events_checked, report.root
            );
            Ok(true)
        }
        Some(damage) => {
            println!(
                "{origin}: BROKEN at position {}: {}",
                damage.position, damage.problem
            );
            println!(
                "{origin}: {} of {} events before that are good",
                report.events_checked, report.size
            );
            Ok(false)
        }
    }
}

/// Says how to give what is missing.
fn name_the_option(error: VerifyError) -> Box<dyn Error> {
    match error {
        VerifyError::Archived { .. } => format!("{error}; name the directory with --archive").into(),
        error => error.into(),
    }
}

/// A bar that counts `what` of a ledger; nothing where nobody looks.
pub(super) fn progress_bar(ledger: &str, what: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = format!("{{prefix}} {{wide_bar}} {{pos}}/{{len}} {what}, {{per_sec}}, {{eta}} left");
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0)
        .with_style(style)
        .with_prefix(ledger.to_owned())
}
