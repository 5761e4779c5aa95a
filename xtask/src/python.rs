//! Tools written in Python, in environments of their own under the target directory.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::setup;
use crate::shell::{output, run, succeeds, target};

/// A version of Python: major, minor.
type Version = (u32, u32);

/// An environment that holds packages (`name==version`), made once for this workspace. Gives the directory of its
/// programs.
pub(crate) fn environment(name: &str, oldest: Version, packages: &[&str]) -> Result<PathBuf> {
    let own = target().join("tools").join(name);
    let programs = own.join("bin");
    if holds(&programs, packages) {
        return Ok(programs);
    }
    println!("    installing {}, once", packages.join(", "));
    let python = interpreter(oldest)?;
    let venv = || {
        let mut venv = Command::new(&python);
        venv.args(["-m", "venv", "--clear"]).arg(&own);
        venv
    };
    if !succeeds(&mut venv()) {
        // Debian keeps the half of it in another package.
        setup::install(&["python3-venv"])?;
        run(&mut venv())?;
    }
    let mut pip = Command::new(programs.join("python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    run(pip.args(packages))?;
    Ok(programs)
}

fn holds(programs: &Path, packages: &[&str]) -> bool {
    let mut pip = Command::new(programs.join("python"));
    pip.args(["-m", "pip", "freeze", "--disable-pip-version-check"]);
    output(&mut pip).is_some_and(|held| {
        packages
            .iter()
            .all(|package| held.lines().any(|line| line == *package))
    })
}

/// A Python that is new enough: on the path, of pyenv, of uv, or Debian's.
fn interpreter(oldest: Version) -> Result<PathBuf> {
    if let Some(found) = find(oldest) {
        return Ok(found);
    }
    let installed = setup::install(&["python3-venv"]);
    let (major, minor) = oldest;
    find(oldest).with_context(|| {
        let why = installed.err().map_or_else(String::new, |error| format!(" ({error})"));
        format!(
            "Python {major}.{minor} or newer is missing: none is on the path, none of pyenv's and none of uv's{why}. \
             `pyenv install {major}.{minor}` or `uv python install {major}.{minor}` brings one"
        )
    })
}

fn find(oldest: Version) -> Option<PathBuf> {
    let on_path = (oldest.1..oldest.1 + 8)
        .rev()
        .map(|minor| PathBuf::from(format!("python{}.{minor}", oldest.0)));
    let candidates = std::iter::once(PathBuf::from("python3"))
        .chain(on_path)
        .chain(of_pyenv())
        .chain(of_uv(oldest));
    candidates.into_iter().find(|python| is_new(python, oldest))
}

fn is_new(python: &Path, (major, minor): Version) -> bool {
    let question = format!("import sys; sys.exit(sys.version_info < ({major}, {minor}))");
    succeeds(Command::new(python).args(["-c", &question]))
}

fn of_pyenv() -> Vec<PathBuf> {
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".pyenv"));
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from).or(home);
    let versions = root.and_then(|root| std::fs::read_dir(root.join("versions")).ok());
    let versions = versions.into_iter().flatten().flatten();
    versions
        .map(|version| version.path().join("bin/python3"))
        .collect()
}

fn of_uv((major, minor): Version) -> Option<PathBuf> {
    let mut uv = Command::new("uv");
    uv.args(["python", "find", &format!(">={major}.{minor}")]);
    output(&mut uv).map(PathBuf::from)
}
