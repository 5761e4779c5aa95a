//! `vinzy audit prove`

use clap::Args;
use data_encoding::BASE64;
use vinzy_client::audit as wire;
use vinzy_events::ledger::{Hash, HashTiles, ProofPlan, Receipt, TileKind, TilePath, split_entries};

use super::Stop;
use super::source::{Ledger, Location};

#[derive(Debug, Args)]
#[command(
    after_help = "Writes a receipt to standard output: the event, the proof, and the signed checkpoint. \
                  `check-receipt` checks it, without the ledger."
)]
pub(super) struct Prove {
    #[command(flatten)]
    location: Location,

    /// Where the event stands in the ledger, from 0
    #[arg(long, value_name = "NUMBER")]
    position: u64,
}

impl Prove {
    pub(super) async fn run(self) -> Result<(), Stop> {
        let ledger = self.location.open().await?;
        ledger.signed_by_told()?;
        let (position, size) = (self.position, ledger.checkpoint.size);
        let beyond = || {
            Stop::Wrong(format!(
                "NOT PROVEN: the checkpoint covers {size} events, up to position {}",
                size.saturating_sub(1)
            ))
        };
        let plan = ProofPlan::inclusion(position, size).ok_or_else(beyond)?;
        let path = TilePath::widest(TileKind::Entries, position / 256, size).ok_or_else(beyond)?;
        let bytes = ledger.tile(path).await?;
        let leaves = split_entries(path, &bytes).map_err(|error| Stop::at(position, error))?;
        let leaf = leaves[usize::try_from(position % 256)?];
        let inclusion_proof = proof(&ledger, &plan, position).await?;
        let receipt = Receipt {
            position,
            leaf,
            inclusion_proof: &inclusion_proof,
            checkpoint: &ledger.note,
        };
        receipt
            .check(&ledger.key)
            .map_err(|error| Stop::at(position, error))?;
        let receipt = wire::Receipt {
            version: wire::Receipt::VERSION.to_owned(),
            verifier_key: ledger.key.to_string(),
            position,
            leaf: BASE64.encode(leaf),
            inclusion_proof: inclusion_proof.iter().map(Hash::to_string).collect(),
            checkpoint: ledger.note,
        };
        println!("{}", serde_json::to_string_pretty(&receipt)?);
        Ok(())
    }
}

/// A proof out of tiles.
async fn proof(ledger: &Ledger, plan: &ProofPlan, position: u64) -> Result<Vec<Hash>, Stop> {
    let mut tiles = HashTiles::default();
    for path in plan.tiles(ledger.checkpoint.size) {
        tiles
            .insert(path, &ledger.tile(path).await?)
            .map_err(|error| Stop::at(position, error))?;
    }
    plan.build(|subtree| tiles.hash_of(subtree))
        .ok_or_else(|| Stop::Failed("the tiles do not hold what the proof is made of".into()))
}
