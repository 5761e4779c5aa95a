//! The official Python library for Standard Webhooks, which a test verifies deliveries with.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::setup;
use crate::shell::{run, succeeds, target};

const VERSION: &str = "1.1.0";
/// Where the test looks for the interpreter.
pub(crate) const VARIABLE: &str = "VINZY_TEST_STANDARD_WEBHOOKS_PYTHON";

/// An interpreter that has the library, installed once for this workspace.
pub(crate) fn python() -> Result<PathBuf> {
    let own = target().join(format!("tools/standardwebhooks-{VERSION}"));
    let python = own.join("bin/python");
    if succeeds(Command::new(&python).args(["-c", "import standardwebhooks"])) {
        return Ok(python);
    }
    println!("    installing standardwebhooks {VERSION}, once");
    setup::venv(&own)?;
    let mut pip = Command::new(own.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check"]);
    run(pip.arg(format!("standardwebhooks=={VERSION}")))?;
    Ok(python)
}
