//! `vinzy audit export`

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use vinzy_events::ledger::{TilePath, VerifierKey};

use super::Stop;
use super::source::{CHECKPOINT, Connection, KEY_FILE, Ledger, Source};
use crate::cli::verify::progress_bar;

#[derive(Debug, Args)]
#[command(
    after_help = "The files have the names of the read API: `checkpoint`, `tile/…`; and `vkey`, the ledger's key. \
                  Whoever has them can verify them at any time, without a server."
)]
pub(super) struct Export {
    /// Address of the ledger, BASE/t/{tenant}
    #[arg(long, value_name = "URL")]
    url: String,

    /// Directory to write to; made if it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// The key that its checkpoints verify with, as you know it; if left out, the one that the ledger names
    #[arg(long, value_name = "KEY")]
    vkey: Option<VerifierKey>,

    #[command(flatten)]
    connection: Connection,
}

impl Export {
    pub(super) async fn run(self) -> Result<(), Stop> {
        let source = Source::new(&self.url, self.connection)?;
        let ledger = Ledger::open(source, self.vkey).await?;
        let size = ledger.checkpoint.size;
        let tiles: Vec<TilePath> = TilePath::all(size).collect();
        let bar = progress_bar(&ledger.checkpoint.origin, "tiles");
        bar.set_length(tiles.len() as u64);
        for path in tiles {
            write(&self.out.join(path.to_string()), &ledger.tile(path).await?)?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        write(&self.out.join(KEY_FILE), format!("{}\n", ledger.key).as_bytes())?;
        // Last, so that a checkpoint never stands beside tiles that are not there.
        write(&self.out.join(CHECKPOINT), ledger.note.as_bytes())?;
        println!(
            "{}: {size} events saved in {}",
            ledger.checkpoint.origin,
            self.out.display()
        );
        ledger.say_whose_key();
        Ok(())
    }
}

fn write(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(file, bytes)
}
