//! Where things are: the dashboard's own addresses, wherever a proxy put it, and the API's beside them.
//!
//! A page's path here begins with `/` and stands below the dashboard's root: `/licenses/…`.

use std::rc::Rc;

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_navigate, use_query_map};
use vinzy_client::call::encoded;

/// The path of the dashboard's root as the browser sees it, without a slash at its end. The server cannot know it when a
/// proxy strips a part of it; the page's `<base>`, which is relative, does.
pub fn root() -> String {
    let base = document().base_uri().ok().flatten().unwrap_or_default();
    let path = web_sys::Url::new(&base).map_or_else(|_| "/".to_owned(), |url| url.pathname());
    path.trim_end_matches('/').to_owned()
}

/// Address of something in the API, which has the dashboard as its `/dashboard`.
pub fn api(path: &str) -> String {
    let root = root();
    let api = root.strip_suffix("/dashboard").unwrap_or(&root);
    format!("{api}{path}")
}

/// Address of a page, for links.
pub fn at(path: &str) -> String {
    format!("{}{path}", root())
}

/// Address of a page about one thing.
pub fn of(list: &str, id: &str) -> String {
    at(&format!("{list}/{}", encoded(id)))
}

/// The path of the page that is shown, below the root.
pub fn here() -> String {
    let path = window().location().pathname().unwrap_or_default();
    path.strip_prefix(&root()).unwrap_or(&path).to_owned()
}

/// Goes to pages. To be asked for while a component is made.
#[derive(Clone)]
pub struct Go(Rc<Navigate>);

type Navigate = dyn Fn(&str, NavigateOptions);

impl Go {
    /// Goes to a page.
    pub fn to(&self, path: &str) {
        (self.0)(&at(path), Self::options(false));
    }

    /// As [`Go::to`]; the page that is left is not in the browser's history.
    pub fn instead(&self, path: &str) {
        (self.0)(&at(path), Self::options(true));
    }

    /// Paths are whole already: the router must not put its base before them again.
    fn options(replace: bool) -> NavigateOptions {
        NavigateOptions {
            resolve: false,
            replace,
            scroll: !replace,
            ..NavigateOptions::default()
        }
    }
}

/// What goes to pages.
pub fn use_go() -> Go {
    let navigate = use_navigate();
    Go(Rc::new(move |path, options| navigate(path, options)))
}

/// What stands in the address of the page behind its question mark: filters, tabs, cursors. An empty value is none.
#[derive(Clone)]
pub struct Query {
    go: Go,
    map: Memo<leptos_router::params::ParamsMap>,
}

impl Query {
    /// A value; follows the address.
    pub fn get(&self, name: &str) -> Option<String> {
        self.map
            .with(|map| map.get(name).filter(|value| !value.is_empty()))
    }

    /// A value as it is now.
    pub fn now(&self, name: &str) -> Option<String> {
        let now = self.map.get_untracked().get(name);
        now.filter(|value| !value.is_empty())
    }

    /// A value as a signal.
    pub fn signal(&self, name: &'static str) -> Memo<Option<String>> {
        let map = self.map;
        Memo::new(move |_| map.with(|map| map.get(name).filter(|value| !value.is_empty())))
    }

    /// Sets values; what is `None` or empty goes. Every other value stays, but not the cursor, which belongs to the
    /// filters as they were.
    pub fn set(&self, changes: &[(&str, Option<String>)]) {
        let path = self.with(changes);
        self.go.instead(&path);
    }

    /// The address that [`Query::set`] leads to, below the root.
    pub fn with(&self, changes: &[(&str, Option<String>)]) -> String {
        self.made(|name| name != "after", changes)
    }

    /// An address of this page that has `changes` and, of what stands there now, no more than `keep`.
    pub fn only(&self, keep: &[&str], changes: &[(&str, Option<String>)]) -> String {
        self.made(|name| keep.contains(&name), changes)
    }

    fn made(&self, stays: impl Fn(&str) -> bool, changes: &[(&str, Option<String>)]) -> String {
        let mut pairs: Vec<(String, String)> = self
            .map
            .get_untracked()
            .into_iter()
            .map(|(name, value)| (name.into_owned(), value))
            .filter(|(name, _)| stays(name) && changes.iter().all(|(changed, _)| changed != name))
            .collect();
        for (name, value) in changes {
            if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
                pairs.push(((*name).to_owned(), value.clone()));
            }
        }
        let pairs: Vec<String> = pairs
            .iter()
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect();
        let here = here();
        if pairs.is_empty() {
            here
        } else {
            format!("{here}?{}", pairs.join("&"))
        }
    }
}

/// The query of the page that is shown. To be asked for while a component is made.
pub fn use_query() -> Query {
    Query {
        go: use_go(),
        map: use_query_map(),
    }
}
