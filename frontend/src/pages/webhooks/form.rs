//! A new endpoint, or a change of one.

use leptos::prelude::*;
use vinzy_client::calls;
use vinzy_client::webhooks::{CreateWebhook, NewWebhook, UpdateWebhook, Webhook};

use super::events::{EventsField, Wanted};
use crate::components::{Buttons, Dialog, NumberField, TextArea, TextField};
use crate::fetch::Deed;

/// What a form holds.
#[derive(Clone, Copy)]
struct Content {
    url: RwSignal<String>,
    description: RwSignal<String>,
    wanted: Wanted,
    max_retries: RwSignal<String>,
    timeout: RwSignal<String>,
}

impl Content {
    fn of(webhook: Option<&Webhook>) -> Self {
        let text = |of: fn(&Webhook) -> String| RwSignal::new(webhook.map(of).unwrap_or_default());
        Self {
            url: text(|webhook| webhook.url.clone()),
            description: text(|webhook| webhook.description.clone()),
            wanted: Wanted::of(webhook.map_or(&[], |webhook| &webhook.event_types)),
            max_retries: text(|webhook| {
                webhook
                    .max_retries
                    .map(|tries| tries.to_string())
                    .unwrap_or_default()
            }),
            timeout: text(|webhook| webhook.timeout_seconds.to_string()),
        }
    }

    fn url(self) -> String {
        self.url.get_untracked().trim().to_owned()
    }

    fn creation(self, event_types: Vec<String>) -> CreateWebhook {
        CreateWebhook {
            url: self.url(),
            description: Some(self.description.get_untracked()),
            event_types: Some(event_types),
            secret: None,
            max_retries: whole(self.max_retries),
            timeout_seconds: whole(self.timeout),
        }
    }

    fn change(self, event_types: Vec<String>) -> UpdateWebhook {
        UpdateWebhook {
            url: Some(self.url()),
            description: Some(self.description.get_untracked()),
            event_types: Some(event_types),
            status: None,
            max_retries: Some(whole(self.max_retries)),
            timeout_seconds: whole(self.timeout),
        }
    }
}

/// The whole number in a field; one that is too large stays too large, so that the server says what it may be.
fn whole(text: RwSignal<String>) -> Option<u32> {
    let number: u64 = text.get_untracked().trim().parse().ok()?;
    Some(u32::try_from(number).unwrap_or(u32::MAX))
}

/// The dialog for a new endpoint.
#[component]
pub fn Creation(
    #[prop(into)] open: Signal<bool>,
    #[prop(into)] close: Callback<()>,
    #[prop(into)] created: Callback<NewWebhook>,
) -> impl IntoView {
    let form = move || {
        let content = Content::of(None);
        let deed = Deed::new();
        let send = move |event_types| {
            deed.run(
                calls::webhooks::create(&content.creation(event_types)),
                move |made| created.run(made),
            );
        };
        view! { <Fields content deed send close label="Create webhook" /> }
    };
    view! {
        <Dialog title="New webhook" open close wide=true>
            {form}
        </Dialog>
    }
}

/// The dialog for a change.
#[component]
pub fn Change(
    /// Which endpoint is changed.
    #[prop(into)]
    webhook: Signal<Option<Webhook>>,
    #[prop(into)] close: Callback<()>,
    #[prop(into)] changed: Callback<Webhook>,
) -> impl IntoView {
    let form = move || {
        let webhook = webhook.get_untracked()?;
        let content = Content::of(Some(&webhook));
        let deed = Deed::new();
        let send = move |event_types| {
            let call = calls::webhooks::update(&webhook.id, &content.change(event_types));
            deed.run(call, move |webhook| changed.run(webhook));
        };
        Some(view! { <Fields content deed send close label="Save" /> })
    };
    view! {
        <Dialog title="Edit webhook" open=Signal::derive(move || webhook.with(Option::is_some)) close wide=true>
            {form}
        </Dialog>
    }
}

#[component]
fn Fields(
    content: Content,
    deed: Deed,
    /// Gets which events are wanted.
    #[prop(into)]
    send: Callback<Vec<String>>,
    close: Callback<()>,
    label: &'static str,
) -> impl IntoView {
    let is_nothing_wanted = RwSignal::new(false);
    let of_server = deed.error("event_types");
    let events_error = Signal::derive(move || {
        let own = is_nothing_wanted
            .get()
            .then(|| "Choose at least one, or all events.".to_owned());
        own.or_else(|| of_server.get())
    });
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let patterns = content.wanted.patterns();
        is_nothing_wanted.set(patterns.is_none());
        if let Some(patterns) = patterns {
            send.run(patterns);
        }
    };
    view! {
        <form class="form" on:submit=submit>
            <TextField
                label="URL"
                value=content.url
                kind="url"
                placeholder="https://hooks.example.com/vinzy"
                hint="Where events are sent by POST. It stands in the ledger for good: no secret in it."
                error=deed.error("url")
                required=true
                first=true
                monospaced=true
            />
            <TextArea
                label="Description"
                value=content.description
                hint="For people; it stands in the ledger, too: no personal data."
                error=deed.error("description")
                rows=2
            />
            <EventsField wanted=content.wanted error=events_error />
            <div class="columns">
                <NumberField
                    label="Seconds to answer"
                    value=content.timeout
                    placeholder="10"
                    hint="1 to 60. What takes longer has failed."
                    error=deed.error("timeout_seconds")
                />
                <NumberField
                    label="Further tries"
                    value=content.max_retries
                    placeholder="as the server has it"
                    hint="How often a delivery that failed is tried again, up to 50."
                    error=deed.error("max_retries")
                    min=0
                />
            </div>
            <Buttons label deed cancel=close />
        </form>
    }
}
