//! Tiles, proofs and receipts of ledgers, as far as a signed checkpoint goes.

use data_encoding::BASE64;
use vinzy_client::audit as wire;
use vinzy_events::EventId;
use vinzy_events::ledger::{
    Checkpoint, Hash, ProofError, ProofPlan, TilePath, event_hash, verify_consistency, verify_inclusion,
};
use vinzy_projections::event_log;

use crate::app::App;
use crate::ledger::checkpoint::SignedCheckpoint;
use crate::ledger::signer::SignError;
use crate::ledger::tree;

pub use crate::ledger::tree::TreeError;

/// Why something is not proven.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The database failed.
    #[error("database failed")]
    Database(#[from] sqlx::Error),
    /// No checkpoint was signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The tree cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// There is no such event.
    #[error("there is no such event")]
    NoSuchEvent,
    /// The tree is larger than the ledger.
    #[error("the ledger has only {size} events")]
    BeyondLedger {
        /// The ledger's size.
        size: u64,
    },
    /// The newer tree is larger than the ledger.
    #[error("the ledger has only {size} events")]
    ToBeyondLedger {
        /// The ledger's size.
        size: u64,
    },
    /// The tree is too small for the event.
    #[error("the tree ends before event {position}")]
    NotCovered {
        /// Where the event stands.
        position: u64,
    },
    /// The older tree is larger than the newer one.
    #[error("the older tree is larger than the newer one of {to}")]
    Shrinking {
        /// Size of the newer tree.
        to: u64,
    },
    /// The events that are there do not lead to the checkpoint.
    #[error("the events do not lead to the checkpoint of {size} events")]
    Unprovable {
        /// The checkpoint's size.
        size: u64,
        /// How the proof fails.
        #[source]
        source: ProofError,
    },
}

/// A place in a tree, with its proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    /// Where the event stands.
    pub position: u64,
    /// Its hash.
    pub event_hash: Hash,
    /// Number of events of the tree.
    pub size: u64,
    /// The tree's root.
    pub root: Hash,
    /// The proof.
    pub hashes: Vec<Hash>,
    /// The signed note of this size, if there is one.
    pub checkpoint: Option<String>,
}

/// Two trees, with the proof that one is how the other began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consistency {
    /// Number of events of the older tree.
    pub from: u64,
    /// Number of events of the newer tree.
    pub to: u64,
    /// Root of the older tree.
    pub from_root: Hash,
    /// Root of the newer tree.
    pub to_root: Hash,
    /// The proof.
    pub hashes: Vec<Hash>,
    /// The signed note of the newer size, if there is one.
    pub checkpoint: Option<String>,
}

/// The bytes of a tile; `None` for what the checkpoint that was signed last does not cover.
pub async fn tile(app: &App, ledger_id: &str, path: TilePath) -> Result<Option<Vec<u8>>, ProveError> {
    let published = app.signer.last(ledger_id).await?;
    if !published.is_some_and(|signed| path.is_within(signed.checkpoint.size)) {
        return Ok(None);
    }
    Ok(Some(app.signer.trees.tile(ledger_id, path).await?))
}

/// Where an event stands in a ledger.
pub async fn position_of(app: &App, ledger_id: &str, event_id: EventId) -> Result<u64, ProveError> {
    let mut conn = app.pool.acquire().await?;
    let position = event_log::position_of(&mut conn, ledger_id, event_id).await?;
    position.ok_or(ProveError::NoSuchEvent)
}

/// Proves that the event at a position stands in the tree of a size; in that of a signed checkpoint, if none is named.
pub async fn inclusion(
    app: &App,
    ledger_id: &str,
    position: u64,
    size: Option<u64>,
) -> Result<Inclusion, ProveError> {
    let signed = covering(app, ledger_id, size.unwrap_or(position.saturating_add(1))).await?;
    let covered = signed.checkpoint.size;
    if position >= covered {
        return Err(ProveError::NoSuchEvent);
    }
    let size = size.unwrap_or(covered);
    if size > covered {
        return Err(ProveError::BeyondLedger { size: covered });
    }
    let plan = ProofPlan::inclusion(position, size).ok_or(ProveError::NotCovered { position })?;
    let tree = Tree::read(app, ledger_id, size, &[&plan, &ProofPlan::leaf(position)]).await?;
    let event_hash = tree.only(&ProofPlan::leaf(position))?;
    let hashes = tree.hashes(&plan)?;
    let root = tree.root(&signed.checkpoint)?;
    verify_inclusion(position, size, &event_hash, &hashes, &root).map_err(unprovable(size))?;
    Ok(Inclusion {
        position,
        event_hash,
        size,
        root,
        hashes,
        checkpoint: (size == covered).then_some(signed.note),
    })
}

