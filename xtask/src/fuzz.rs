//! The attacks on the parsers (`events/tests/parsers`), at length.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::shell::cargo;

/// Cases of each property in a round: about a minute's worth in all.
const CASES: u64 = 5_000;

/// Attacks for so many minutes, with fresh seeds in every round. What fails is printed, and kept beside the
/// tests, where every later run tries it first.
pub(crate) fn run(minutes: u64) -> Result<()> {
    let wanted = Duration::from_secs(minutes * 60);
    let started = Instant::now();
    let mut cases = 0;
    for round in 1.. {
        let properties = attack()?;
        cases += properties * CASES;
        let seconds = started.elapsed().as_secs();
        println!("round {round}: {properties} properties, {CASES} cases each; {seconds} s so far");
        if started.elapsed() >= wanted {
            break;
        }
    }
    println!("{cases} cases, none of which did what it must not");
    Ok(())
}

/// One round. Gives the number of properties.
fn attack() -> Result<u64> {
    let test = [
        "test",
        "--quiet",
        "-p",
        "vinzy-events",
        "--test",
        "parsers",
        "--",
        "--skip",
        "size::",
    ];
    let mut command = cargo(test);
    command
        .env("PROPTEST_CASES", CASES.to_string())
        .stderr(Stdio::inherit());
    let output = command.output().context("cargo could not be started")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        println!("{text}");
        bail!("an attack succeeded, or the tests could not be built: see above");
    }
    let running = text.lines().find_map(|line| line.strip_prefix("running "));
    let count = running.and_then(|rest| rest.split(' ').next()?.parse().ok());
    count.context("the tests did not say how many they are")
}
