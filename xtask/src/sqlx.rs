//! The committed descriptions of all SQL statements, by which they are checked without a database.
//!
//! The macros write them themselves when they are told where and given a database; no tool is needed.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::database::Scratch;
use crate::shell::{root, run as run_program, target};

/// Writes the descriptions, or only checks them.
pub(crate) fn run(check: bool) -> Result<()> {
    let committed = root().join(".sqlx");
    let fresh = target().join("sqlx-fresh");
    let _ = std::fs::remove_dir_all(&fresh);
    std::fs::create_dir_all(&fresh)?;
    describe(&fresh)?;
    let (old, new) = (contents(&committed)?, contents(&fresh)?);
    if check {
        ensure!(
            old == new,
            ".sqlx/ is not up to date: run `cargo xtask sqlx` and commit what it writes"
        );
        return Ok(());
    }
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        std::fs::remove_file(committed.join(name))?;
    }
    std::fs::create_dir_all(&committed)?;
    for (name, content) in &new {
        std::fs::write(committed.join(name), content)?;
    }
    println!("{} statements described", new.len());
    Ok(())
}

fn describe(into: &Path) -> Result<()> {
    let database = Scratch::start()?;
    for migration in migrations()? {
        run_sql(&database.url, &migration)?;
    }
    // Macros run when their crate is compiled, so make cargo think that it must be.
    for source in ["src/lib.rs", "projections/src/lib.rs"] {
        let file = std::fs::File::options().append(true).open(root().join(source))?;
        #[expect(
            clippy::disallowed_methods,
            reason = "a file's time is the machine's business"
        )]
        file.set_modified(std::time::SystemTime::now())?;
    }
    let mut check = Command::new("cargo");
    check.args([
        "check",
        "--quiet",
        "--lib",
        "-p",
        "vinzy-engine",
        "-p",
        "vinzy-projections",
    ]);
    run_program(
        check
            .current_dir(root())
            .env("DATABASE_URL", &database.url)
            .env("SQLX_OFFLINE_DIR", into),
    )
}

fn migrations() -> Result<Vec<std::path::PathBuf>> {
    let mut files: Vec<_> = std::fs::read_dir(root().join("migrations"))?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    Ok(files)
}

fn run_sql(url: &str, file: &Path) -> Result<()> {
    run_program(
        Command::new("psql")
            .args(["--quiet", "--set=ON_ERROR_STOP=1", "--file"])
            .arg(file)
            .arg(url),
    )
}

fn contents(directory: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            Ok((name, std::fs::read(entry.path())?))
        })
        .collect()
}
