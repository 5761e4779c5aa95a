//! Moments: in the viewer's zone, and in UTC on hover.

use leptos::prelude::*;

use crate::format;

/// A moment to the minute.
#[component]
pub fn Moment(#[prop(into)] at: String) -> impl IntoView {
    view! {
        <time datetime=at.clone() title=format::utc(&at)>
            {format::local(&at)}
        </time>
    }
}

/// The day of a moment.
#[component]
pub fn Day(#[prop(into)] at: String) -> impl IntoView {
    view! {
        <time datetime=at.clone() title=format::utc(&at)>
            {format::local_day(&at)}
        </time>
    }
}

/// How long ago or ahead a moment is, as of when it is shown.
#[component]
pub fn Ago(#[prop(into)] at: String) -> impl IntoView {
    view! {
        <time datetime=at.clone() title=format!("{} ({})", format::local(&at), format::utc(&at))>
            {format::relative(&at, format::now())}
        </time>
    }
}
