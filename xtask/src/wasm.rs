//! The domain crate must build for the browser.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::setup;
use crate::shell::{cargo, output, root, run, succeeds, target};

const TARGET: &str = "wasm32-unknown-unknown";

/// Checks `vinzy-events` for wasm32: with rustup's toolchain when it has the target or can get it, else
/// with Debian's and a standard library built from its sources.
pub(crate) fn check() -> Result<()> {
    if has_target() || fetch_target() {
        return run(&mut cargo(["check", "-p", "vinzy-events", "--target", TARGET]));
    }
    println!("    rustup cannot get {TARGET}: using Debian's compiler");
    let (rustc, debian_cargo) = (Path::new("/usr/bin/rustc"), Path::new("/usr/bin/cargo"));
    if !(rustc.exists() && debian_cargo.exists() && Path::new("/usr/lib/rustlib/src").exists()) {
        setup::install(&["rustc-web", "cargo-web", "rust-web-src"])?;
    }
    let mut command = Command::new(debian_cargo);
    command
        .args([
            "check",
            "-Zbuild-std=std,panic_abort",
            "-p",
            "vinzy-events",
            "--target",
            TARGET,
        ])
        .arg("--target-dir")
        .arg(target().join("web"))
        .current_dir(root())
        .env("RUSTC", rustc)
        // Building the standard library is unstable; this lets a stable compiler do it.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker()?);
    for variable in [
        "RUSTUP_TOOLCHAIN",
        "CARGO",
        "RUSTC_WRAPPER",
        "RUSTDOC",
        "CARGO_TARGET_DIR",
    ] {
        command.env_remove(variable);
    }
    run(&mut command)
}

fn has_target() -> bool {
    let directory = output(Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]));
    let entries = directory.and_then(|directory| std::fs::read_dir(directory).ok());
    entries
        .into_iter()
        .flatten()
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
}

fn fetch_target() -> bool {
    succeeds(Command::new("timeout").args(["60", "rustup", "target", "add", TARGET]))
}

/// The linker that comes with rustup's compiler.
fn linker() -> Result<PathBuf> {
    let sysroot =
        output(Command::new("rustc").args(["--print", "sysroot"])).context("rustc has no sysroot")?;
    let version = output(Command::new("rustc").arg("-vV")).context("rustc has no version")?;
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .context("rustc has no host")?;
    Ok(Path::new(&sysroot)
        .join("lib/rustlib")
        .join(host)
        .join("bin/rust-lld"))
}
