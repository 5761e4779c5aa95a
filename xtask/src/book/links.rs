//! Links that lead nowhere, and pages that no reader would find.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::pages::{Link, Pages, Place, SUMMARY};

/// Pages that are not in the book, and why: none but its table of contents.
const NOT_IN_THE_BOOK: [&str; 1] = [SUMMARY];

fn is_excepted(path: &Path) -> bool {
    NOT_IN_THE_BOOK.iter().any(|other| path == Path::new(other))
}

/// What is wrong, a line for each.
pub(crate) fn problems(pages: &Pages) -> Vec<String> {
    let mut problems = vec![];
    for (path, page) in pages.iter() {
        for link in &page.links {
            if let Err(problem) = follow(pages, path, link) {
                problems.push(format!("{}:{}: {problem}", path.display(), link.line));
            }
        }
    }
    problems.extend(missing(pages));
    problems.extend(unnamed(pages));
    problems
}

fn follow(pages: &Pages, page: &Path, link: &Link) -> Result<(), String> {
    let target = &link.target;
    if target.contains("://") || target.starts_with("mailto:") {
        return outside(target);
    }
    let place = Place::of(page, target).ok_or_else(|| format!("{target} leads out of the repository"))?;
    let path = place.path.as_deref().unwrap_or(page);
    if pages.is_directory(path) {
        return Err(format!("{target} is a directory: link to a page or a file in it"));
    }
    if !pages.is_file(path) {
        return Err(format!("{target}: there is no such file"));
    }
    if is_excepted(path) {
        return Err(format!("{target} is no page of the book"));
    }
    match (place.anchor, pages.get(path)) {
        (None, _) => Ok(()),
        (Some(anchor), Some(page)) if page.anchors.contains(&anchor) => Ok(()),
        (Some(anchor), Some(_)) => Err(format!("{target}: {} has no heading #{anchor}", path.display())),
        (Some(_), None) => Err(format!("{target}: {} is no page that is checked", path.display())),
    }
}

/// Of other web sites only that it could be an address: nothing is fetched.
fn outside(target: &str) -> Result<(), String> {
    let address = target
        .strip_prefix("https://")
        .or_else(|| target.strip_prefix("http://"))
        .or_else(|| target.strip_prefix("mailto:"));
    let host = address.and_then(|rest| rest.split(['/', '?', '#']).next());
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-:@_+".contains(c);
    match host {
        Some(host) if !host.is_empty() && host.chars().all(plain) && target.is_ascii() => Ok(()),
        _ => Err(format!("{target} is no address")),
    }
}

/// Pages that the page which leads their directory does not name: its README.
fn unnamed(pages: &Pages) -> Vec<String> {
    let leads =
        |path: &Path| path.starts_with("docs") && path.file_name().is_some_and(|name| name == "README.md");
    let mut problems = vec![];
    for (lead, page) in pages.iter().filter(|(path, _)| leads(path)) {
        let named: BTreeSet<PathBuf> = page
            .links
            .iter()
            .filter_map(|link| Place::of(lead, &link.target)?.path)
            .collect();
        let siblings = pages.iter().map(|(path, _)| path);
        for path in siblings.filter(|path| path.parent() == lead.parent() && *path != lead) {
            if !named.contains(path) {
                problems.push(format!("{} does not link to {}", lead.display(), path.display()));
            }
        }
    }
    problems
}

/// Pages that are not in the table of contents, or twice.
fn missing(pages: &Pages) -> Vec<String> {
    let mut listed = BTreeSet::<PathBuf>::new();
    let mut problems = vec![];
    let contents = pages.get(Path::new(SUMMARY));
    for link in contents.iter().flat_map(|page| &page.links) {
        let path = Place::of(Path::new(SUMMARY), &link.target).and_then(|place| place.path);
        let Some(path) = path else {
            problems.push(format!("{SUMMARY}:{}: {} is no page", link.line, link.target));
            continue;
        };
        if !listed.insert(path) {
            problems.push(format!(
                "{SUMMARY}:{}: {} stands there twice",
                link.line, link.target
            ));
        }
    }
    for (path, _) in pages.iter() {
        if !is_excepted(path) && !listed.contains(path) {
            problems.push(format!(
                "{} is not in {SUMMARY}: no reader of the book would find it",
                path.display()
            ));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A repository of these pages.
    fn problems_of(name: &str, files: &[(&str, &str)]) -> Vec<String> {
        let root = std::env::temp_dir().join(format!("vinzy-links-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        for place in ["docs", "sdk"] {
            fs::create_dir_all(root.join(place)).unwrap();
        }
        let always = [
            ("README.md", "# A title"),
            ("CHANGELOG.md", "# Changes\n## Now\n## Now"),
        ];
        for (path, text) in always.iter().chain(files) {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), text).unwrap();
        }
        let problems = problems(&Pages::read(&root).unwrap());
        fs::remove_dir_all(&root).unwrap();
        problems
    }

    const CONTENTS: &str = "[A](../README.md)\n- [B](../CHANGELOG.md)\n- [C](c.md)\n";

    #[test]
    fn what_leads_nowhere_is_found_and_nothing_else() {
        let page = "[a](../README.md#a-title) [b](../CHANGELOG.md#now-1) [c](#what-post-licensesid-does) <https://example.com/x>\n\n\
                    ## What `POST /licenses/{id}` does\n\n`[no](link)`\n\n```\n[nor](this)\n```\n\n\
                    [1](nowhere.md) [2](../README.md#nothing) [3](../../etc/passwd) [4](/docs) [5](http:///x) [6](.) [7](SUMMARY.md#x)\n";
        let problems = problems_of("nowhere", &[("docs/SUMMARY.md", CONTENTS), ("docs/c.md", page)]);
        let begins: Vec<&str> = problems
            .iter()
            .map(|problem| problem.strip_prefix("docs/c.md:11: ").unwrap_or(problem))
            .collect();
        assert_eq!(
            begins,
            [
                "nowhere.md: there is no such file",
                "../README.md#nothing: README.md has no heading #nothing",
                "../../etc/passwd leads out of the repository",
                "/docs leads out of the repository",
                "http:///x is no address",
                ". is a directory: link to a page or a file in it",
                "SUMMARY.md#x is no page of the book",
            ]
        );
    }

    #[test]
    fn pages_that_are_not_in_the_contents_are_found() {
        let twice = format!("{CONTENTS}- [again](c.md)\n");
        let files = [
            ("docs/SUMMARY.md", twice.as_str()),
            ("docs/c.md", ""),
            ("docs/deep/README.md", ""),
            ("docs/deep/down.md", ""),
            ("sdk/python/README.md", ""),
        ];
        let forgotten = problems_of("forgotten", &files);
        let begins = [
            "docs/SUMMARY.md:4: c.md stands there twice",
            "docs/deep/README.md is not in",
            "docs/deep/down.md is not in",
            "sdk/python/README.md is not in",
            "docs/deep/README.md does not link to docs/deep/down.md",
        ];
        assert_eq!(forgotten.len(), begins.len(), "{forgotten:?}");
        for (problem, begin) in forgotten.iter().zip(begins) {
            assert!(problem.starts_with(begin), "{problem}");
        }
    }
}
