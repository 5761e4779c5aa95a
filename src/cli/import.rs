//! `vinzy import`

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use clap::Args;
use clap::builder::PossibleValuesParser;
use sqlx::{Connection, PgConnection, PgPool};

use super::Answer;
use super::store::{Ground, runtime};
use super::verify::progress_bar;
use crate::app::{DEFAULT_LEDGER, MIGRATOR};
use crate::clock::{Clock, Entropy};
use crate::commands::customers::AddressHasher;
use crate::config::{DatabaseConfig, Secret};
use crate::distribution::Layout;
use crate::import::{self, Destination, OPTIONAL, Place, Wish};
use crate::keys::ServerKeys;
use crate::ledger::{Feed, Ledgers, named_key};
use crate::metrics::Metrics;
use crate::secrets::kept::Kept;
use crate::secrets::{checkpoint_keys, master_keys, seeds};
use vinzy_events::key::{KeyRing, parse_keys};

/// Taken on the database while an import runs. Any number that nothing else takes.
const LOCK: i64 = 0x0076_696e_7a79_696d;

#[derive(Debug, Args)]
#[command(
    after_help = "Reads the database of the system that was there before and appends what it holds to the ledgers, with \
                  its ids, times and digests: keys that were issued stay valid when this server has the VINZY_HMAC_KEY or \
                  VINZY_HMAC_KEYS of then. Works on the database directly, also beside running servers on the same \
                  VINZY_DB_URL, of which one must have been started before. Sends no webhooks and looks for no \
                  anomalies.\n\n\
                  Whoever is interrupted goes on with the same command. Doing it again takes what has come since. \
                  See docs/import.md.\n\n\
                  Exit code 0: every row was taken. 1: some were not; the report says which, and why. 2: it could not be \
                  done, or not to the end."
)]
pub(super) struct Import {
    /// The old database: sqlite:PATH or <postgres://user:password@host/name>, or the `VINZY_DB_URL` of then
    #[arg(long, env = "VINZY_IMPORT_FROM", value_name = "URL", hide_env_values = true)]
    from: Secret,

    /// Say what would be done, and write nothing
    #[arg(long)]
    dry_run: bool,

    /// The report as JSON
    #[arg(long)]
    json: bool,

    /// Leave a table out; can be given several times
    #[arg(long, value_name = "TABLE", value_parser = PossibleValuesParser::new(OPTIONAL))]
    skip: Vec<String>,

    /// Master keys as the server has them
    #[arg(long, env = "VINZY_SECRET_KEY", value_name = "TEXT", hide_env_values = true)]
    secret_key: Option<Secret>,

    /// The key of license keys as the server has it
    #[arg(long, env = "VINZY_HMAC_KEY", value_name = "TEXT", hide_env_values = true)]
    hmac_key: Option<Secret>,

    /// Keys of license keys by version as the server has them
    #[arg(long, env = "VINZY_HMAC_KEYS", value_name = "JSON", hide_env_values = true)]
    hmac_keys: Option<Secret>,

    /// Seeds as the server has them; the first signs the checkpoints of ledgers that are made
    #[arg(long, env = "VINZY_SIGNING_KEY", value_name = "SEEDS", hide_env_values = true)]
    signing_key: Option<Secret>,

    #[command(flatten)]
    database: DatabaseConfig,
}

/// What the server works with, as far as an import needs it.
struct Keys {
    secret_key: Option<Secret>,
    signing_key: Option<Secret>,
    key_ring: Option<KeyRing>,
    /// Whether it is one that the server made for itself.
    ring_is_kept: bool,
}

impl Import {
    pub(super) fn run(self, data_dir_given: bool) -> Result<Answer, Box<dyn Error>> {
        let untouched = self.database.db_url.is_none() && !self.database.data_dir.join("postgres").exists();
        // Whatever is wrong with it: it can hold a password, and is not repeated.
        let from = self.from.expose().parse::<Place>();
        let wish = Wish {
            from: from.map_err(|error| format!("the old database (--from) {error}"))?,
            dry_run: self.dry_run,
            skip: self.skip.into_iter().collect(),
            now: Clock::System.now(),
        };
        let report = if self.dry_run && untouched {
            // There is no database yet, and none is made.
            runtime()?.block_on(carry_out(&wish, None))?
        } else {
            let ground = Ground::prepare(self.database, data_dir_given)?;
            ground.notes.iter().for_each(|note| eprintln!("vinzy: {note}"));
            let keys = keys(
                self.secret_key,
                [self.hmac_key, self.hmac_keys],
                self.signing_key,
                &ground.data_dir,
            )?;
            runtime()?.block_on(async {
                let store = ground.open().await?;
                let done = import(&store.pool, &wish, keys).await;
                store.close().await?;
                done
            })?
        };
        if self.json {
            println!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            print!("{}", report.text());
        }
        Ok(if report.all_taken { Answer::Yes } else { Answer::No })
    }
}