/// Proves that the tree of one size is how the tree of another began; how that of a signed checkpoint did, if none is
/// named.
pub async fn consistency(
    app: &App,
    ledger_id: &str,
    from: u64,
    to: Option<u64>,
) -> Result<Consistency, ProveError> {
    let signed = covering(app, ledger_id, to.unwrap_or(from)).await?;
    let covered = signed.checkpoint.size;
    let to = to.unwrap_or(covered);
    if to > covered {
        return Err(ProveError::ToBeyondLedger { size: covered });
    }
    let plan = ProofPlan::consistency(from, to).ok_or(ProveError::Shrinking { to })?;
    let old = Tree::read(app, ledger_id, from, &[]).await?;
    let tree = Tree::read(app, ledger_id, to, &[&plan]).await?;
    let from_root = old.root(&signed.checkpoint)?;
    let to_root = tree.root(&signed.checkpoint)?;
    let hashes = tree.hashes(&plan)?;
    verify_consistency(from, to, &from_root, &to_root, &hashes).map_err(unprovable(to))?;
    Ok(Consistency {
        from,
        to,
        from_root,
        to_root,
        hashes,
        checkpoint: (to == covered).then_some(signed.note),
    })
}

/// The event at a position with the proof that a signed checkpoint covers it.
pub async fn receipt(app: &App, ledger_id: &str, position: u64) -> Result<wire::Receipt, ProveError> {
    let signed = covering(app, ledger_id, position.saturating_add(1)).await?;
    let Checkpoint { size, root, .. } = signed.checkpoint;
    let plan = ProofPlan::inclusion(position, size).ok_or(ProveError::NoSuchEvent)?;
    let tree = Tree::read(app, ledger_id, size, &[&plan]).await?;
    let hashes = tree.hashes(&plan)?;
    let mut conn = app.pool.acquire().await?;
    let leaf = event_log::leaf(&mut conn, ledger_id, position).await?;
    let leaf = leaf.ok_or(ProveError::NoSuchEvent)?;
    if leaf.is_empty() {
        return Err(TreeError::Archived { position }.into());
    }
    verify_inclusion(position, size, &event_hash(&leaf), &hashes, &root).map_err(unprovable(size))?;
    Ok(wire::Receipt {
        version: wire::Receipt::VERSION.to_owned(),
        verifier_key: signed.verifier_key,
        position,
        leaf: BASE64.encode(&leaf),
        inclusion_proof: hashes.iter().map(Hash::to_string).collect(),
        checkpoint: signed.note,
    })
}

/// A signed checkpoint of `size` events at least, if there are so many: the last one, or a new one.
async fn covering(app: &App, ledger_id: &str, size: u64) -> Result<SignedCheckpoint, ProveError> {
    match app.signer.last(ledger_id).await? {
        Some(signed) if signed.checkpoint.size >= size => Ok(signed),
        _ => Ok(app.signer.sign(ledger_id).await?),
    }
}

/// As much of a tree as proofs need, and its root.
struct Tree {
    size: u64,
    part: tree::Tree,
}

impl Tree {
    async fn read(app: &App, ledger_id: &str, size: u64, plans: &[&ProofPlan]) -> Result<Self, ProveError> {
        let root = ProofPlan::root(size);
        let plans: Vec<&ProofPlan> = plans.iter().copied().chain([&root]).collect();
        let part = app.signer.trees.tree(ledger_id, size, &plans).await?;
        Ok(Self { size, part })
    }

    fn hashes(&self, plan: &ProofPlan) -> Result<Vec<Hash>, ProveError> {
        let hashes = self.part.hashes(plan);
        hashes.ok_or_else(|| unprovable(self.size)(ProofError::WrongLength))
    }

    fn only(&self, plan: &ProofPlan) -> Result<Hash, ProveError> {
        let hash = self.part.only(plan);
        hash.ok_or_else(|| unprovable(self.size)(ProofError::WrongLength))
    }

    /// The root, which for the size of the checkpoint must be the signed one.
    fn root(&self, signed: &Checkpoint) -> Result<Hash, ProveError> {
        let root = self.only(&ProofPlan::root(self.size))?;
        if self.size == signed.size && root != signed.root {
            return Err(unprovable(self.size)(ProofError::OtherRoot));
        }
        Ok(root)
    }
}

fn unprovable(size: u64) -> impl Fn(ProofError) -> ProveError {
    move |source| ProveError::Unprovable { size, source }
}
