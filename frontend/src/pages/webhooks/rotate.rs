//! A new signing secret.

use leptos::prelude::*;
use vinzy_client::calls;
use vinzy_client::webhooks::{NewWebhook, RotateWebhookSecret};

use super::show::{State, Task};
use super::words;
use crate::components::{Buttons, Dialog, OverlapField, Secret, SecretDialog, overlap};
use crate::fetch::Deed;

/// The dialogs: how long the old secret signs, then the new one.
#[component]
pub fn Rotation(state: State) -> impl IntoView {
    let secret = RwSignal::new(None::<Secret>);
    let webhook = state.during(Task::Rotate);
    let close = Callback::new(move |()| state.close());
    let rotated = move |new: NewWebhook| {
        state.close();
        secret.set(Some(words::secret(new.secret, &new.webhook)));
        state.webhook.put(new.webhook);
    };
    let form = move || {
        let deed = Deed::new();
        let overlap = RwSignal::new(overlap::DAY.to_owned());
        let submit = move |event: web_sys::SubmitEvent| {
            event.prevent_default();
            if let Some(webhook) = webhook.get_untracked() {
                let rotate = RotateWebhookSecret {
                    secret: None,
                    overlap_seconds: overlap::seconds(overlap),
                };
                deed.run(calls::webhooks::rotate(&webhook.id, &rotate), rotated);
            }
        };
        view! {
            <form class="form" on:submit=submit>
                <p>
                    "The receiver gets a new secret to verify with. For a while every delivery is signed with both, so that it can take up the new one without a gap."
                </p>
                <OverlapField does="signs" value=overlap error=deed.error("overlap_seconds") />
                <Buttons label="Rotate secret" deed cancel=close />
            </form>
        }
    };
    view! {
        <Dialog title="Rotate the signing secret" open=Signal::derive(move || webhook.with(Option::is_some)) close>
            {form}
        </Dialog>
        <SecretDialog secret children=words::verifying />
    }
}
