//! The reference pages are generated: out of the API's description, the commands, the settings and the schemas of
//! events. What has changed shows as a difference of a committed page.

mod api;
mod cli;
mod events;
mod markdown;
mod settings;

use std::path::{Path, PathBuf};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}

/// Compares a page below docs/ with what it should be, or writes it when told to.
#[track_caller]
fn assert_page(page: &str, text: &str) {
    let path = docs().join(page);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "docs/{page} is not up to date: run `cargo xtask docs` and look at the difference"
    );
}

#[test]
fn the_page_of_the_api_is_the_committed_one() {
    let description = serde_json::to_value(vinzy_engine::http::description()).unwrap();
    let page = api::page(&description, include_str!("../../../src/http/docs/docs.js"));
    for (path, item) in description["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let heading = format!("### `{} {path}`\n", method.to_uppercase());
            assert!(page.contains(&heading), "{heading}");
        }
    }
    assert_page("reference/api.md", &page);
}

#[test]
fn the_page_of_the_commands_is_the_committed_one() {
    assert_page("reference/cli.md", &cli::page(&vinzy_engine::cli::command()));
}

#[test]
fn the_page_of_the_events_is_the_committed_one() {
    assert_page(
        "reference/events.md",
        &events::page(&docs().join("schemas/events")),
    );
}

#[test]
fn the_table_of_the_settings_is_made_of_the_servers_flags() {
    const BEGIN: &str = "<!-- settings: made by `cargo xtask docs` -->\n";
    const END: &str = "<!-- /settings -->";
    let page = std::fs::read_to_string(docs().join("configuration.md")).unwrap();
    let begin = page.find(BEGIN).unwrap() + BEGIN.len();
    let end = page.find(END).unwrap();
    let tables = settings::tables(&vinzy_engine::cli::command());
    let updated = [&page[..begin], tables.as_str(), &page[end..]].concat();
    assert_page("configuration.md", &updated);
}
