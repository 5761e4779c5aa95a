//! The ledger before auditing tools that nobody here wrote (`tests/it/conformance`).

use anyhow::Result;

use crate::python;
use crate::shell::{cargo, run as run_program};

const TOOLS: [&str; 2] = ["aics-tlog==0.2.1", "tlog-scales==0.0.3"];

/// Installs the tools and runs the tests that need them.
pub(crate) fn run() -> Result<()> {
    let programs = python::environment("auditors", (3, 12), &TOOLS)?;
    // With the features that the other tests are built with: nothing has to be built again.
    let tests = [
        "test",
        "--workspace",
        "--test",
        "it",
        "--",
        "--ignored",
        "conformance::",
    ];
    run_program(cargo(tests).env("VINZY_AUDITORS", programs))
}
