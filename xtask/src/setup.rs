//! What the workspace needs of the machine: found, or installed where that is possible.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::shell::{output, run, succeeds, target};

/// Makes sure that PostgreSQL's programs are there. Without them the server downloads some, so their
/// absence is only told.
pub(crate) fn postgres() -> Result<()> {
    if postgres_is_there() {
        return Ok(());
    }
    if can_install() {
        println!("    no PostgreSQL found: installing Debian's");
        // The package would start a server of its own that nobody asked for.
        install(&["postgresql-common"])?;
        let settings = Path::new("/etc/postgresql-common/createcluster.conf");
        std::fs::create_dir_all("/etc/postgresql-common")?;
        std::fs::write(settings, "create_main_cluster = false\n")?;
        install(&["postgresql"])?;
    }
    if !postgres_is_there() {
        println!(
            "    no PostgreSQL found: the server will download one. Where that is not possible, install it \
             (Debian, Ubuntu: apt-get install postgresql)"
        );
    }
    Ok(())
}

/// Installs Debian packages, as root on a machine that has apt.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    if !can_install() {
        bail!(
            "these packages are missing and can only be installed by root with apt: {}",
            packages.join(" ")
        );
    }
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").arg("-qq");
        command
    };
    let wanted = || {
        let mut command = apt();
        command
            .args(["install", "-y", "--no-install-recommends"])
            .args(packages);
        command
    };
    // Package lists may be missing or old.
    if succeeds(&mut wanted()) {
        return Ok(());
    }
    run(apt().arg("update"))?;
    run(&mut wanted())
}

/// Finds a program from crates.io of a version, or builds it once, with these options, into the target directory. Gives
/// the program.
pub(crate) fn cargo_tool(name: &str, version: &str, options: &[&str]) -> Result<std::path::PathBuf> {
    let own = target().join("tools");
    let program = own.join("bin").join(name);
    let is_right = |program: &Path| {
        output(Command::new(program).arg("--version")).is_some_and(|text| text.contains(version))
    };
    if is_right(Path::new(name)) {
        return Ok(name.into());
    }
    if !is_right(&program) {
        println!("    building {name} {version}, once");
        let mut install = Command::new("cargo");
        install
            // Building an optimised one takes longer than it saves.
            .args(["install", "--debug", "--locked", "--quiet", name])
            .args(["--version", version])
            .args(options)
            .arg("--root")
            .arg(&own);
        run(install.env_remove("CARGO_TARGET_DIR"))?;
    }
    Ok(program)
}

fn can_install() -> bool {
    output(Command::new("id").arg("-u")).is_some_and(|id| id == "0")
        && succeeds(Command::new("apt-get").arg("--version"))
}

fn postgres_is_there() -> bool {
    let debian = Path::new("/usr/lib/postgresql");
    let installed = std::fs::read_dir(debian).into_iter().flatten().flatten();
    installed
        .map(|entry| entry.path().join("bin/initdb"))
        .any(|initdb| initdb.exists())
        || succeeds(Command::new("initdb").arg("--version"))
        || output(Command::new("pg_config").arg("--bindir"))
            .is_some_and(|directory| Path::new(&directory).join("initdb").exists())
}
