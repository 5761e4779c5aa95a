//! What the documentation consists of, and what it links to.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// The table of contents.
pub(crate) const SUMMARY: &str = "docs/SUMMARY.md";

/// A link, as it is written, and the line on which it begins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) target: String,
    pub(crate) line: usize,
}

/// What is to be known of a page.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) links: Vec<Link>,
    /// What its headings can be linked by.
    pub(crate) anchors: BTreeSet<String>,
}

/// All pages, by their paths from the repository's root.
pub(crate) struct Pages {
    root: PathBuf,
    by_path: BTreeMap<PathBuf, Page>,
    summary: String,
}

impl Pages {
    /// Reads everything below docs/, and what is written where people look for it: the README and the changelog of the
    /// repository, and the READMEs of the SDKs.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let mut waiting = vec![root.join("docs")];
        let mut found = vec![root.join("README.md"), root.join("CHANGELOG.md")];
        for sdk in entries(&root.join("sdk"))? {
            found.extend(Some(sdk.join("README.md")).filter(|page| page.exists()));
        }
        while let Some(directory) = waiting.pop() {
            for path in entries(&directory)? {
                if path.is_dir() {
                    waiting.push(path);
                } else if path.extension().is_some_and(|extension| extension == "md") {
                    found.push(path);
                }
            }
        }
        let mut pages = BTreeMap::new();
        for path in found {
            let text = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
            let name = path.strip_prefix(root).expect("found below the root").to_owned();
            pages.insert(name, Page::of(&text));
        }
        Ok(Self {
            root: root.to_owned(),
            by_path: pages,
            summary: fs::read_to_string(root.join(SUMMARY)).context(SUMMARY)?,
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Path, &Page)> {
        self.by_path.iter().map(|(path, page)| (path.as_path(), page))
    }

    pub(crate) fn get(&self, path: &Path) -> Option<&Page> {
        self.by_path.get(path)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_path.len()
    }

    pub(crate) fn links(&self) -> usize {
        self.by_path.values().map(|page| page.links.len()).sum()
    }

    pub(crate) fn is_file(&self, path: &Path) -> bool {
        self.root.join(path).is_file()
    }

    pub(crate) fn is_directory(&self, path: &Path) -> bool {
        self.root.join(path).is_dir()
    }

    /// The pages and all files that they link to.
    pub(crate) fn files(&self) -> BTreeSet<PathBuf> {
        let targets = self.by_path.iter().flat_map(|(path, page)| {
            let places = page
                .links
                .iter()
                .filter_map(move |link| Place::of(path, &link.target));
            places.filter_map(|place| place.path)
        });
        let files = self.by_path.keys().cloned().chain(targets);
        files
            .filter(|path| path != Path::new(SUMMARY) && self.is_file(path))
            .collect()
    }

    /// The table of contents with paths from the root.
    pub(crate) fn summary_from_the_root(&self) -> String {
        let mut text = String::new();
        let mut rest = self.summary.as_str();
        while let Some((before, after)) = rest.split_once("](") {
            let (target, after) = after.split_once(')').unwrap_or((after, ""));
            let path = Place::of(Path::new(SUMMARY), target).and_then(|place| place.path);
            let path = path.map_or_else(|| target.to_owned(), |path| path.to_string_lossy().into_owned());
            text.push_str(&format!("{before}]({path})"));
            rest = after;
        }
        text + rest
    }
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory).with_context(|| format!("{}", directory.display()))?;
    let paths: std::io::Result<Vec<_>> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    Ok(paths?)
}

impl Page {
    pub(crate) fn of(text: &str) -> Self {
        let mut page = Self::default();
        let mut heading: Option<String> = None;
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
        for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(Link {
                        target: dest_url.into_string(),
                        line: 1 + text[..range.start].matches('\n').count(),
                    });
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    let name = anchor(&heading.take().unwrap_or_default());
                    page.anchors.insert(unused(&name, &page.anchors));
                }
                Event::Text(part) | Event::Code(part) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&part);
                    }
                }
                _ => {}
            }
        }
        page
    }
}

/// What a heading is linked by: alike on web sites that show Markdown and in the book.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter_map(|c| match c {
        c if c.is_whitespace() => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
        _ => None,
    });
    kept.collect()
}

/// The same with a number, if a heading before has it.
fn unused(name: &str, taken: &BTreeSet<String>) -> String {
    let numbered = (1..).map(|number| format!("{name}-{number}"));
    let mut names = std::iter::once(name.to_owned()).chain(numbered);
    names
        .find(|name| !taken.contains(name))
        .expect("there are numbers enough")
}

/// Where a link leads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// From the root; nothing if it stays on its page.
    pub(crate) path: Option<PathBuf>,
    pub(crate) anchor: Option<String>,
}

impl Place {
    /// Nothing if the link leads out of the repository.
    pub(crate) fn of(page: &Path, target: &str) -> Option<Self> {
        if target.contains("://") || target.starts_with("mailto:") {
            return None;
        }
        let (path, anchor) = match target.split_once('#') {
            Some((path, anchor)) => (path, Some(anchor.to_owned())),
            None => (target, None),
        };
        let path = if path.is_empty() {
            None
        } else {
            let directory = page.parent().unwrap_or(Path::new(""));
            Some(normal(&directory.join(path))?)
        };
        Some(Self { path, anchor })
    }
}

/// A path without `.` and `..`; nothing if it leads above the root.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                if !normal.pop() {
                    return None;
                }
            }
            Component::Normal(name) => normal.push(name),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(normal)
}
