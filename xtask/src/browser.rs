//! What browser tests need: a browser, its driver, and axe, which finds what keeps people out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::setup;
use crate::shell::{run, succeeds, target};

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
    axe()
}

/// Axe's script, fetched once from npm.
fn axe() -> Result<PathBuf> {
    let own = target().join("tools/axe");
    let script = own.join(format!("axe-{AXE_VERSION}.js"));
    if script.exists() {
        return Ok(script);
    }
    fs::create_dir_all(&own)?;
    let archive = own.join("axe.tgz");
    let address = format!("https://registry.npmjs.org/axe-core/-/axe-core-{AXE_VERSION}.tgz");
    fetch(&address, &archive)?;
    run(Command::new("tar")
        .args(["-xzf"])
        .arg(&archive)
        .arg("-C")
        .arg(&own)
        .arg("package/axe.min.js"))?;
    fs::rename(own.join("package/axe.min.js"), &script)?;
    Ok(script)
}

/// Whoever set up npm may have set up another registry than its own: it knows how to get there.
fn fetch(address: &str, to: &Path) -> Result<()> {
    let by_curl = || {
        succeeds(
            Command::new("curl")
                .args(["-sSfL", "--max-time", "60", "-o"])
                .arg(to)
                .arg(address),
        )
    };
    let by_npm = || {
        let directory = to.parent().expect("it lies in a directory");
        succeeds(
            Command::new("npm")
                .args(["pack", &format!("axe-core@{AXE_VERSION}"), "--silent"])
                .current_dir(directory),
        ) && fs::rename(directory.join(format!("axe-core-{AXE_VERSION}.tgz")), to).is_ok()
    };
    ensure!(
        by_curl() || by_npm(),
        "axe-core {AXE_VERSION} could not be fetched from npm ({address}): browser tests need it"
    );
    Ok(())
}
