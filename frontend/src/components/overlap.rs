//! How long a secret of before holds beside a new one.

use leptos::prelude::*;

use super::field::{Choice, ChoiceField};

/// What a field for it begins with: a day.
pub const DAY: &str = "86400";

/// How long the old secret goes on, in seconds; see [`seconds`].
#[component]
pub fn OverlapField(
    /// What the old one goes on doing: `opens`, `signs`.
    does: &'static str,
    value: RwSignal<String>,
    #[prop(into, optional)] error: Signal<Option<String>>,
) -> impl IntoView {
    let choices = vec![
        Choice::new("3600", "For one hour"),
        Choice::new(DAY, "For one day"),
        Choice::new("604800", "For one week"),
        Choice::new("2592000", "For 30 days"),
        Choice::new("0", "Not at all: it has leaked"),
    ];
    view! {
        <ChoiceField
            label=format!("The old secret still {does}")
            value
            choices=Signal::stored(choices)
            hint="Put the new one in place within this time, and nothing is interrupted."
            error
        />
    }
}

/// What the field holds.
pub fn seconds(value: RwSignal<String>) -> Option<u32> {
    value.with_untracked(|value| value.parse().ok())
}
