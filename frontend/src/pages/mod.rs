//! The pages, an area each.

pub mod anomalies;
pub mod api_keys;
pub mod customers;
pub mod ledger;
pub mod license;
pub mod licenses;
pub mod log_in;
pub mod missing;
pub mod overview;
pub mod palette;
pub mod products;
pub mod settings;
pub mod tenants;
pub mod webhooks;

use leptos::prelude::*;

use crate::session;

/// What the root shows: the first page that somebody may see.
pub fn home() -> AnyView {
    let may = session::may();
    if may.read {
        view! { <overview::Overview /> }.into_any()
    } else if may.operate {
        view! { <tenants::Tenants /> }.into_any()
    } else if may.verify {
        view! { <ledger::Ledger /> }.into_any()
    } else {
        view! { <missing::Nothing /> }.into_any()
    }
}

/// What stands at the top of every page.
pub fn top() -> AnyView {
    view! { <palette::Palette /> }.into_any()
}
