//! What was sent to an endpoint, and what became of it.

use std::time::Duration;

use leptos::prelude::*;
use vinzy_client::call::{Page, Part};
use vinzy_client::calls;
use vinzy_client::webhooks::{WebhookDelivery, WebhookStatus};

use super::events;
use super::keep_up::keep_up;
use super::show::State;
use super::words;
use crate::components::{
    Ago, Button, Choice, ChoiceFilter, Column, Empty, Filters, Kind, Pages, Refused, Section, toast,
};
use crate::fetch::{Deed, fetch};
use crate::place::{self, use_query};
use crate::session;

/// What the rows need to be sent again.
#[derive(Clone, Copy)]
struct Again {
    deed: Deed,
    done: Callback<WebhookDelivery>,
}

/// The table of deliveries.
#[component]
pub fn Deliveries(id: Memo<String>, state: State) -> impl IntoView {
    let query = use_query();
    let (status, event_type, after) = (
        query.signal("status"),
        query.signal("event_type"),
        query.signal("after"),
    );
    let question = move || {
        let part = Part {
            page_size: Some(20),
            after: after.get(),
        };
        calls::webhooks::deliveries(
            &id.get(),
            status.get().as_deref(),
            event_type.get().as_deref(),
            &part,
        )
    };
    let deliveries = fetch(question);
    keep_up(deliveries, question, move |page: &Page<WebhookDelivery>| {
        let is_active = state
            .webhook
            .get()
            .is_some_and(|webhook| webhook.status == WebhookStatus::Active);
        let is_waiting = is_active && page.rows.iter().any(words::is_under_way);
        // What else happens is not so urgent.
        Some(Duration::from_secs(if is_waiting { 1 } else { 10 }))
    });
    Effect::new(move |before: Option<()>| {
        state.more.track();
        if before.is_some() {
            deliveries.again();
        }
    });
    let again = Again {
        deed: Deed::new(),
        done: Callback::new(move |delivery: WebhookDelivery| {
            toast(format!("{} is sent again", delivery.event_type));
            deliveries.again();
        }),
    };
    provide_context(again);
    let is_filtered = move || status.with(Option::is_some) || event_type.with(Option::is_some);
    let empty = move || {
        if is_filtered() {
            view! { <Empty title="No delivery found" about="None is of this status and event." /> }.into_any()
        } else {
            view! {
                <Empty
                    title="Nothing sent yet"
                    about="What happens from now on is sent and listed here. Send a test to see whether the receiver answers."
                />
            }
            .into_any()
        }
    };
    view! {
        <Section title="Deliveries" about="Newest event first. What is finished is kept for a while.">
            <Filters names=&["status", "event_type"]>
                <ChoiceFilter name="status" label="Status" choices=Signal::stored(statuses()) />
                <ChoiceFilter name="event_type" label="Event" choices=Signal::stored(event_types()) />
            </Filters>
            <Refused problem=again.deed.problem />
            <Pages
                fetch=deliveries
                label="Deliveries"
                columns=columns
                noun=("delivery", "deliveries")
                href=|delivery: &WebhookDelivery| {
                    place::at(&format!("/webhooks/{}/deliveries/{}", delivery.endpoint_id, delivery.id))
                }
                empty
            />
        </Section>
    }
}

fn statuses() -> Vec<Choice> {
    vec![
        Choice::new("pending", "waiting, or tried again"),
        Choice::new("sending", "sending"),
        Choice::new("success", "delivered"),
        Choice::new("failed", "failed"),
    ]
}

fn event_types() -> Vec<Choice> {
    events::types()
        .into_iter()
        .map(|name| Choice::new(name, name))
        .collect()
}

fn columns() -> Vec<Column<WebhookDelivery>> {
    let again: Again = expect_context();
    let mut columns = vec![
        Column::new("Event", |delivery: &WebhookDelivery| {
            view! { <code title=events::about(&delivery.event_type)>{delivery.event_type.clone()}</code> }
        }),
        Column::new("Status", words::delivery_status),
        Column::new("Answer", |delivery: &WebhookDelivery| {
            let answer = words::answer(delivery.last_response_code, delivery.last_error.as_deref());
            view! { <span title=delivery.last_error.clone()>{answer}</span> }
        }),
        Column::new("Tries", |delivery: &WebhookDelivery| {
            delivery.attempts.to_string()
        })
        .numeric(),
        Column::new("Next try", |delivery: &WebhookDelivery| {
            match delivery.next_retry_at.clone() {
                Some(at) => view! { <Ago at /> }.into_any(),
                None => "\u{2014}".into_any(),
            }
        }),
        Column::new(
            "Recorded",
            |delivery: &WebhookDelivery| view! { <Ago at=delivery.created_at.clone() /> },
        ),
    ];
    if session::may().administer {
        columns.push(
            Column::new("", move |delivery: &WebhookDelivery| {
                retry_button(again, delivery)
            })
            .actions(),
        );
    }
    columns
}

fn retry_button(again: Again, delivery: &WebhookDelivery) -> impl IntoView + use<> {
    let id = delivery.id.clone();
    view! {
        <Button
            kind=Kind::Quiet
            icon=icondata::LuRefreshCw
            icon_only=true
            label=format!("Send {} again", delivery.event_type)
            disabled=again.deed.busy
            press=move |()| again.deed.run(calls::webhooks::retry(&id), move |delivery| again.done.run(delivery))
        />
    }
}
