//! A choice between a few, all of which are seen. It lives in the page's address.

use leptos::prelude::*;

use crate::place::{self, use_query};

/// Links to the same page with another value in its address.
#[component]
pub fn Segments(
    /// Name in the address.
    name: &'static str,
    /// What is chosen, for those who hear it.
    #[prop(into)]
    label: String,
    /// Value in the address, and words.
    choices: Vec<(String, String)>,
    /// What counts when the address says nothing.
    #[prop(into)]
    default: String,
) -> impl IntoView {
    let query = StoredValue::new_local(use_query());
    let default = StoredValue::new(default);
    let chosen = move || {
        let value = query.with_value(|query| query.get(name));
        value.unwrap_or_else(|| default.get_value())
    };
    let links = choices.into_iter().map(|(value, words)| {
        let own = value.clone();
        let href = move || {
            let _follows_address = chosen();
            let change = (name, (value != default.get_value()).then(|| value.clone()));
            place::at(&query.with_value(|query| query.with(&[change])))
        };
        view! {
            <a href=href data-noscroll="true" aria-current=move || (chosen() == own).then_some("true")>
                {words}
            </a>
        }
    });
    view! {
        <nav class="segments" aria-label=label>
            {links.collect_view()}
        </nav>
    }
}
