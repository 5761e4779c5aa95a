//! The program under test as a process, and what it costs.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How often memory is looked at.
const PULSE: Duration = Duration::from_millis(10);

/// The program, with a data directory and without the settings of whoever runs the benchmark.
pub(crate) fn vinzy(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vinzy"));
    command.env_remove("VINZY_DB_URL").env("VINZY_DATA_DIR", data_dir);
    command
}

/// How much memory a process holds, in bytes.
pub(crate) fn resident(process_id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process_id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kilobytes * 1024)
}

/// What a command cost.
pub(crate) struct Cost {
    pub(crate) took: Duration,
    /// Memory at its highest in the first quarter of that time, in bytes.
    pub(crate) early: u64,
    /// Memory at its highest, in bytes.
    pub(crate) peak: u64,
}

/// Runs a command of the program beside the server on its private database.
pub(crate) fn run(data_dir: &Path, arguments: &[&str]) -> Cost {
    let url = format!(
        "postgres://vinzy@localhost/vinzy?host={}",
        data_dir.join("run").display()
    );
    let start = Instant::now();
    let mut child = vinzy(data_dir)
        .args(arguments)
        .env("VINZY_DB_URL", url)
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut memory = vec![];
    let status = loop {
        if let Some(status) = child.try_wait().expect("it is ours") {
            break status;
        }
        memory.extend(resident(child.id()).map(|bytes| (start.elapsed(), bytes)));
        std::thread::sleep(PULSE);
    };
    let took = start.elapsed();
    assert!(status.success(), "vinzy {}: {status}", arguments.join(" "));
    let highest = |until: Duration| {
        let so_far = memory.iter().take_while(|(at, _)| *at <= until);
        so_far.map(|(_, bytes)| *bytes).max().unwrap_or(0)
    };
    Cost {
        took,
        early: highest(took / 4),
        peak: highest(took),
    }
}
