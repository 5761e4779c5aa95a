//! `vinzy erase`

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use sqlx::PgPool;
use vinzy_client::customers::ErasureCertificate;
use vinzy_events::CustomerId;
use vinzy_events::customer::CustomerError;
use vinzy_events::ledger::Actor;
use vinzy_projections::{Runner, tiles};

use super::Answer;
use super::store::{Ground, runtime};
use crate::app::{DEFAULT_LEDGER, MIGRATOR};
use crate::clock::{Clock, Entropy};
use crate::commands::{CommandError, Context, ReceiptSlot, erasure};
use crate::config::{DatabaseConfig, Secret};
use crate::distribution::Layout;
use crate::http::customers::erasure::wire;
use crate::ledger::signer::Signer;
use crate::ledger::tree::TreeReader;
use crate::ledger::witness::Witness;
use crate::ledger::{CheckpointKeys, Feed, Ledgers, named_key};
use crate::metrics::Metrics;
use crate::secrets::kept::Kept;
use crate::secrets::{checkpoint_keys, seeds};

/// Characters of a reason, at most.
const REASON: usize = 500;

#[derive(Debug, Args)]
#[command(
    after_help = "Destroys the key and the ciphertext of the customer's name, address, company and metadata, and \
                        notes in the ledger that it was done. The ledger still verifies, licenses stay. Works on the \
                        database directly, also beside running servers on the same VINZY_DB_URL, and signs the \
                        certificate with the key of VINZY_SIGNING_KEY or of the data directory. Erasing again changes \
                        nothing and gives the certificate again.\n\n\
                        Backups and replicas of the database are copies of their own: see docs/security.md.\n\n\
                        Exit code 0: the customer is erased. 1: there is no such customer, or the answer was no."
)]
pub(super) struct Erase {
    /// The customer's id
    #[arg(value_name = "CUSTOMER_ID")]
    customer_id: CustomerId,

    /// The ledger: the tenant's slug
    #[arg(long, value_name = "ID", default_value = DEFAULT_LEDGER)]
    ledger: String,

    /// Why, or on what legal ground; it stays in the ledger, so it should name no person
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Option<String>,

    /// File for the certificate; standard output if left out
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Do not ask whether to go on
    #[arg(long)]
    yes: bool,

    /// Seeds as the server has them, one of which signs the ledger's checkpoints
    #[arg(long, env = "VINZY_SIGNING_KEY", value_name = "SEEDS", hide_env_values = true)]
    signing_key: Option<Secret>,

    #[command(flatten)]
    database: DatabaseConfig,
}

fn reason(text: &str) -> Result<String, String> {
    if text.chars().count() <= REASON {
        Ok(text.to_owned())
    } else {
        Err(format!("must have at most {REASON} characters"))
    }
}

/// What is to be done, and where.
struct Task {
    customer_id: CustomerId,
    ledger_id: Arc<str>,
    reason: Option<String>,
    yes: bool,
    keys: CheckpointKeys,
}

impl Erase {
    pub(super) fn run(self, data_dir_given: bool) -> Result<Answer, Box<dyn Error>> {
        let ground = Ground::prepare(self.database, data_dir_given)?;
        ground.notes.iter().for_each(|note| eprintln!("vinzy: {note}"));
        let signing_key = signing_key(self.signing_key, &ground.data_dir)?;
        let task = Task {
            customer_id: self.customer_id,
            ledger_id: self.ledger.into(),
            reason: self.reason,
            yes: self.yes,
            keys: checkpoint_keys(&seeds(signing_key.expose())?),
        };
        let certificate = runtime()?.block_on(async {
            let store = ground.open().await?;
            let done = task.run(&store.pool, &ground.data_dir).await;
            store.close().await?;
            done
        })?;
        let Some(certificate) = certificate else {
            return Ok(Answer::No);
        };
        hand_over(&certificate, self.out.as_deref())?;
        Ok(Answer::Yes)
    }
}

/// The seeds of the settings, or those that a server in development keeps.
fn signing_key(given: Option<Secret>, data_dir: &Path) -> Result<Secret, Box<dyn Error>> {
    if let Some(given) = given {
        return Ok(given);
    }
    let kept = Kept::read(data_dir)?.signing_key;
    Ok(kept
        .ok_or("nothing signs the certificate: set VINZY_SIGNING_KEY, or name the server's data directory")?
        .into())
}

