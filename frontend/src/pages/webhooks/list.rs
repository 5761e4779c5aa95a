//! The list of endpoints.

use leptos::prelude::*;
use vinzy_client::call::Part;
use vinzy_client::calls;
use vinzy_client::webhooks::{NewWebhook, Webhook};

use super::form::Creation;
use super::words;
use crate::components::{Button, Column, Day, Empty, Kind, Page, Pages, Secret, SecretDialog, toast};
use crate::fetch::fetch;
use crate::place::{self, use_go, use_query};
use crate::session;

/// Where events are sent.
#[component]
pub fn Webhooks() -> impl IntoView {
    let after = use_query().signal("after");
    let webhooks = fetch(move || {
        calls::webhooks::list(&Part {
            page_size: Some(50),
            after: after.get(),
        })
    });
    let is_creating = RwSignal::new(false);
    let secret = RwSignal::new(None::<Secret>);
    let made = StoredValue::new(String::new());
    let go = StoredValue::new_local(use_go());
    let may = session::may();
    let create = move || {
        may.administer.then(|| {
            view! {
                <Button
                    kind=Kind::Primary
                    icon=icondata::LuPlus
                    label="New webhook"
                    press=move |()| is_creating.set(true)
                />
            }
        })
    };
    let created = move |new: NewWebhook| {
        is_creating.set(false);
        toast("Webhook created");
        made.set_value(new.webhook.id.clone());
        secret.set(Some(words::secret(new.secret, &new.webhook)));
        webhooks.again();
    };
    // What comes next is a test, which is sent from there.
    let kept = move |()| go.with_value(|go| go.to(&format!("/webhooks/{}", made.get_value())));
    let empty = move || {
        view! {
            <Empty
                title="No webhooks yet"
                about="A webhook tells another system what happens here, as it happens: a request to an address of yours for each event, signed, and tried again until it arrives."
                children=create
            />
        }
    };
    view! {
        <Page title="Webhooks" about="Where events are sent as they happen." actions=create>
            <Pages
                fetch=webhooks
                label="Webhooks"
                columns=columns
                noun=("webhook", "webhooks")
                href=|webhook: &Webhook| place::of("/webhooks", &webhook.id)
                empty
            />
            <Creation open=is_creating close=move |()| is_creating.set(false) created />
            <SecretDialog secret kept children=words::verifying />
        </Page>
    }
}

fn columns() -> Vec<Column<Webhook>> {
    vec![
        Column::new("URL", |webhook: &Webhook| {
            view! {
                <span class="two-lines">
                    <span class="address">{webhook.url.clone()}</span>
                    <small>{webhook.description.clone()}</small>
                </span>
            }
        }),
        Column::new("Status", |webhook: &Webhook| {
            view! {
                <span title=words::why_silent(webhook).unwrap_or("Events are sent as they happen.")>
                    {words::status(webhook)}
                </span>
            }
        }),
        Column::new("Events", |webhook: &Webhook| {
            view! { <span class="events">{words::events(webhook)}</span> }
        }),
        Column::new(
            "Created",
            |webhook: &Webhook| view! { <Day at=webhook.created_at.clone() /> },
        ),
    ]
}
