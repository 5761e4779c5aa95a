//! One endpoint: what it is, what can be done with it, and what was sent to it.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use vinzy_client::calls;
use vinzy_client::webhooks::{UpdateWebhook, Webhook as Endpoint, WebhookDelivery, WebhookStatus};

use super::deliveries::Deliveries;
use super::form::Change;
use super::replay::Replay;
use super::rotate::Rotation;
use super::trial::Trial;
use super::words;
use crate::components::Icon;
use crate::components::{
    Button, Confirm, Detail, Details, Id, Kind, Loaded, Moment, Page, Refused, Section, toast,
};
use crate::fetch::{Deed, Fetch, fetch};
use crate::place::{self, use_go};
use crate::session;

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    Edit,
    Rotate,
    Replay,
    Delete,
}

/// What the parts of the page share.
#[derive(Clone, Copy)]
pub struct State {
    /// The endpoint.
    pub webhook: Fetch<Endpoint>,
    /// What is being done.
    pub task: RwSignal<Option<Task>>,
    /// The test that was sent last.
    pub trial: RwSignal<Option<WebhookDelivery>>,
    /// Is told when there may be new deliveries.
    pub more: Trigger,
}

impl State {
    /// The endpoint while a task is being done.
    pub fn during(self, task: Task) -> Signal<Option<Endpoint>> {
        Signal::derive(move || {
            let is_now = self.task.get() == Some(task);
            is_now.then(|| self.webhook.get()).flatten()
        })
    }

    /// Ends the task.
    pub fn close(self) {
        self.task.set(None);
    }
}

/// The page.
#[component]
pub fn Webhook() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").unwrap_or_default()));
    let state = State {
        webhook: fetch(move || calls::webhooks::get(&id.get())),
        task: RwSignal::new(None),
        trial: RwSignal::new(None),
        more: Trigger::new(),
    };
    Effect::new(move |_| {
        id.track();
        state.close();
        state.trial.set(None);
    });
    let title = Signal::derive(move || {
        state
            .webhook
            .get()
            .map_or("Webhook".to_owned(), |webhook| webhook.url)
    });
    let about = Signal::derive(move || {
        state
            .webhook
            .get()
            .map(|webhook| webhook.description)
            .unwrap_or_default()
    });
    let switch = Deed::new();
    view! {
        <Page
            title
            about
            above=(place::at("/webhooks"), "Webhooks")
            actions=move || view! { <Actions state switch /> }
        >
            <Refused problem=switch.problem />
            <Trial state />
            <Section title="Webhook">
                <Loaded fetch=state.webhook view=shown />
            </Section>
            <Deliveries id state />
            <Change
                webhook=state.during(Task::Edit)
                close=move |()| state.close()
                changed=move |webhook| {
                    toast("Webhook saved");
                    state.webhook.put(webhook);
                    state.close();
                }
            />
            <Rotation state />
            <Replay state />
            <Deletion state />
        </Page>
    }
}

fn shown(webhook: Endpoint) -> impl IntoView {
    let silence = words::why_silent(&webhook).map(|why| {
        view! {
            <p class="notice warning">
                <Icon icon=icondata::LuTriangleAlert />
                <span>{why}</span>
            </p>
        }
    });
    let tries = match webhook.max_retries {
        None => "As often as the server's schedule has it".to_owned(),
        Some(0) => "None: one failure is final".to_owned(),
        Some(tries) => format!("Up to {tries}"),
    };
    let (status, events) = (words::status(&webhook), words::events(&webhook));
    view! {
        <div class="form">
            {silence}
            <Details>
                <Detail name="Status">{status}</Detail>
                <Detail name="Events">
                    <span class="events">{events}</span>
                </Detail>
                <Detail name="Time to answer">{format!("{} s", webhook.timeout_seconds)}</Detail>
                <Detail name="Further tries">{tries}</Detail>
                {webhook
                    .disabled_at
                    .map(|at| view! { <Detail name="Disabled"><Moment at /></Detail> })}
                {webhook
                    .previous_secret_valid_until
                    .map(|at| {
                        view! { <Detail name="Old secret signs, too, until"><Moment at /></Detail> }
                    })}
                <Detail name="Created">
                    <Moment at=webhook.created_at />
                </Detail>
                <Detail name="Id">
                    <Id id=webhook.id what="Webhook id" />
                </Detail>
            </Details>
        </div>
    }
}

/// What can be done.
#[component]
fn Actions(state: State, switch: Deed) -> impl IntoView {
    let may = session::may();
    let test = Deed::new();
    let send_test = move |()| {
        if let Some(webhook) = untrack(|| state.webhook.get()) {
            test.run(calls::webhooks::test(&webhook.id), move |delivery| {
                state.trial.set(Some(delivery));
                state.more.notify();
            });
        }
    };
    let set_status = move |status: WebhookStatus| {
        let Some(webhook) = untrack(|| state.webhook.get()) else {
            return;
        };
        let change = UpdateWebhook {
            status: Some(status),
            ..UpdateWebhook::default()
        };
        switch.run(calls::webhooks::update(&webhook.id, &change), move |webhook| {
            toast(match webhook.status {
                WebhookStatus::Active => "Webhook active: what was kept is sent now",
                WebhookStatus::Paused => "Webhook paused",
                WebhookStatus::Disabled => "Webhook disabled",
            });
            state.webhook.put(webhook);
            state.more.notify();
        });
    };
    let status_button = move || {
        let (label, icon, next) = match state.webhook.get()?.status {
            WebhookStatus::Active => ("Pause", icondata::LuPause, WebhookStatus::Paused),
            WebhookStatus::Paused => ("Resume", icondata::LuPlay, WebhookStatus::Active),
            WebhookStatus::Disabled => ("Enable", icondata::LuPlay, WebhookStatus::Active),
        };
        Some(view! { <Button icon label busy=switch.busy press=move |()| set_status(next) /> })
    };
    let task = move |task: Task| move |()| state.task.set(Some(task));
    let is_there = Memo::new(move |_| state.webhook.get().is_some());
    view! {
        <Show when=move || may.administer && is_there.get()>
            <Refused problem=test.problem />
            <Button kind=Kind::Primary icon=icondata::LuSend label="Send test" busy=test.busy press=send_test />
            {status_button}
            <Button icon=icondata::LuPencil label="Edit" press=task(Task::Edit) />
            <Button icon=icondata::LuRotateCcwKey label="Rotate secret" press=task(Task::Rotate) />
            <Button icon=icondata::LuHistory label="Replay" press=task(Task::Replay) />
            <Button icon=icondata::LuTrash2 label="Delete" press=task(Task::Delete) />
        </Show>
    }
}

#[component]
fn Deletion(state: State) -> impl IntoView {
    let deed = Deed::new();
    let webhook = state.during(Task::Delete);
    let go = StoredValue::new_local(use_go());
    let delete = move |()| {
        if let Some(webhook) = webhook.get_untracked() {
            deed.run(calls::webhooks::delete(&webhook.id), move |()| {
                toast("Webhook deleted");
                go.with_value(|go| go.instead("/webhooks"));
            });
        }
    };
    view! {
        <Confirm
            title="Delete this webhook?"
            open=Signal::derive(move || webhook.with(Option::is_some))
            close=move |()| state.close()
            label="Delete webhook"
            danger=true
            deed
            confirm=delete
        >
            <p>
                "Nothing is sent to it any more, and the list of what was sent goes with it. What waits is not delivered. To stop for a while, pause it instead."
            </p>
        </Confirm>
    }
}
