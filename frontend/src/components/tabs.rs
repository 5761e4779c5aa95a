//! Parts of a page, one of which is shown. Which one stands in the address.

use leptos::prelude::*;

use crate::place::{self, use_query};

/// Links to the parts of this page. The first is what an address without `?tab=` shows.
#[component]
pub fn Tabs(
    /// Name in the address, and words.
    tabs: Vec<(&'static str, &'static str)>,
    #[prop(into)] label: String,
    /// What else of the address stays from part to part.
    #[prop(optional)]
    keep: &'static [&'static str],
) -> impl IntoView {
    let query = StoredValue::new_local(use_query());
    let first = tabs.first().map_or("", |(name, _)| *name);
    let shown = move || {
        query
            .with_value(|query| query.get("tab"))
            .unwrap_or_else(|| first.to_owned())
    };
    let links = tabs.into_iter().map(|(name, words)| {
        let href = move || {
            let _follows_address = shown();
            let tab = (name != first).then(|| name.to_owned());
            place::at(&query.with_value(|query| query.only(keep, &[("tab", tab)])))
        };
        view! {
            <a href=href data-noscroll="true" aria-current=move || (shown() == name).then_some("page")>
                {words}
            </a>
        }
    });
    view! {
        <nav class="tabs" aria-label=label>
            {links.collect_view()}
        </nav>
    }
}
