//! `vinzy completions`

use std::error::Error;
use std::io::Write;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Answer, Cli};

#[derive(Debug, Args)]
#[command(
    after_help = "Packages have done this already. By hand, for instance:\n\n  vinzy completions bash > \
                        ~/.local/share/bash-completion/completions/vinzy\n  vinzy completions zsh > \"${fpath[1]}/_vinzy\"\n  \
                        vinzy completions fish > ~/.config/fish/completions/vinzy.fish"
)]
pub(super) struct Completions {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> Result<Answer, Box<dyn Error>> {
        let mut script = vec![];
        clap_complete::generate(self.shell, &mut Cli::command(), "vinzy", &mut script);
        std::io::stdout().write_all(&script)?;
        Ok(Answer::Yes)
    }
}
