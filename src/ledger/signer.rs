//! Signing checkpoints, and never one that forks from the last.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::PgPool;
use vinzy_events::ledger::{Checkpoint, ProofPlan, VerifierKey, verify_consistency};
use vinzy_projections::Behind;

use super::checkpoint::{self, SignedCheckpoint, Standing};
use super::checkpoint_keys::CheckpointKeys;
use super::head::{self, HeadError};
use super::open::{NamedKey, named_key};
use super::tree::{TreeError, TreeReader};
use super::witness::{Witness, WitnessError};
use crate::clock::Clock;

/// How often to begin again when somebody else signs at the same time.
const TRIES: u32 = 10;

/// Why no checkpoint was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The head cannot be read.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The tree cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The ledger is not a continuation of the last checkpoint: its history was rewritten.
    #[error("the ledger does not continue its last checkpoint of {signed_size} events")]
    Fork {
        /// The size that was signed last.
        signed_size: u64,
    },
    /// The ledger is smaller than the last checkpoint: it was cut, or set back to an old backup.
    #[error("the ledger has {size} events, but a checkpoint of {signed_size} events was signed")]
    SetBack {
        /// The size that was signed last.
        signed_size: u64,
        /// The ledger's size.
        size: u64,
    },
    /// The ledger verifies with another key than this server has.
    #[error("this server does not have the key that signs the checkpoints of {origin}")]
    ForeignKey {
        /// The ledger.
        origin: String,
    },
    /// The checkpoint that was kept is not of this ledger.
    #[error("{} is no checkpoint of {origin}", path.display())]
    ForeignWitness {
        /// The ledger.
        origin: String,
        /// The file.
        path: PathBuf,
    },
    /// What was signed cannot be kept outside the database.
    #[error("the last checkpoint cannot be kept")]
    Witness(#[from] WitnessError),
    /// Others sign all the time.
    #[error("others sign this ledger's checkpoints at the same time, too often")]
    Contended,
}

impl From<sqlx::Error> for SignError {
    fn from(error: sqlx::Error) -> Self {
        Self::Head(error.into())
    }
}

impl From<Behind> for SignError {
    fn from(error: Behind) -> Self {
        Self::Tree(error.into())
    }
}

/// Signs the checkpoints of all ledgers of a database.
pub struct Signer {
    pool: PgPool,
    keys: CheckpointKeys,
    witness: Witness,
    /// The ledgers' trees.
    pub trees: TreeReader,
    clock: Clock,
    /// Held while a ledger's checkpoint is signed on this node.
    turns: Mutex<HashMap<Box<str>, Arc<tokio::sync::Mutex<()>>>>,
}

impl Signer {
    /// Signs with `keys`, and keeps what was signed with `witness`, too. When, it notes by `clock`.
    pub fn new(
        pool: PgPool,
        keys: CheckpointKeys,
        witness: Witness,
        trees: TreeReader,
        clock: Clock,
    ) -> Self {
        Self {
            pool,
            keys,
            witness,
            trees,
            clock,
            turns: Mutex::default(),
        }
    }

    /// The keys that it signs with.
    pub const fn keys(&self) -> &CheckpointKeys {
        &self.keys
    }

    /// The checkpoint that was signed last: as far as it goes, the ledger is published.
    pub async fn last(&self, ledger_id: &str) -> Result<Option<SignedCheckpoint>, SignError> {
        Ok(checkpoint::last(&self.pool, ledger_id).await?)
    }

    /// Where the ledger stands, and how much of it is published.
    pub async fn standing(&self, ledger_id: &str) -> Result<Standing, SignError> {
        let standing = checkpoint::standing(&self.pool, ledger_id).await?;
        Ok(standing.ok_or_else(|| HeadError::Missing(ledger_id.to_owned()))?)
    }