impl Task {
    /// Erases the customer, unless that was done before; `None` when there is nobody to erase, or the answer was no.
    async fn run(
        &self,
        pool: &PgPool,
        data_dir: &Path,
    ) -> Result<Option<ErasureCertificate>, Box<dyn Error>> {
        check_schema(pool).await?;
        let mut runner = Runner::new(pool.clone());
        // Checkpoints are signed after their tiles.
        let tiles = vinzy_projections::all().into_iter();
        let tiles = tiles.filter(|projection| projection.name() == tiles::NAME);
        tiles.for_each(|tiles| runner.start(tiles));
        let trees = TreeReader::new(pool.clone(), runner.follower());
        let signer = Signer::new(
            pool.clone(),
            self.keys.clone(),
            Witness::open(data_dir).await?,
            trees,
            Clock::System,
        );
        self.check_signing(pool, &signer).await?;
        let feed = Arc::new(Feed::new(vec![]));
        feed.start_at_present(pool).await?;
        let ledgers = Ledgers::new(
            pool.clone(),
            Layout::of(&mut *pool.acquire().await?).await?,
            feed,
            Metrics::new().ledger,
            Clock::System,
            Entropy::System,
        )?;
        let done = self.erase(&ledgers, &signer).await;
        ledgers.close().await;
        runner.stop().await;
        done
    }

    /// Whoever cannot certify the erasure must not begin it.
    async fn check_signing(&self, pool: &PgPool, signer: &Signer) -> Result<(), Box<dyn Error>> {
        let ledger_id = &self.ledger_id;
        let named = named_key(pool, ledger_id)
            .await?
            .ok_or_else(|| format!("there is no ledger {ledger_id}"))?;
        if self.keys.of_ledger(&named.origin, &named.verifier_key).is_none() {
            let origin = named.origin;
            return Err(format!(
                "the signing key does not belong to the ledger {origin}: set the VINZY_SIGNING_KEY of its server"
            )
            .into());
        }
        signer.sign(ledger_id).await?;
        Ok(())
    }

    async fn erase(
        &self,
        ledgers: &Ledgers,
        signer: &Signer,
    ) -> Result<Option<ErasureCertificate>, Box<dyn Error>> {
        let (id, ledger_id) = (self.customer_id, &self.ledger_id);
        match erasure::certificate(ledgers, signer, ledger_id, id).await {
            Ok(Some(certificate)) => {
                eprintln!("Customer {id} was erased before.");
                return Ok(Some(wire(certificate)));
            }
            Ok(None) => {}
            Err(CommandError::Customer(CustomerError::NotFound)) => {
                eprintln!("There is no customer {id} in the ledger {ledger_id}.");
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        }
        if !self.yes && !is_wanted(id, ledger_id)? {
            eprintln!("Nothing was erased.");
            return Ok(None);
        }
        let context = Context {
            actor: Actor {
                id: "operator".into(),
                kind: "system".into(),
                name: None,
                via: "cli".into(),
            },
            correlation_id: None,
            causation_id: None,
            receipt: ReceiptSlot::default(),
        };
        erasure::erase_in(ledgers, ledger_id, context, id, self.reason.clone()).await?;
        eprintln!("Customer {id} is erased.");
        let certificate = erasure::certificate(ledgers, signer, ledger_id, id).await?;
        Ok(certificate.map(wire))
    }
}

/// Events of an older or newer program must not be mixed with those of this one.
async fn check_schema(pool: &PgPool) -> Result<(), Box<dyn Error>> {
    let newest = MIGRATOR.iter().map(|migration| migration.version).max();
    let applied: Option<i64> = sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations")
        .fetch_one(pool)
        .await?;
    if applied == newest {
        return Ok(());
    }
    Err("the database's schema is not that of this program: run `vinzy migrate`, or the program that it belongs to".into())
}

fn is_wanted(id: CustomerId, ledger_id: &str) -> std::io::Result<bool> {
    eprint!(
        "Name, address, company and metadata of customer {id} in the ledger {ledger_id} will be destroyed for good. \
         Type yes to go on: "
    );
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("yes"))
}

/// Writes the certificate where it is wanted. Should the file refuse it, it is shown all the same.
fn hand_over(certificate: &ErasureCertificate, out: Option<&Path>) -> Result<(), Box<dyn Error>> {
    let text = serde_json::to_string_pretty(certificate)? + "\n";
    let Some(path) = out else {
        print!("{text}");
        return Ok(());
    };
    std::fs::write(path, &text).map_err(|error| {
        print!("{text}");
        format!("the certificate cannot be written to {}: {error}", path.display()).into()
    })
}
