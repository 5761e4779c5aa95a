//! A new secret for an API key.

use leptos::prelude::*;
use vinzy_client::access::{NewApiKey, RotateApiKey};
use vinzy_client::calls;

use super::list::Task;
use crate::components::{Buttons, Dialog, OverlapField, overlap};
use crate::fetch::Deed;

/// The dialog: how long the old secret opens.
#[component]
pub fn Rotation(
    task: RwSignal<Option<Task>>,
    #[prop(into)] close: Callback<()>,
    #[prop(into)] rotated: Callback<NewApiKey>,
) -> impl IntoView {
    let key = Signal::derive(move || {
        task.with(|task| match task {
            Some(Task::Rotate(key)) => Some(key.clone()),
            _ => None,
        })
    });
    let title = Signal::derive(move || {
        key.with(|key| key.as_ref().map(|key| format!("Rotate {}", key.name)))
            .unwrap_or_default()
    });
    let form = move || {
        let deed = Deed::new();
        let overlap = RwSignal::new(overlap::DAY.to_owned());
        let submit = move |event: web_sys::SubmitEvent| {
            event.prevent_default();
            if let Some(key) = key.get_untracked() {
                let rotate = RotateApiKey {
                    overlap_seconds: overlap::seconds(overlap),
                };
                deed.run(calls::api_keys::rotate(&key.id, &rotate), move |new| {
                    rotated.run(new);
                });
            }
        };
        view! {
            <form class="form" on:submit=submit>
                <p>
                    "The key gets a new secret. Its name, its scopes and what it did stay, and for a while both secrets open."
                </p>
                <OverlapField does="opens" value=overlap error=deed.error("overlap_seconds") />
                <Buttons label="Rotate API key" deed cancel=close />
            </form>
        }
    };
    view! {
        <Dialog title open=Signal::derive(move || key.with(Option::is_some)) close>
            {form}
        </Dialog>
    }
}
