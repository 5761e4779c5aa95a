//! Proof, out of tiles, that a ledger continues a checkpoint.

use futures_util::{StreamExt, stream};
use vinzy_events::ledger::{Checkpoint, HashTiles, ProofPlan, verify_consistency};

use crate::Stop;
use crate::message::Kind;
use crate::source::Source;

/// Tiles that are read at a time.
const AHEAD: usize = 8;

/// Proves that the ledger of `new` began as the one of `old`.
pub(crate) async fn continues(source: &Source, old: &Checkpoint, new: &Checkpoint) -> Result<(), Stop> {
    if old.origin != new.origin {
        let problem = format!("this is the ledger {}, before it was {}", new.origin, old.origin);
        return Err(Stop::broken(Kind::History, None, problem));
    }
    let Some(plan) = ProofPlan::consistency(old.size, new.size) else {
        let problem = format!(
            "it is missing: the checkpoint that this browser kept counts {} events, this one {}",
            old.size, new.size
        );
        return Err(Stop::broken(Kind::History, Some(new.size), problem));
    };
    let tiles = stream::iter(plan.tiles(new.size))
        .map(|path| async move { source.tile(path).await.map(|bytes| (path, bytes)) });
    let mut tiles = std::pin::pin!(tiles.buffered(AHEAD));
    let mut hashes = HashTiles::default();
    while let Some(tile) = tiles.next().await {
        let (path, bytes) = tile?;
        hashes
            .insert(path, &bytes)
            .map_err(|error| different(old, &error))?;
    }
    let proof = plan.build(|subtree| hashes.hash_of(subtree));
    let proof = proof.ok_or_else(|| different(old, &"the tiles do not hold what the proof is made of"))?;
    verify_consistency(old.size, new.size, &old.root, &new.root, &proof)
        .map_err(|error| different(old, &error))
}

fn different(old: &Checkpoint, error: &dyn std::fmt::Display) -> Stop {
    let problem = format!(
        "history up to here is not the one that the checkpoint of {} events was signed over ({error})",
        old.size
    );
    Stop::broken(Kind::History, old.size.checked_sub(1), problem)
}
