//! Reading a ledger's Merkle tree from its tiles, as far as proofs need it.

use std::time::Duration;

use sqlx::PgPool;
use vinzy_events::ledger::{Hash, HashTiles, ProofPlan, TilePath};
use vinzy_projections::tiles::{self, TileError};
use vinzy_projections::{Behind, Follower};

/// How long to wait for the tiles.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a tree cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// The database failed.
    #[error("database failed")]
    Database(#[from] sqlx::Error),
    /// The tiles have not come so far.
    #[error(transparent)]
    Behind(#[from] Behind),
    /// An event that it holds is archived.
    #[error("the event at position {position} is archived")]
    Archived {
        /// Where.
        position: u64,
    },
    /// A tile that must be there is not.
    #[error("the events of {0} are missing")]
    Damaged(TilePath),
}

impl From<TileError> for TreeError {
    fn from(error: TileError) -> Self {
        match error {
            TileError::Database(error) => Self::Database(error),
            TileError::Archived { position } => Self::Archived { position },
        }
    }
}

/// Reads the tiles of all ledgers.
#[derive(Clone)]
pub struct TreeReader {
    pool: PgPool,
    projections: Follower,
}

impl TreeReader {
    /// Reads from `pool` what the projection of tiles, as `projections` knows it, has written.
    pub const fn new(pool: PgPool, projections: Follower) -> Self {
        Self { pool, projections }
    }

    /// Waits until there are tiles for all that is in the ledger now.
    pub async fn in_step(&self, ledger_id: &str) -> Result<(), Behind> {
        self.projections.wait(tiles::NAME, ledger_id, PATIENCE).await
    }

    /// The bytes of a tile of a ledger that has come so far.
    pub async fn tile(&self, ledger_id: &str, path: TilePath) -> Result<Vec<u8>, TreeError> {
        let mut conn = self.pool.acquire().await?;
        if let Some(tile) = tiles::read(&mut conn, ledger_id, path).await? {
            return Ok(tile);
        }
        drop(conn);
        // Whoever names the tile may know of events that are younger than the tiles.
        self.in_step(ledger_id).await?;
        let mut conn = self.pool.acquire().await?;
        let tile = tiles::read(&mut conn, ledger_id, path).await?;
        tile.ok_or(TreeError::Damaged(path))
    }

    /// As much of the tree over the first `size` events as some proofs need: a handful of tiles, however large it is.
    pub async fn tree(&self, ledger_id: &str, size: u64, plans: &[&ProofPlan]) -> Result<Tree, TreeError> {
        let mut paths: Vec<TilePath> = plans.iter().flat_map(|plan| plan.tiles(size)).collect();
        paths.sort_by_key(|path| (path.level(), path.index()));
        paths.dedup();
        let mut tiles = HashTiles::default();
        for path in paths {
            let bytes = self.tile(ledger_id, path).await?;
            tiles.insert(path, &bytes).map_err(|_| TreeError::Damaged(path))?;
        }
        Ok(Tree { tiles })
    }
}

/// A part of a tree.
pub struct Tree {
    tiles: HashTiles,
}

impl Tree {
    /// The hashes of a plan that the tree was read for; `None` for another.
    pub fn hashes(&self, plan: &ProofPlan) -> Option<Vec<Hash>> {
        plan.build(|subtree| self.tiles.hash_of(subtree))
    }

    /// The only hash of a plan that has one.
    pub fn only(&self, plan: &ProofPlan) -> Option<Hash> {
        self.hashes(plan)?.pop()
    }
}
