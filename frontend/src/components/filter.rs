//! Filters of lists. They live in the page's address: a reload and a shared link show the same rows.

use std::time::Duration;

use leptos::prelude::*;

use super::field::{Choice, options};
use super::icon::Icon;
use crate::place::{Query, use_query};

/// How long nobody types before the list follows.
const PAUSE: Duration = Duration::from_millis(250);

/// A row of filters, with a way to take them all off.
#[component]
pub fn Filters(
    /// Names in the address of what it holds.
    names: &'static [&'static str],
    children: Children,
) -> impl IntoView {
    let query = StoredValue::new_local(use_query());
    let is_set = move || query.with_value(|query| names.iter().any(|name| query.get(name).is_some()));
    let clear = move |_| {
        query.with_value(|query| {
            let none: Vec<_> = names.iter().map(|name| (*name, None)).collect();
            query.set(&none);
        });
    };
    view! {
        <div class="filters" role="search">
            {children()}
            <Show when=is_set>
                <button type="button" class="button quiet" on:click=clear>
                    <Icon icon=icondata::LuX />
                    <span>"Clear filters"</span>
                </button>
            </Show>
        </div>
    }
}

/// A value in the address as a signal that a control can be bound to, and what sets it.
fn bound(name: &'static str) -> (RwSignal<String>, StoredValue<Query, LocalStorage>) {
    let query = use_query();
    let outside = query.signal(name);
    let value = RwSignal::new(outside.get_untracked().unwrap_or_default());
    Effect::new(move |_| {
        let outside = outside.get().unwrap_or_default();
        if value.with_untracked(|value| value.trim() != outside) {
            value.set(outside);
        }
    });
    (value, StoredValue::new_local(query))
}

/// Text to search for.
#[component]
pub fn SearchFilter(
    name: &'static str,
    #[prop(into)] label: String,
    /// Gets what was typed when there is no need to search, e.g. a pasted license key; says whether it took it.
    #[prop(into, optional)]
    take: Option<Callback<String, bool>>,
) -> impl IntoView {
    let (value, query) = bound(name);
    let typed = StoredValue::new(0_u32);
    let search = move |text: String| {
        value.set(text.clone());
        let number = typed.get_value().wrapping_add(1);
        typed.set_value(number);
        set_timeout(
            move || {
                // Gone, or more was typed since.
                if typed.try_get_value() != Some(number) {
                    return;
                }
                let text = text.trim().to_owned();
                if take.is_some_and(|take| take.run(text.clone())) {
                    return;
                }
                query.with_value(|query| query.set(&[(name, Some(text))]));
            },
            PAUSE,
        );
    };
    view! {
        <div class="search-filter">
            <Icon icon=icondata::LuSearch />
            <input
                type="search"
                aria-label=label.clone()
                placeholder=label
                spellcheck="false"
                autocomplete="off"
                prop:value=value
                on:input=move |event| search(event_target_value(&event))
            />
        </div>
    }
}

/// One of several, or all.
#[component]
pub fn ChoiceFilter(
    name: &'static str,
    #[prop(into)] label: String,
    /// Without the one for all, which is made from the label.
    #[prop(into)]
    choices: Signal<Vec<Choice>>,
) -> impl IntoView {
    let (value, query) = bound(name);
    let all = format!("{label}: all");
    let choices = move || {
        let mut every = vec![Choice::new("", all.clone())];
        every.extend(choices.get());
        options(every, value)
    };
    view! {
        <select
            class="choice-filter"
            class:set=move || value.with(|value| !value.is_empty())
            aria-label=label
            on:change=move |event| {
                let chosen = event_target_value(&event);
                value.set(chosen.clone());
                query.with_value(|query| query.set(&[(name, Some(chosen))]));
            }
        >
            {choices}
        </select>
    }
}
