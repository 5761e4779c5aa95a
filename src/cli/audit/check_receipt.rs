//! `vinzy audit check-receipt`

use std::fs;
use std::path::PathBuf;

use clap::Args;
use data_encoding::BASE64;
use vinzy_client::audit as wire;
use vinzy_events::ledger::{Hash, Receipt, VerifierKey};

use super::Stop;
use super::source::say_key_is_its_own;

#[derive(Debug, Args)]
pub(super) struct CheckReceipt {
    /// The receipt; `-` reads it from standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The key that the ledger's checkpoints verify with, as you know it; if left out, the one in the receipt
    #[arg(long, value_name = "KEY")]
    vkey: Option<VerifierKey>,
}

impl CheckReceipt {
    pub(super) fn run(self) -> Result<(), Stop> {
        let text = if self.file.as_os_str() == "-" {
            std::io::read_to_string(std::io::stdin())?
        } else {
            fs::read_to_string(&self.file)?
        };
        let receipt: wire::Receipt = serde_json::from_str(&text)?;
        if receipt.version != wire::Receipt::VERSION {
            return Err(Stop::Failed(
                format!("not a receipt of a known version: {}", receipt.version).into(),
            ));
        }
        let own: VerifierKey = receipt.verifier_key.parse().map_err(|error| no(&error))?;
        let key = self.vkey.as_ref().unwrap_or(&own);
        let leaf = BASE64
            .decode(receipt.leaf.as_bytes())
            .map_err(|error| no(&error))?;
        let hashes: Result<Vec<Hash>, _> = receipt.inclusion_proof.iter().map(|hash| hash.parse()).collect();
        let checked = Receipt {
            position: receipt.position,
            leaf: &leaf,
            inclusion_proof: &hashes.map_err(|error| no(&error))?,
            checkpoint: &receipt.checkpoint,
        }
        .check(key);
        let (checkpoint, event) = checked.map_err(|error| no(&error))?;
        println!(
            "proven: position {} of {} is {} of {}, in the history of {} events with the root {} that was signed",
            event.pos,
            checkpoint.origin,
            event.event_type,
            event.recorded_at,
            checkpoint.size,
            checkpoint.root
        );
        if self.vkey.is_none() {
            say_key_is_its_own(key);
        }
        Ok(())
    }
}

fn no(error: &dyn std::fmt::Display) -> Stop {
    Stop::Wrong(format!("NOT PROVEN: {error}"))
}
