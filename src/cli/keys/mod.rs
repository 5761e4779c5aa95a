//! `vinzy keys`: making, showing and rotating the server's secrets. Secrets go to standard output and only where
//! they are asked for; what there is to say about them goes to standard error.

mod facts;
mod generate;
mod list;
mod material;
mod rotate;
mod rotate_master;

use std::error::Error;

use clap::{ArgMatches, Args, Subcommand};

use super::Answer;
use material::Sources;

#[derive(Debug, Args)]
pub(super) struct Keys {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make new secrets (offline)
    Generate(generate::Generate),
    /// Show which keys there are, what they are used for, and where they come from; never the keys themselves
    List(Box<list::List>),
    /// Put a new key in front of the present one, which still verifies or opens what it made
    Rotate(Box<rotate::Rotate>),
}

impl Keys {
    /// `matches` are those of the innermost command.
    pub(super) fn run(self, data_dir_given: bool, matches: &ArgMatches) -> Result<Answer, Box<dyn Error>> {
        let arguments: Vec<_> = std::env::args_os().collect();
        let sources = || Sources::new(matches, &arguments);
        match self.action {
            Action::Generate(generate) => Ok(generate.run()),
            Action::List(list) => list.run(data_dir_given, &sources()),
            Action::Rotate(rotate) => rotate.run(data_dir_given, &sources()),
        }
    }
}
