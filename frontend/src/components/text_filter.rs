//! A filter of lists for exact words, with words to choose from.

use leptos::prelude::*;

use super::field::fresh_id;
use crate::place::use_query;

/// A word that the list is filtered by, once it is typed to its end or chosen.
#[component]
pub fn TextFilter(
    name: &'static str,
    #[prop(into)] label: String,
    /// What is likely meant.
    #[prop(into)]
    suggestions: Signal<Vec<String>>,
) -> impl IntoView {
    let query = use_query();
    let value = query.signal(name);
    let query = StoredValue::new_local(query);
    let list = fresh_id();
    view! {
        <input
            type="search"
            class="text-filter"
            class:set=move || value.with(Option::is_some)
            aria-label=label.clone()
            placeholder=label
            list=list.clone()
            spellcheck="false"
            autocomplete="off"
            prop:value=move || value.get().unwrap_or_default()
            on:change=move |event| {
                let text = event_target_value(&event).trim().to_owned();
                query.with_value(|query| query.set(&[(name, Some(text))]));
            }
        />
        <datalist id=list>
            {move || {
                suggestions.get().into_iter().map(|one| view! { <option value=one></option> }).collect_view()
            }}
        </datalist>
    }
}
