//! A scratch database: the server's own private PostgreSQL, empty, for as long as it is held.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::shell::{cargo, run, target};

/// A running scratch database. Dropping it ends it.
pub(crate) struct Scratch {
    child: Child,
    directory: std::path::PathBuf,
    /// How to connect to it.
    pub(crate) url: String,
}

impl Scratch {
    /// Starts one with the current schema.
    pub(crate) fn start() -> Result<Self> {
        let vinzy = target().join("debug/vinzy");
        if !vinzy.exists() {
            run(&mut cargo(["build", "--bin", "vinzy"]))?;
        }
        // In the temporary directory, which the user that PostgreSQL runs as can reach.
        let directory = std::env::temp_dir().join(format!("vinzy-scratch-{}", std::process::id()));
        let mut child = Command::new(&vinzy)
            .args(["database", "--until-stdin-closes", "--data-dir"])
            .arg(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("`vinzy database` could not be started")?;
        let mut url = String::new();
        let stdout = child.stdout.take().context("its output is piped")?;
        BufReader::new(stdout).read_line(&mut url)?;
        let url = url.trim().to_owned();
        let scratch = Self {
            child,
            directory,
            url,
        };
        ensure!(!scratch.url.is_empty(), "`vinzy database` did not start");
        Ok(scratch)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It ends when its standard input closes.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
