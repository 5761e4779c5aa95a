//! Licenses: the list of them, and issuing one.

mod bulk;
mod draft;
mod filter;
mod form;
mod issue;
mod issued;
mod list;
mod preview;
mod search;
mod table;

pub use issue::NewLicense;
pub use list::Licenses;
pub use table::CustomersLicenses;

use leptos::prelude::*;
use vinzy_client::call::{Page, Part};
use vinzy_client::calls;
use vinzy_client::products::Product;

use crate::fetch::{Fetch, fetch};

/// Products to choose from: as many as a page of them holds.
fn products() -> Fetch<Page<Product>> {
    fetch(|| {
        let part = Part {
            page_size: Some(100),
            after: None,
        };
        calls::products::list(None, &part)
    })
}

/// Tiers that are likely meant: those that products start with.
fn tiers(products: Fetch<Page<Product>>) -> Signal<Vec<String>> {
    Signal::derive(move || {
        let products = products.get().map(|page| page.rows).unwrap_or_default();
        let mut tiers: Vec<String> = products.into_iter().map(|product| product.default_tier).collect();
        tiers.sort();
        tiers.dedup();
        tiers
    })
}
