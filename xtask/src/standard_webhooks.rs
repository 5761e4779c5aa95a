//! The official Python library for Standard Webhooks, which a test verifies deliveries with.

use std::path::PathBuf;

use anyhow::Result;

use crate::python;

/// Where the test looks for the interpreter.
pub(crate) const VARIABLE: &str = "VINZY_TEST_STANDARD_WEBHOOKS_PYTHON";

/// An interpreter that has the library, installed once for this workspace.
pub(crate) fn python() -> Result<PathBuf> {
    let programs = python::environment("standardwebhooks", (3, 8), &["standardwebhooks==1.1.0"])?;
    Ok(programs.join("python"))
}