    /// Signs the ledger as it is now, with the key that it names; those before it sign, too, as long as they are here.
    ///
    /// Only what is proven to continue both the checkpoint that was signed last and the one that this server has kept
    /// outside the database is signed. The proof takes a handful of tiles, however much the ledger has grown. Tiles
    /// are there before a checkpoint that covers them. Safe on any number of nodes.
    pub async fn sign(&self, ledger_id: &str) -> Result<SignedCheckpoint, SignError> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(turns.entry(ledger_id.into()).or_default())
        };
        let _turn = turn.lock().await;
        for _ in 0..TRIES {
            let last = self.last(ledger_id).await?;
            let kept = self.witnessed(ledger_id).await?;
            let head = {
                let mut conn = self.pool.acquire().await?;
                head::read(&mut conn, ledger_id).await?
            };
            let now = Checkpoint {
                origin: head.origin,
                size: head.size,
                root: head.frontier.root(),
            };
            let published = last.as_ref().map(|last| &last.checkpoint);
            // Most of the time they are the same, and one proof serves both.
            let apart = kept.as_ref().filter(|kept| published != Some(*kept));
            for before in published.into_iter().chain(apart) {
                self.check_continues(ledger_id, before, &now).await?;
            }
            if let Some(last) = last.as_ref().filter(|last| last.checkpoint == now) {
                if kept.as_ref() != Some(&now) {
                    self.witness.keep(ledger_id, &last.note).await?;
                }
                return Ok(last.clone());
            }
            self.trees.in_step(ledger_id).await?;
            let next = self.note(ledger_id, now).await?;
            // First outside: what was published must not be forgotten.
            self.witness.keep(ledger_id, &next.note).await?;
            let signed_at = self.clock.now();
            if checkpoint::publish(&self.pool, ledger_id, last.as_ref(), &next, signed_at).await? {
                return Ok(next);
            }
        }
        Err(SignError::Contended)
    }

    /// What the note that this server keeps outside the database says, if there is one.
    pub async fn kept(&self, ledger_id: &str) -> Result<Option<Checkpoint>, WitnessError> {
        self.witness.claimed(ledger_id).await
    }

    /// The checkpoint that this server keeps outside the database, if there is one.
    async fn witnessed(&self, ledger_id: &str) -> Result<Option<Checkpoint>, SignError> {
        let Some(note) = self.witness.kept(ledger_id).await? else {
            return Ok(None);
        };
        let named = self.named(ledger_id).await?;
        let mut verifiers = named.keys().filter_map(|key| key.parse::<VerifierKey>().ok());
        let kept = verifiers.find_map(|key| key.open(&note).ok());
        let foreign = || SignError::ForeignWitness {
            path: self.witness.path(ledger_id),
            origin: named.origin.clone(),
        };
        kept.ok_or_else(foreign).map(Some)
    }

    async fn named(&self, ledger_id: &str) -> Result<NamedKey, SignError> {
        let named = named_key(&self.pool, ledger_id).await?;
        Ok(named.ok_or_else(|| HeadError::Missing(ledger_id.to_owned()))?)
    }

    async fn check_continues(
        &self,
        ledger_id: &str,
        before: &Checkpoint,
        now: &Checkpoint,
    ) -> Result<(), SignError> {
        let (signed_size, size) = (before.size, now.size);
        if signed_size > size {
            return Err(SignError::SetBack { signed_size, size });
        }
        if before == now || signed_size == 0 {
            return Ok(());
        }
        let fork = || SignError::Fork { signed_size };
        let plan = ProofPlan::consistency(signed_size, size).ok_or_else(fork)?;
        let tree = self.trees.tree(ledger_id, size, &[&plan]).await?;
        let proof = tree.hashes(&plan).ok_or_else(fork)?;
        verify_consistency(signed_size, size, &before.root, &now.root, &proof).map_err(|_| fork())
    }

    async fn note(&self, ledger_id: &str, checkpoint: Checkpoint) -> Result<SignedCheckpoint, SignError> {
        let named = self.named(ledger_id).await?;
        let foreign = || SignError::ForeignKey {
            origin: named.origin.clone(),
        };
        let key = self.keys.of_ledger(&named.origin, &named.verifier_key);
        let others = named.superseded_keys.iter().rev();
        let others = others.filter_map(|key| self.keys.of_ledger(&named.origin, key));
        Ok(SignedCheckpoint {
            note: checkpoint.sign_with(std::iter::once(key.ok_or_else(foreign)?).chain(others)),
            checkpoint,
            verifier_key: named.verifier_key,
        })
    }
}
