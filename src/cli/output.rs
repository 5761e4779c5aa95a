//! What goes to the terminal.

use std::error::Error;
use std::process::ExitCode;

/// Says why the program cannot go on, with all causes.
pub(super) fn fail(error: &dyn Error) -> ExitCode {
    eprintln!("vinzy: {error}");
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Some errors repeat their cause in their own text.
        if !said.contains(&text) {
            eprintln!("  because: {text}");
        }
        said = text;
        cause = error.source();
    }
    ExitCode::from(2)
}
