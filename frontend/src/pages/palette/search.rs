//! What the palette finds: what is here at once, what is on the server once nobody types any more.

use leptos::prelude::*;
use vinzy_client::call::{Call, Page, Part};
use vinzy_client::calls;
use vinzy_client::customers::Customer;
use vinzy_client::licenses::License;
use vinzy_client::products::Product;
use vinzy_events::key::{KeyDigest, normalise};

use super::entry::{self, Entry};
use crate::fetch::{Fetch, fetch_if};
use crate::session::{self, May};

/// So many of a kind.
const FEW: u32 = 6;
/// Shorter texts are not searched for on the server.
const SHORTEST: usize = 2;

/// What is searched for on the server, and what it said.
#[derive(Clone, Copy)]
pub struct Search {
    asked: RwSignal<String>,
    may: May,
    licenses: Fetch<Page<License>>,
    customers: Fetch<Page<Customer>>,
    products: Fetch<Page<Product>>,
}

impl Search {
    /// Searches for a text, and again when it changes.
    pub fn new(asked: RwSignal<String>) -> Self {
        let may = session::may();
        let text =
            move || Some(asked.get().trim().to_owned()).filter(|text| may.read && text.len() >= SHORTEST);
        Self {
            asked,
            may,
            licenses: fetch_if(move || licenses(&text()?)),
            customers: fetch_if(move || {
                let filter = calls::customers::Filter {
                    q: Some(text().filter(|text| !is_part_of_key(text))?),
                    ..calls::customers::Filter::default()
                };
                Some(calls::customers::list(&filter, &few()))
            }),
            products: fetch_if(move || {
                let text = text().filter(|text| !is_part_of_key(text))?;
                Some(calls::products::list(Some(&text), &few()))
            }),
        }
    }

    /// Whether the server has not answered yet.
    pub fn is_waiting(&self, text: &str) -> bool {
        let is_asked = self.asked.with(|asked| asked == text);
        let waits =
            self.licenses.waiting.get() || self.customers.waiting.get() || self.products.waiting.get();
        text.trim().len() >= SHORTEST && self.may.read && (!is_asked || waits)
    }

    /// What fits a text.
    pub fn entries(&self, text: &str) -> Vec<Entry> {
        let here = entry::actions(self.may).into_iter().chain(entry::pages(self.may));
        let mut found: Vec<Entry> = here.filter(|entry| entry.matches(text)).collect();
        if text.trim().is_empty() {
            return found;
        }
        if let Some(position) = text.trim().parse().ok().filter(|_| self.may.verify) {
            found.push(entry::event(position));
        }
        found.extend(
            self.licenses
                .get()
                .unwrap_or_default()
                .rows
                .iter()
                .map(entry::license),
        );
        found.extend(
            self.customers
                .get()
                .unwrap_or_default()
                .rows
                .iter()
                .map(entry::customer),
        );
        found.extend(
            self.products
                .get()
                .unwrap_or_default()
                .rows
                .iter()
                .map(entry::product),
        );
        found
    }
}

fn few() -> Part {
    Part {
        page_size: Some(FEW),
        after: None,
    }
}

/// Licenses are found by their key, which is only sent as a digest, or by how their id begins.
fn licenses(text: &str) -> Option<Call<Page<License>>> {
    let filter = if is_key(text) {
        calls::licenses::Filter {
            key_digest: Some(KeyDigest::of(&normalise(text)).to_string()),
            ..calls::licenses::Filter::default()
        }
    } else if is_id(text) {
        calls::licenses::Filter {
            q: Some(text.to_lowercase()),
            ..calls::licenses::Filter::default()
        }
    } else {
        return None;
    };
    Some(calls::licenses::list(&filter, &few()))
}

/// Whether a text has the form of a license key: a product's code and seven groups of five.
fn is_key(text: &str) -> bool {
    let key = normalise(text);
    let mut groups = key.split('-');
    groups.next().is_some_and(|code| code.len() == 3)
        && groups.clone().count() == 7
        && groups.all(|group| group.len() == 5 && group.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Whether a text can be a piece of a license key: then it is for nobody else. What is typed by hand gets there, too.
fn is_part_of_key(text: &str) -> bool {
    let key = normalise(text);
    let mut groups = key.split('-');
    groups.next().is_some_and(|code| code.len() == 3)
        && groups.next().is_some_and(|group| group.len() == 5)
        && groups.all(|group| group.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Whether an id can begin like this.
fn is_id(text: &str) -> bool {
    text.len() >= 4 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_ids_are_told_from_names() {
        assert!(is_key(" prd-aaaaa-bbbbb-ccccc-ddddd-eeeee-fffff-gggg2 "));
        assert!(!is_key("prd-aaaaa"));
        assert!(is_part_of_key("prd-aaaaa-bb"));
        assert!(!is_part_of_key("prd-a"));
        assert!(!is_key("jane@example.com"));
        assert!(is_id("0190b5a2-7c"));
        assert!(!is_id("jane"));
        assert!(!is_id("ad"));
    }
}
