//! `cargo xtask serve`

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Result, bail};

use crate::shell::{build_server, root, target};
use crate::{dashboard, setup};

/// Sets up, builds, and becomes the server.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    setup::postgres()?;
    println!("Building the dashboard and the server; the first time takes some minutes.");
    // The API works without it, and the page says how to build it.
    if let Err(error) = dashboard::build(dashboard::Build::Small) {
        println!("    no dashboard: {error:#}");
    }
    build_server()?;
    let mut server = Command::new(target().join("debug/vinzy"));
    // Replaces this process, so that signals reach the server itself.
    let error = server.arg("serve").args(arguments).current_dir(root()).exec();
    bail!("the server could not be started: {error}")
}
