//! History, sent once more.

use leptos::prelude::*;
use vinzy_client::calls;
use vinzy_client::webhooks::{ReplayWebhook, WebhookReplay};

use super::show::{State, Task};
use crate::components::{
    Button, Buttons, Choice, ChoiceField, Dialog, Kind, NumberField, Refused, TimeField,
};
use crate::fetch::Deed;
use crate::format;

/// The dialog: from where, and then how much is on its way.
#[component]
pub fn Replay(state: State) -> impl IntoView {
    let webhook = state.during(Task::Replay);
    let close = Callback::new(move |()| state.close());
    let content = move || {
        let outcome = RwSignal::new(None::<WebhookReplay>);
        let deed = Deed::new();
        let send = Callback::new(move |replay: ReplayWebhook| {
            if let Some(webhook) = webhook.get_untracked() {
                deed.run(calls::webhooks::replay(&webhook.id, &replay), move |replayed| {
                    outcome.set(Some(replayed));
                    state.more.notify();
                });
            }
        });
        move || match outcome.get() {
            None => view! { <Begin deed send close /> }.into_any(),
            Some(outcome) => view! { <Outcome outcome deed send close /> }.into_any(),
        }
    };
    view! {
        <Dialog title="Replay events" open=Signal::derive(move || webhook.with(Option::is_some)) close>
            {content}
        </Dialog>
    }
}

/// From where.
#[component]
fn Begin(deed: Deed, send: Callback<ReplayWebhook>, close: Callback<()>) -> impl IntoView {
    let by = RwSignal::new("time".to_owned());
    let since = RwSignal::new(format::to_field(&format::days_from_now(-1.0)));
    let position = RwSignal::new("0".to_owned());
    let missing = RwSignal::new(None::<&'static str>);
    let choices = vec![
        Choice::new("time", "a time"),
        Choice::new("position", "a position in the ledger"),
    ];
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let replay = if by.get_untracked() == "time" {
            ReplayWebhook {
                from_position: None,
                since: format::from_field(&since.get_untracked()),
            }
        } else {
            ReplayWebhook {
                from_position: position.get_untracked().trim().parse().ok(),
                since: None,
            }
        };
        let is_whole = replay.since.is_some() || replay.from_position.is_some();
        missing.set((!is_whole).then_some("is needed"));
        if is_whole {
            send.run(replay);
        }
    };
    let error = move |field: &'static str| {
        let of_server = deed.error(field);
        Signal::derive(move || missing.get().map(str::to_owned).or_else(|| of_server.get()))
    };
    let from = move || {
        if by.get() == "time" {
            view! { <TimeField label="Events recorded since" value=since error=error("since") /> }.into_any()
        } else {
            view! {
                <NumberField
                    label="First position"
                    value=position
                    hint="0 is the ledger's beginning."
                    min=0
                    error=error("from_position")
                />
            }
            .into_any()
        }
    };
    view! {
        <form class="form" on:submit=submit>
            <p>
                "All events since then that this webhook wants now are sent once more, with the ids they had. Receivers that remember ids tell them apart from new ones."
            </p>
            <ChoiceField label="Begin at" value=by choices=Signal::stored(choices) />
            {from}
            <Buttons label="Replay" deed cancel=close />
        </form>
    }
}

/// How much, and how to go on when it was too much for once.
#[component]
fn Outcome(
    outcome: WebhookReplay,
    deed: Deed,
    send: Callback<ReplayWebhook>,
    close: Callback<()>,
) -> impl IntoView {
    let said = match outcome.deliveries {
        0 => "There was nothing to send that does not wait already.".to_owned(),
        number => format!(
            "{} on the way.",
            format::counted(number, "delivery is", "deliveries are")
        ),
    };
    let go_on = outcome.next_position.map(|next| {
        let replay = ReplayWebhook {
            from_position: Some(next),
            since: None,
        };
        view! {
            <p>{format!("That was all that fits into one request. It goes on at position {}.", format::count(next))}</p>
            <Button label="Go on from there" busy=deed.busy press=move |()| send.run(replay.clone()) />
        }
    });
    view! {
        <p class="notice good">{said}</p>
        {go_on}
        <Refused problem=deed.problem />
        <footer class="buttons">
            <Button kind=Kind::Primary label="Done" press=move |()| close.run(()) />
        </footer>
    }
}
