//! The toolchain that compiles for the browser.
//!
//! Rustup's when it has the target or can get it, else Debian's and a standard library built from its sources.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result};

use crate::setup;
use crate::shell::{cargo, output, root, run, succeeds, target};

const TARGET: &str = "wasm32-unknown-unknown";

/// Checks that the domain crate and the client build for the browser.
pub(crate) fn check() -> Result<()> {
    let client = "admin,client,webhooks";
    let packages = ["-p", "vinzy-events", "-p", "vinzy-client", "--features", client];
    run(&mut command("check", &packages)?)
}

/// Where [`command`] leaves what it builds with a profile.
pub(crate) fn built(profile: &str) -> PathBuf {
    let directory = if profile == "dev" { "debug" } else { profile };
    directory_of_target().join(TARGET).join(directory)
}

/// Cargo for the browser: a subcommand and its arguments.
pub(crate) fn command(subcommand: &str, arguments: &[&str]) -> Result<Command> {
    static RUSTUP: OnceLock<bool> = OnceLock::new();
    let mut command = if *RUSTUP.get_or_init(|| has_target() || fetch_target()) {
        cargo([subcommand])
    } else {
        debian(subcommand)?
    };
    command
        .args(arguments)
        .args(["--target", TARGET])
        .arg("--target-dir")
        .arg(directory_of_target());
    Ok(command)
}

/// Its own: builds for the browser and for the machine do not wait for each other's lock.
fn directory_of_target() -> PathBuf {
    target().join("web")
}

fn debian(subcommand: &str) -> Result<Command> {
    let (rustc, debian_cargo) = (Path::new("/usr/bin/rustc"), Path::new("/usr/bin/cargo"));
    if !(rustc.exists() && debian_cargo.exists() && Path::new("/usr/lib/rustlib/src").exists()) {
        println!("    rustup cannot get {TARGET}: installing Debian's compiler");
        setup::install(&["rustc-web", "cargo-web", "rust-web-src"])?;
    }
    let mut command = Command::new(debian_cargo);
    command
        .args([subcommand, "-Zbuild-std=std,panic_abort"])
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
    Ok(command)
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
