//! Addresses without a page, and keys without one.

use leptos::prelude::*;

use crate::components::{Empty, LinkButton, Page};
use crate::place;

/// There is no such page.
#[component]
pub fn Missing() -> impl IntoView {
    view! {
        <Page title="No such page">
            <Empty
                title="There is nothing at this address"
                about="It may have been mistyped, or belong to another server."
                children=|| view! { <LinkButton label="To the first page" href=place::at("/") /> }
            />
        </Page>
    }
}

/// The key that somebody logged in with has no page.
#[component]
pub fn Nothing() -> impl IntoView {
    view! {
        <Page title="Nothing to see">
            <Empty
                title="This key has no page here"
                about="It was made for programs, such as one that records usage. Log in with a key that may read."
            />
        </Page>
    }
}
