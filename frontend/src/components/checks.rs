//! Several of many, each with what it means.

use std::collections::BTreeSet;

use leptos::prelude::*;

use super::field::fresh_id;

/// One of many: its value, its words, and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What is kept.
    pub value: String,
    /// What is shown.
    pub label: String,
    /// What it means.
    pub about: String,
}

impl Check {
    /// A check.
    pub fn new(value: impl Into<String>, label: impl Into<String>, about: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            label: label.into(),
            about: about.into(),
        }
    }
}

/// A list to choose from, as many as one likes.
#[component]
pub fn ChecksField(
    #[prop(into)] label: String,
    checks: Vec<Check>,
    chosen: RwSignal<BTreeSet<String>>,
    #[prop(into, optional)] hint: String,
    #[prop(into, optional)] error: Signal<Option<String>>,
) -> impl IntoView {
    let description = fresh_id();
    let rows = checks
        .into_iter()
        .map(|check| view! { <CheckRow check chosen included=Signal::stored(false) /> });
    let described_by = description.clone();
    view! {
        <fieldset class="checks" aria-describedby=described_by>
            <legend>{label}</legend>
            {rows.collect_view()}
            <p class="description" id=description>
                {move || match error.get() {
                    Some(error) => view! { <span class="error">{error}</span> }.into_any(),
                    None => view! { <span>{hint.clone()}</span> }.into_any(),
                }}
            </p>
        </fieldset>
    }
}

/// One row of it. `included` is that another choice holds it already: then it is set, and cannot be taken out.
#[component]
pub fn CheckRow(
    check: Check,
    chosen: RwSignal<BTreeSet<String>>,
    #[prop(into)] included: Signal<bool>,
) -> impl IntoView {
    let id = fresh_id();
    let description = format!("{id}-about");
    let (of_state, value) = (check.value.clone(), check.value);
    let turn = move |event| {
        let is_set = event_target_checked(&event);
        chosen.update(|chosen| {
            if is_set {
                chosen.insert(value.clone());
            } else {
                chosen.remove(&value);
            }
        });
    };
    view! {
        <div class="check">
            <input
                id=id.clone()
                type="checkbox"
                aria-describedby=description.clone()
                prop:checked=move || included.get() || chosen.with(|chosen| chosen.contains(&of_state))
                disabled=included
                on:change=turn
            />
            <label for=id>{check.label}</label>
            <small id=description>{check.about}</small>
        </div>
    }
}
