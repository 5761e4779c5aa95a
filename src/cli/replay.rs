//! `vinzy replay`

use std::error::Error;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use futures::stream::{self, StreamExt, TryStreamExt};
use indicatif::MultiProgress;
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use vinzy_events::Timestamp;
use vinzy_projections::Projection;
use vinzy_projections::archive::Archives;
use vinzy_projections::rebuild::{Difference, Replay as Rebuilding, Scope, Until};

use super::Answer;
use super::archive::open_archives;
use super::store::with_store;
use super::verify::progress_bar;
use crate::config::DatabaseConfig;
use crate::{archive, audit};

/// How long to look for a moment in which nobody reads the tables that are swapped.
const PATIENCE: Duration = Duration::from_mins(5);
/// So many rows that differ are shown of each read model.
const SHOWN: usize = 20;

#[derive(Debug, Args)]
#[command(
    after_help = "Makes read models anew from the ledgers' events, in tables beside those that serve, and puts them in \
                  their place. What serves goes on serving; also beside running servers on the same VINZY_DB_URL. \
                  Whoever ends it early goes on there the next time.\n\n\
                  A read model that stands still at an event which an earlier version could not apply goes on \
                  afterwards.\n\n\
                  Exit code 0: done. 1: with --verify, a row differed. 2: it could not be done."
)]
pub(super) struct Replay {
    /// Read models; all if left out
    #[arg(value_name = "NAME", value_parser = names())]
    names: Vec<String>,

    /// Replay only so far, and leave the tables beside those that serve: events before a POSITION, or what was recorded
    /// up to a TIME (RFC 3339)
    #[arg(long, value_name = "POSITION|TIME", group = "beside", conflicts_with_all = ["verify", "dry_run"])]
    to: Option<To>,

    /// Compare row by row with what serves, as of the same position, and show what differs
    #[arg(long)]
    verify: bool,

    /// Leave what serves in its place, and remove the new tables
    #[arg(long, group = "beside")]
    dry_run: bool,

    /// Replay only this ledger, with --to or --dry-run
    #[arg(long, value_name = "ID", requires = "beside")]
    ledger: Option<String>,

    /// Begin anew, whatever an earlier replay has done
    #[arg(long)]
    restart: bool,

    /// Read models at a time
    #[arg(long, value_name = "NUMBER", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=16))]
    jobs: u8,

    /// Directory with the archive of a ledger, for events that are not in the database any more; may be given for each
    #[arg(long = "archive", value_name = "DIR")]
    archives: Vec<PathBuf>,

    #[command(flatten)]
    database: DatabaseConfig,
}

/// How far to replay, as it is typed.
#[derive(Debug, Clone, Copy)]
struct To(Until);

impl FromStr for To {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(position) = text.parse() {
            return Ok(Self(Until::Position(position)));
        }
        text.parse::<Timestamp>()
            .map(|time| Self(Until::Time(time)))
            .map_err(|_| {
                "neither a position (0, 1, 2 \u{2026}) nor a time such as 2026-01-31T12:00:00Z".to_owned()
            })
    }
}

fn names() -> clap::builder::PossibleValuesParser {
    let names = vinzy_projections::all();
    names
        .iter()
        .map(|projection| projection.name())
        .collect::<Vec<_>>()
        .into()
}

