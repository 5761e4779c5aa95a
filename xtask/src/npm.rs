//! Packages from npm, fetched once into the target directory. Nothing of theirs is run while they are installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::shell::{run, succeeds, target};

/// The directory of a package's files.
pub(crate) fn package(name: &str, version: &str) -> Result<PathBuf> {
    let own = target().join("tools/npm").join(format!("{name}-{version}"));
    if own.exists() {
        return Ok(own);
    }
    println!("    fetching {name} {version} from npm, once");
    // Not there until it is whole.
    let making = target().join("tools/npm/making").join(name);
    let _ = fs::remove_dir_all(&making);
    fs::create_dir_all(&making)?;
    let archive = format!("{name}-{version}.tgz");
    fetch(name, version, &making.join(&archive))?;
    run(Command::new("tar").args(["-xzf", &archive]).current_dir(&making))?;
    fs::rename(making.join("package"), &own)?;
    Ok(own)
}

/// Whoever set up npm may have set up another registry than its own: it knows how to get there.
fn fetch(name: &str, version: &str, to: &Path) -> Result<()> {
    let address = format!("https://registry.npmjs.org/{name}/-/{name}-{version}.tgz");
    let by_curl = || {
        let mut curl = Command::new("curl");
        curl.args(["-sSfL", "--max-time", "300", "-o"])
            .arg(to)
            .arg(&address);
        succeeds(&mut curl)
    };
    let by_npm = || {
        let directory = to.parent().expect("it lies in a directory");
        succeeds(
            Command::new("npm")
                .args(["pack", &format!("{name}@{version}"), "--silent"])
                .current_dir(directory),
        ) && to.exists()
    };
    ensure!(
        by_npm() || by_curl(),
        "{name} {version} could not be fetched from npm ({address})"
    );
    Ok(())
}
