//! Every parser of this crate under random attack: bytes, texts, and valid input that was tampered with.
//!
//! What must hold: nothing panics, nothing takes more than linear time, what was signed and then changed is
//! never accepted, and what reads reads the same when it is written again.
//!
//! `PROPTEST_CASES` says how many cases each property gets; `cargo xtask fuzz` runs them at length.

mod attack;
mod json;
mod keys;
mod leases;
mod leaves;
mod notes;
mod size;
mod tiles;
mod values;
mod webhooks;

use proptest::prelude::ProptestConfig;
use proptest::test_runner::FileFailurePersistence;

/// Cases of each property in an ordinary run.
const CASES: u32 = 1_000;

/// As many cases as the environment says, and failed ones kept beside the sources.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok();
    ProptestConfig {
        cases: cases.and_then(|cases| cases.parse().ok()).unwrap_or(CASES),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    }
}