impl Replay {
    pub(super) fn run(mut self, data_dir_given: bool) -> Result<Answer, Box<dyn Error>> {
        let database = self.database.clone();
        let names = std::mem::take(&mut self.names);
        let wanted = vinzy_projections::all()
            .into_iter()
            .filter(|projection| names.is_empty() || names.iter().any(|name| name == projection.name()));
        let wanted: Vec<_> = wanted.collect();
        with_store(database, data_dir_given, |pool, _| async move {
            if let Some(ledger) = &self.ledger
                && !audit::ledgers(&pool).await?.contains(ledger)
            {
                return Err(format!("there is no ledger {ledger} in this database").into());
            }
            let archives = Arc::new(open_archives(&pool, &self.archives).await?);
            if wanted
                .iter()
                .any(|projection| archive::needs_archive(projection.as_ref()))
            {
                archive::check_given(&pool, self.ledger.as_deref(), &archives).await?;
            }
            let build = own_build()?;
            let bars = MultiProgress::new();
            let replays = wanted.into_iter().map(|projection| {
                let replay = One {
                    of: &self,
                    bars: &bars,
                    name: projection.name(),
                };
                replay.run(&pool, projection, &archives, &build)
            });
            let is_same = stream::iter(replays)
                .buffer_unordered(self.jobs.into())
                .try_fold(true, |all, one| std::future::ready(Ok(all && one)))
                .await?;
            Ok(if is_same { Answer::Yes } else { Answer::No })
        })
    }
}

/// One of the replays that are under way.
struct One<'a> {
    of: &'a Replay,
    bars: &'a MultiProgress,
    name: &'static str,
}

impl One<'_> {
    /// Gives whether nothing differed.
    async fn run(
        self,
        pool: &PgPool,
        projection: Arc<dyn Projection>,
        archives: &Arc<Archives>,
        build: &str,
    ) -> Result<bool, Box<dyn Error>> {
        let scope = Scope {
            ledger_id: self.of.ledger.clone(),
            until: self.of.to.map_or(Until::Head, |To(until)| until),
            build: build.to_owned(),
            restart: self.of.restart,
        };
        let started = Instant::now();
        let mut rebuilding = Rebuilding::begin(pool, projection, Arc::clone(archives), scope).await?;
        let before = rebuilding.resumed_at();
        if before > 0 {
            self.say(&format!(
                "goes on after {before} events that an earlier replay has done"
            ));
        }
        let bar = self.bars.add(progress_bar(self.name, "events"));
        bar.set_position(before);
        bar.reset_eta();
        let mut done = before;
        while let Some(progress) = rebuilding.advance().await? {
            bar.set_length(progress.total);
            bar.set_position(progress.done);
            done = progress.done;
        }
        bar.finish_and_clear();
        let took = started.elapsed();
        let (events, ledgers) = (u128::from(done - before), rebuilding.ledgers());
        self.say(&format!(
            "{events} events of {ledgers} {} replayed in {:.1} s, {} a second",
            if ledgers == 1 { "ledger" } else { "ledgers" },
            took.as_secs_f64(),
            events * 1_000 / took.as_millis().max(1),
        ));
        let mut is_same = true;
        if self.of.verify {
            let differences = rebuilding.compare().await?;
            is_same = differences.is_empty();
            self.tell(&differences);
        }
        if self.of.to.is_some() {
            self.say(&format!("the tables stand in the schema {}", rebuilding.schema()));
            rebuilding.keep().await?;
        } else if self.of.dry_run {
            rebuilding.discard().await?;
        } else {
            let held = rebuilding.swap(PATIENCE).await?;
            self.say(&format!("serves; the swap took {} ms", held.as_millis()));
        }
        Ok(is_same)
    }

    fn tell(&self, differences: &[Difference]) {
        if differences.is_empty() {
            self.say("no row differs");
            return;
        }
        let mut text = format!("{} rows differ", differences.len());
        for difference in differences.iter().take(SHOWN) {
            let side = if difference.serving {
                "- serves"
            } else {
                "+ replayed"
            };
            text += &format!(
                "\n  {side}  {} of {}: {}",
                difference.table, difference.ledger_id, difference.row
            );
        }
        if differences.len() > SHOWN {
            text += &format!("\n  and {} more", differences.len() - SHOWN);
        }
        self.say(&text);
    }

    /// Says something of this read model, above the bars.
    fn say(&self, text: &str) {
        self.bars.suspend(|| println!("{}: {text}", self.name));
    }
}

/// Tells this build of the program from others, which may apply events in other ways.
fn own_build() -> io::Result<String> {
    let mut program = File::open(std::env::current_exe()?)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = program.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
    }
    Ok(data_encoding::HEXLOWER.encode(&hash.finalize()))
}
