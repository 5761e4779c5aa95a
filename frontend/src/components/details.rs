//! What is known of one thing, by name.

use leptos::prelude::*;

/// A list of names and values.
#[component]
pub fn Details(children: Children) -> impl IntoView {
    view! { <dl class="details">{children()}</dl> }
}

/// One of them.
#[component]
pub fn Detail(#[prop(into)] name: String, children: Children) -> impl IntoView {
    view! {
        <div>
            <dt>{name}</dt>
            <dd>{children()}</dd>
        </div>
    }
}