/// The keys of the settings, or those that a server in development keeps.
fn keys(
    secret_key: Option<Secret>,
    [hmac_key, hmac_keys]: [Option<Secret>; 2],
    signing_key: Option<Secret>,
    data_dir: &Path,
) -> Result<Keys, Box<dyn Error>> {
    let kept = Kept::read(data_dir)?;
    let given = match (hmac_keys, hmac_key) {
        (Some(keys), _) => {
            let keys = parse_keys(keys.expose());
            Some(keys.map_err(|error| format!("VINZY_HMAC_KEYS cannot be used: {error}"))?)
        }
        (None, Some(key)) => Some([(0, key.expose().to_owned())].into()),
        (None, None) => None,
    };
    let ring_is_kept = given.is_none();
    let ring = given.or(kept.hmac_ring()?);
    Ok(Keys {
        secret_key: secret_key.or(kept.secret_key.map(Secret::from)),
        signing_key: signing_key.or(kept.signing_key.map(Secret::from)),
        key_ring: ring.map(KeyRing::try_new).transpose()?,
        ring_is_kept,
    })
}

async fn import(pool: &PgPool, wish: &Wish, keys: Keys) -> Result<import::report::Report, Box<dyn Error>> {
    if !has_schema(pool).await? {
        if wish.dry_run {
            return carry_out(wish, None).await;
        }
        return Err(
            "the database is not that of a server of this version: start the server on it once, with the \
                    settings that it will have, or run `vinzy migrate`"
                .into(),
        );
    }
    let name = |setting: &str| {
        format!("{setting} is missing: set it to that of the server, or name its data directory")
    };
    let masters = master_keys(keys.secret_key.ok_or_else(|| name("VINZY_SECRET_KEY"))?.expose())?;
    let checkpoint_keys = checkpoint_keys(&seeds(
        keys.signing_key
            .ok_or_else(|| name("VINZY_SIGNING_KEY"))?
            .expose(),
    )?);
    let named = named_key(pool, DEFAULT_LEDGER).await?;
    let named = named.ok_or("the database holds no ledger yet: start the server on it once")?;
    if checkpoint_keys
        .of_ledger(&named.origin, &named.verifier_key)
        .is_none()
    {
        return Err("VINZY_SIGNING_KEY is not that of this database's server".into());
    }
    let note = note_on_ring(keys.key_ring.as_ref(), keys.ring_is_kept);
    let server_keys = ServerKeys::open(pool, &masters).await?;
    let only = only_one(pool).await?;
    let feed = Arc::new(Feed::new(vec![]));
    feed.start_at_present(pool).await?;
    let destination = Destination {
        pool: pool.clone(),
        ledgers: Ledgers::new(
            pool.clone(),
            Layout::of(&mut *pool.acquire().await?).await?,
            feed,
            Metrics::new().ledger,
            Clock::System,
            Entropy::System,
        )?,
        masters,
        address_hasher: AddressHasher::new(server_keys.uniqueness),
        checkpoint_keys,
        key_ring: keys.key_ring,
        clock: Clock::System,
        entropy: Entropy::System,
    };
    let report = carry_out(wish, Some(&destination)).await;
    destination.ledgers.close().await;
    // Whatever the answer: with the connection ends the lock.
    let _ = only.close().await;
    let mut report = report?;
    report.notes.extend(note);
    Ok(report)
}

/// What can be said about the HMAC keys without any license key.
fn note_on_ring(ring: Option<&KeyRing>, is_kept: bool) -> Option<String> {
    match ring {
        None => Some(
            "No HMAC key was given: license keys are valid only if the server has the VINZY_HMAC_KEY or VINZY_HMAC_KEYS \
             of the old system. Check one with `vinzy validate KEY`."
                .to_owned(),
        ),
        Some(_) if is_kept => Some(
            "The HMAC key is the one in the data directory: if this server made it for itself, set VINZY_HMAC_KEY or \
             VINZY_HMAC_KEYS to that of the old system, or no license key of it is valid. Check one with \
             `vinzy validate KEY`."
                .to_owned(),
        ),
        Some(_) => None,
    }
}

/// Two imports at once would get into each other's way.
async fn only_one(pool: &PgPool) -> Result<PgConnection, Box<dyn Error>> {
    let mut connection = pool.acquire().await?.detach();
    let is_free: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
        .bind(LOCK)
        .fetch_one(&mut connection)
        .await?;
    if is_free {
        Ok(connection)
    } else {
        Err("another import into this database is running".into())
    }
}

/// Events of an older or newer program must not be mixed with those of this one.
async fn has_schema(pool: &PgPool) -> Result<bool, Box<dyn Error>> {
    let exists: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(pool)
        .await?;
    if !exists {
        return Ok(false);
    }
    let newest = MIGRATOR.iter().map(|migration| migration.version).max();
    let applied: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
        .fetch_one(pool)
        .await?;
    Ok(applied == newest)
}

async fn carry_out(
    wish: &Wish,
    destination: Option<&Destination>,
) -> Result<import::report::Report, Box<dyn Error>> {
    let bar = progress_bar("import", "rows");
    let report = import::run(wish, destination, |table, done, all| {
        bar.set_prefix(table);
        bar.set_length(all);
        bar.set_position(done);
    })
    .await;
    bar.finish_and_clear();
    Ok(report?)
}
