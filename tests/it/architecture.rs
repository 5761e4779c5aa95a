//! Who may know whom, checked in the sources.

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn sources(directory: &str) -> Vec<(PathBuf, String)> {
    let mut found = vec![];
    let mut waiting = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(directory)];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "{directory}");
    found
}

#[track_caller]
fn know_nothing_of(directory: &str, forbidden: &[&str]) {
    for (path, text) in sources(directory) {
        for word in forbidden {
            assert!(!text.contains(word), "{} knows of {word}", path.display());
        }
    }
}

#[test]
fn the_domain_knows_nobody() {
    know_nothing_of(
        "events/src",
        &[
            "sqlx",
            "axum",
            "vinzy_projections",
            "vinzy_client",
            "vinzy_engine",
            "std::fs",
            "std::net",
            "Utc::now",
        ],
    );
}

#[test]
fn read_models_know_the_domain_only() {
    know_nothing_of(
        "projections/src",
        &[
            "axum",
            "vinzy_client",
            "vinzy_engine",
            "INTO events",
            "UPDATE events",
            "Utc::now",
        ],
    );
}

#[test]
fn the_client_knows_neither_server_nor_database() {
    know_nothing_of(
        "sdk/rust/src",
        &["sqlx", "axum", "vinzy_engine", "vinzy_projections"],
    );
}

#[test]
fn http_knows_neither_sql_nor_the_ledger() {
    know_nothing_of(
        "src/http",
        &[
            "crate::ledger",
            "sqlx::query",
            "query!",
            "query_as!",
            "query_scalar!",
        ],
    );
}

#[test]
fn commands_and_ledger_know_nothing_of_http() {
    for directory in ["src/commands", "src/ledger", "src/personal_data"] {
        know_nothing_of(directory, &["axum", "crate::http", "StatusCode"]);
    }
}

#[test]
fn entropy_enters_in_one_place() {
    for directory in ["src", "projections/src", "events/src", "sdk/rust/src"] {
        for (path, text) in sources(directory) {
            assert!(
                path.ends_with("src/clock.rs") || !text.contains("rand::"),
                "{}",
                path.display()
            );
        }
    }
}

#[test]
fn only_the_ledger_writes_events() {
    for (path, text) in sources("src").into_iter().chain(sources("projections/src")) {
        if !path.ends_with("ledger/append.rs") {
            assert!(!text.contains("INSERT INTO events"), "{}", path.display());
        }
    }
}
