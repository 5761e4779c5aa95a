//! The Python SDK: its style, its types, and its tests on a running server.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::python;
use crate::shell::{root, run as run_program, target};

/// Checks the SDK. The server must have been built: `target/debug/vinzy`.
pub(crate) fn run() -> Result<()> {
    let packages = packages()?;
    let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
    let programs = python::environment("python-sdk", (3, 9), &packages)?;
    let program = |name: &str| {
        let mut command = Command::new(programs.join(name));
        command.current_dir(directory());
        command
    };
    run_program(program("ruff").args(["check", "."]))?;
    run_program(program("ruff").args(["format", "--check", "."]))?;
    run_program(&mut program("mypy"))?;
    run_program(
        program("python")
            .args(["-m", "pytest", "-q"])
            .env("VINZY_BIN", target().join("debug/vinzy")),
    )
}

fn directory() -> PathBuf {
    root().join("sdk/python")
}

/// The packages that checks need, with their versions: `dev` in `pyproject.toml`, where each has a line of its own.
fn packages() -> Result<Vec<String>> {
    let file = directory().join("pyproject.toml");
    let text =
        std::fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
    let lines = text.lines().skip_while(|line| *line != "dev = [").skip(1);
    let packages: Vec<String> = lines
        .take_while(|line| *line != "]")
        .map(|line| line.trim().trim_matches(['"', ',']).to_owned())
        .collect();
    ensure!(
        !packages.is_empty() && packages.iter().all(|package| package.contains("==")),
        "`dev` in {} must list packages with their versions",
        file.display()
    );
    Ok(packages)
}
