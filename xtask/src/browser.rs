//! What browser tests need: a browser, its driver, and axe, which finds what keeps people out.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell::succeeds;
use crate::{npm, setup};

/// What the tests find axe's script by.
pub(crate) const AXE: &str = "VINZY_TEST_AXE";
const AXE_VERSION: &str = "4.10.3";

/// Makes sure that a browser and its driver are there, and gives axe's script.
pub(crate) fn set_up() -> Result<PathBuf> {
    let is_there = |program: &str| succeeds(Command::new(program).arg("--version"));
    let browser = ["chromium", "chromium-browser", "google-chrome"];
    if !(browser.into_iter().any(is_there) && is_there("chromedriver")) {
        println!("    no Chromium with its driver found: installing Debian's");
        setup::install(&["chromium", "chromium-driver"])
            .context("browser tests need Chromium and chromedriver")?;
    }
    let axe = npm::package("axe-core", AXE_VERSION).context("browser tests need axe")?;
    Ok(axe.join("axe.min.js"))
}
