//! What goes to the terminal: failures, logs.

use std::error::Error;
use std::io::IsTerminal;
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

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

/// Starts logging to standard error.
pub(super) fn start_log(config: &LogConfig) -> Result<(), Box<dyn Error>> {
    // Statements are the database's own business unless asked for.
    let filter = EnvFilter::try_new(format!("sqlx=warn,{}", config.log))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    Ok(())
}
