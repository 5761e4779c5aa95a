//! `vinzy`: the server and its tools.

use std::process::ExitCode;

fn main() -> ExitCode {
    vinzy_engine::cli::run()
}
