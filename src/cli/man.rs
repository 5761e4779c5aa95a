//! `vinzy man`

use std::error::Error;
use std::path::PathBuf;

use clap::{Args, CommandFactory};

use super::{Answer, Cli};

#[derive(Debug, Args)]
#[command(
    after_help = "A page for each command: vinzy.1, vinzy-serve.1 and so on. Packages have done this already.\n\n\
                        Example: vinzy man ~/.local/share/man/man1"
)]
pub(super) struct Man {
    /// Directory to write them to; it is made if it is not there
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

impl Man {
    pub(super) fn run(self) -> Result<Answer, Box<dyn Error>> {
        let place = self.directory.display();
        let failed = |error| format!("{place}: {error}");
        std::fs::create_dir_all(&self.directory).map_err(failed)?;
        clap_mangen::generate_to(Cli::command(), &self.directory).map_err(failed)?;
        Ok(Answer::Yes)
    }
}
