//! What happened, one thing after the other.

use leptos::prelude::*;

use super::icon::Icon;

/// A list of what happened, newest first.
#[component]
pub fn Timeline(#[prop(into)] label: String, children: Children) -> impl IntoView {
    view! {
        <ol class="timeline" aria-label=label>
            {children()}
        </ol>
    }
}

/// One thing that happened.
#[component]
pub fn Happening(
    icon: icondata::Icon,
    /// How it is marked: `good`, `warning`, `bad`, `quiet` or nothing.
    #[prop(optional)]
    tone: &'static str,
    /// The sentence.
    #[prop(into)]
    words: String,
    /// What there is beside it: when, links, details.
    children: Children,
) -> impl IntoView {
    view! {
        <li class=format!("happening {tone}")>
            <span class="sign">
                <Icon icon />
            </span>
            <div>
                <p class="words">{words}</p>
                {children()}
            </div>
        </li>
    }
}
