//! The documentation as a book. Its pages are those of the repository, where they are: links work on web sites that show
//! Markdown, in the package, and in the book.

mod links;
mod pages;

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::setup;
use crate::shell::{root, target};
use pages::Pages;

const MDBOOK: &str = "0.5.4";

/// Checks that every link leads somewhere and every page is in the book, and builds it: `target/book/html`.
pub(crate) fn build() -> Result<()> {
    let pages = Pages::read(root())?;
    let problems = links::problems(&pages);
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    println!("    {} pages, {} links", pages.len(), pages.links());
    let stage = target().join("book/pages");
    let html = target().join("book/html");
    for old in [&stage, &html] {
        let _ = fs::remove_dir_all(old);
    }
    lay_out(&pages, &stage)?;
    let mdbook = setup::cargo_tool(
        "mdbook",
        MDBOOK,
        &["--no-default-features", "--features", "search"],
    )?;
    let output = Command::new(mdbook)
        .arg("build")
        .arg(&stage)
        .arg("--dest-dir")
        .arg(&html)
        .output()
        .context("mdbook could not be started")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let complaint = ["WARN", "ERROR"].iter().any(|level| said.contains(level));
    ensure!(output.status.success() && !complaint, "mdbook: {said}");
    println!("    {}", html.join("index.html").display());
    Ok(())
}

/// Copies pages, and whatever they link to, to where they stand to each other in the repository: the book's own root is
/// the repository's, so that links out of docs/ lead to pages, too.
fn lay_out(pages: &Pages, stage: &Path) -> Result<()> {
    for file in pages.files() {
        let copy = stage.join(&file);
        fs::create_dir_all(copy.parent().expect("files lie in directories"))?;
        fs::copy(root().join(&file), copy).with_context(|| format!("{}", file.display()))?;
    }
    fs::copy(root().join("docs/book.toml"), stage.join("book.toml"))?;
    fs::write(stage.join("SUMMARY.md"), pages.summary_from_the_root())?;
    Ok(())
}

#[test]
fn links_lead_somewhere_and_every_page_is_in_the_book() {
    let problems = links::problems(&Pages::read(root()).unwrap());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
