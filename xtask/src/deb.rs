//! The package for Debian and Ubuntu: the program with its dashboard, its service, manual pages and completions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::shell::{cargo, output, root, run, succeeds, target};
use crate::{dashboard, setup};

const CARGO_DEB: &str = "3.8.0";

/// What is packed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// What users get.
    Release,
    /// The one that tests run: only to see that packing works.
    Debug,
}

impl Program {
    fn path(self) -> PathBuf {
        target().join(match self {
            Self::Release => "release/vinzy",
            Self::Debug => "debug/vinzy",
        })
    }
}

/// Builds everything that is packed, packs it, and gives the package.
pub(crate) fn build(program: Program) -> Result<PathBuf> {
    match program {
        Program::Release => {
            dashboard::build(dashboard::Build::Small)?;
            run(&mut cargo(["build", "--release", "--locked", "--bin", "vinzy"]))?;
        }
        // Built before, with the tests: another build would have other features, and take minutes.
        Program::Debug => ensure!(
            program.path().exists(),
            "there is no target/debug/vinzy: cargo build first"
        ),
    }
    stage(&program.path())?;
    let package = target().join("debian/vinzy-engine.deb");
    fs::create_dir_all(target().join("debian"))?;
    let _ = fs::remove_file(&package);
    let packer = setup::cargo_tool("cargo-deb", CARGO_DEB, &[])?;
    let mut packing = Command::new(packer);
    packing
        .args(["--no-build", "--no-strip", "--quiet", "--output"])
        .arg(&package)
        .current_dir(root());
    if program == Program::Debug {
        // Nobody downloads it.
        packing.arg("--fast");
    }
    run(&mut packing)?;
    ensure!(package.exists(), "{} was not written", package.display());
    println!("    {}", package.display());
    Ok(package)
}

/// Puts the program, its manual pages and completions where the manifest looks for them.
fn stage(vinzy: &Path) -> Result<()> {
    let packaging = root().join("target/packaging");
    let _ = fs::remove_dir_all(&packaging);
    fs::create_dir_all(packaging.join("completions"))?;
    fs::copy(vinzy, packaging.join("vinzy")).with_context(|| format!("{}", vinzy.display()))?;
    run(Command::new(vinzy).arg("man").arg(packaging.join("man")))?;
    for (shell, file) in [("bash", "vinzy.bash"), ("zsh", "_vinzy"), ("fish", "vinzy.fish")] {
        let script = output(Command::new(vinzy).args(["completions", shell]))
            .with_context(|| format!("no completions for {shell}"))?;
        fs::write(packaging.join("completions").join(file), script + "\n")?;
    }
    Ok(())
}

/// Packs, unpacks, and runs what comes out.
pub(crate) fn check() -> Result<()> {
    if !succeeds(Command::new("dpkg-deb").arg("--version")) {
        println!("    skipped: there is no dpkg-deb here to unpack the package with");
        return Ok(());
    }
    let package = build(Program::Debug)?;
    let place = target().join("debian/unpacked");
    let _ = fs::remove_dir_all(&place);
    run(Command::new("dpkg-deb")
        .arg("--extract")
        .arg(&package)
        .arg(&place))?;
    run(Command::new("dpkg-deb")
        .arg("--control")
        .arg(&package)
        .arg(place.join("DEBIAN")))?;
    for file in [
        "usr/bin/vinzy",
        "usr/share/man/man1/vinzy-serve.1.gz",
        "usr/share/bash-completion/completions/vinzy",
        "usr/share/zsh/vendor-completions/_vinzy",
        "usr/share/fish/vendor_completions.d/vinzy.fish",
        "etc/vinzy/vinzy.toml",
        "DEBIAN/conffiles",
    ] {
        ensure!(place.join(file).exists(), "the package lacks {file}");
    }
    let units = [
        "lib/systemd/system/vinzy.service",
        "usr/lib/systemd/system/vinzy.service",
    ];
    ensure!(
        units.iter().any(|unit| place.join(unit).exists()),
        "the package lacks the service"
    );
    for script in ["postinst", "prerm", "postrm"] {
        let path = place.join("DEBIAN").join(script);
        let text = fs::read_to_string(&path).with_context(|| format!("the package lacks {script}"))?;
        ensure!(!text.contains("#DEBHELPER#"), "{script} was not completed");
        ensure!(
            succeeds(Command::new("sh").arg("-n").arg(&path)),
            "{script} is no script"
        );
    }
    let version = output(Command::new(place.join("usr/bin/vinzy")).arg("--version"));
    let version = version.context("what was packed does not run")?;
    println!("    what was packed runs: {version}");
    Ok(())
}
