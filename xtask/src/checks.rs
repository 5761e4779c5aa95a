//! Everything that must hold before a change lands.

use std::process::Command;

use anyhow::Result;

use crate::shell::{cargo, root, run, step};
use crate::{
    book, browser, conformance, dashboard, deb, python_sdk, schemathesis, setup, sqlx, standard_webhooks,
    wasm,
};

const CARGO_DENY: &str = "0.20.2";
const CARGO_MACHETE: &str = "0.9.2";

/// Runs every check, the quick ones first; stops at the first that fails.
pub(crate) fn run_all() -> Result<()> {
    let axe = step("set-up", || setup::postgres().and_then(|()| browser::set_up()))?;
    step("format", || run(&mut cargo(["fmt", "--all", "--check"])))?;
    step("unused dependencies", || {
        let machete = setup::cargo_tool("cargo-machete", CARGO_MACHETE, &[])?;
        run(Command::new(machete).current_dir(root()))
    })?;
    step("book", book::build)?;
    // Before anything that is built from the sources that this marks as changed.
    step("statements described", || sqlx::run(true))?;
    step("lints", || {
        let lints = [
            "clippy",
            "--quiet",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ];
        run(&mut cargo(lints))
    })?;
    step("wasm", wasm::check)?;
    step("dashboard", || dashboard::build(dashboard::Build::Small))?;
    step("build", || {
        run(&mut cargo(["build", "--quiet", "--workspace", "--all-targets"]))
    })?;
    step("tests", || {
        let python = standard_webhooks::python()?;
        run(cargo(["test", "--workspace"])
            .env(standard_webhooks::VARIABLE, python)
            .env(browser::AXE, &axe))
    })?;
    step("Python SDK", python_sdk::run)?;
    step("the ledger before tools that nobody here wrote", conformance::run)?;
    step("package", deb::check)?;
    step("documentation", || {
        let doc = [
            "doc",
            "--quiet",
            "--workspace",
            "--no-deps",
            "--document-private-items",
        ];
        run(cargo(doc).env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    step("licenses and sources of dependencies", deny)?;
    step("the running server against its description", || {
        schemathesis::run(&schemathesis::Extent::default())
    })?;
    println!("\nEverything holds.");
    Ok(())
}

/// Known vulnerabilities are looked up where the database of advisories can be fetched.
fn deny() -> Result<()> {
    let deny = setup::cargo_tool("cargo-deny", CARGO_DENY, &[])?;
    let check = |what: &[&str]| {
        let mut command = Command::new(&deny);
        command.arg("check").args(what).current_dir(root());
        command
    };
    run(&mut check(&["bans", "licenses", "sources"]))?;
    let fetched = crate::shell::succeeds(
        Command::new("timeout")
            .arg("60")
            .arg(&deny)
            .args(["fetch", "db"])
            .current_dir(root()),
    );
    if !fetched {
        println!(
            "    the database of advisories cannot be fetched here: known vulnerabilities are not looked up"
        );
        return Ok(());
    }
    run(&mut check(&["advisories"]))
}

/// Runs the tests in a browser on the dashboard that is there, or on a quick build.
pub(crate) fn in_browser(words: &[String]) -> Result<()> {
    setup::postgres()?;
    let axe = browser::set_up()?;
    if !root().join("frontend/dist/index.html").exists() {
        dashboard::build(dashboard::Build::Quick)?;
    }
    run(cargo(["test", "--workspace", "--test", "e2e", "--"])
        .args(words)
        .env(browser::AXE, axe))
}

/// Writes the `OpenAPI` document, and what is made of the same: their tests do when they are told to.
pub(crate) fn write_openapi() -> Result<()> {
    let tests = ["openapi::", "the_guides_table", "reference::"];
    run(cargo(["test", "--workspace", "--test", "it", "--"])
        .args(tests)
        .env("UPDATE_SNAPSHOTS", "1"))
}

/// Writes the schemas of the events, and the page that is made of them: their tests do when they are told to.
pub(crate) fn write_schemas() -> Result<()> {
    let test = ["the_schemas_are_the_committed_ones"];
    run(cargo(["test", "--workspace", "--test", "schemas", "--"])
        .args(test)
        .env("UPDATE_SNAPSHOTS", "1"))?;
    write_docs()
}

/// Writes the pages of reference: their tests do when they are told to.
pub(crate) fn write_docs() -> Result<()> {
    run(cargo(["test", "--workspace", "--test", "it", "--", "reference::"]).env("UPDATE_SNAPSHOTS", "1"))
}
