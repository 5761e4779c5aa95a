//! One delivery: what was sent, and what came of each try.

use std::time::Duration;

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use vinzy_client::calls;
use vinzy_client::webhooks::{WebhookAttempt, WebhookDeliveryDetail, WebhookStatus};

use super::events;
use super::keep_up::keep_up;
use super::words;
use crate::components::{
    Ago, Badge, Button, Detail, Details, Empty, Id, JsonView, Kind, Loaded, Moment, Page, Refused, Section,
    Tone, toast,
};
use crate::fetch::{Deed, fetch};
use crate::format;
use crate::place;
use crate::session;
use crate::text::capitalized;

/// The page.
#[component]
pub fn Delivery() -> impl IntoView {
    let params = use_params_map();
    let param = move |name: &'static str| {
        Memo::new(move |_| params.with(|params| params.get(name).unwrap_or_default()))
    };
    let (endpoint, id) = (param("id"), param("delivery"));
    let question = move || calls::webhooks::delivery(&id.get());
    let delivery = fetch(question);
    let webhook = fetch(move || calls::webhooks::get(&endpoint.get()));
    keep_up(delivery, question, move |detail: &WebhookDeliveryDetail| {
        let is_active = webhook
            .get()
            .is_some_and(|webhook| webhook.status == WebhookStatus::Active);
        match detail.delivery.status.as_str() {
            "success" | "failed" => None,
            _ if is_active && words::is_under_way(&detail.delivery) => Some(Duration::from_secs(1)),
            _ => Some(Duration::from_secs(10)),
        }
    });
    let title = Signal::derive(move || {
        delivery
            .get()
            .map_or("Delivery".to_owned(), |detail| detail.delivery.event_type)
    });
    let about = Signal::derive(move || {
        webhook
            .get()
            .map(|webhook| format!("To {}", webhook.url))
            .unwrap_or_default()
    });
    let retry = Deed::new();
    let may = session::may();
    let again = move |()| {
        retry.run(calls::webhooks::retry(&id.get_untracked()), move |_| {
            toast("It is sent again");
            delivery.again();
        });
    };
    let actions = move || {
        may.administer.then(|| {
            view! {
                <Button
                    kind=Kind::Primary
                    icon=icondata::LuRefreshCw
                    label="Send again"
                    busy=retry.busy
                    press=again
                />
            }
        })
    };
    view! {
        <Page
            title
            about
            above=(place::of("/webhooks", &endpoint.get_untracked()), "Webhook")
            actions
        >
            <Refused problem=retry.problem />
            <Loaded fetch=delivery view=shown />
        </Page>
    }
}

fn shown(detail: WebhookDeliveryDetail) -> impl IntoView {
    let WebhookDeliveryDetail {
        delivery,
        attempt_log,
    } = detail;
    let status = words::delivery_status(&delivery);
    let answer = words::answer(delivery.last_response_code, delivery.last_error.as_deref());
    let position = delivery
        .payload
        .get("ledger")
        .and_then(|place| place.get("position")?.as_u64());
    let place = position.map(|position| {
        let href = place::at(&format!("/ledger/{position}"));
        view! {
            <Detail name="Stands in the ledger">
                <a href=href>{format!("Position {}", format::count(position))}</a>
            </Detail>
        }
    });
    let next = delivery
        .next_retry_at
        .map(|at| view! { <Detail name="Next try"><Ago at /></Detail> });
    let (created_at, event_id) = (delivery.created_at, delivery.event_id);
    let payload = serde_json::Value::Object(delivery.payload);
    view! {
        <Section title="Delivery" about=events::about(&delivery.event_type).to_owned()>
            <Details>
                <Detail name="Status">{status}</Detail>
                <Detail name="Last answer">{answer}</Detail>
                {next}
                {place}
                <Detail name="Recorded">
                    <Moment at=created_at />
                </Detail>
                <Detail name="Event id, sent as webhook-id">
                    <Id id=event_id what="Event id" />
                </Detail>
            </Details>
        </Section>
        <Section title="Tries" about="Newest first.">
            <Attempts log=attempt_log />
        </Section>
        <Section title="Payload" about="The body of every try, the same bytes each time; only line breaks are added here.">
            <JsonView value=payload what="Payload" />
        </Section>
    }
}

#[component]
fn Attempts(log: Vec<WebhookAttempt>) -> impl IntoView {
    if log.is_empty() {
        return view! { <Empty title="Not tried yet" about="It is sent as soon as it is its turn." /> }
            .into_any();
    }
    let attempts = log.into_iter().rev().map(|attempt| view! { <Attempt attempt /> });
    view! { <ol class="attempts">{attempts.collect_view()}</ol> }.into_any()
}

#[component]
fn Attempt(attempt: WebhookAttempt) -> impl IntoView {
    let tone = if attempt.error.is_none() {
        Tone::Good
    } else {
        Tone::Bad
    };
    let code = words::answer(attempt.response_code, attempt.error.as_deref());
    let took = format!("{} ms", format::count(attempt.duration_ms));
    let to = attempt
        .address
        .map(|address| view! { <span>"to " <code>{address}</code></span> });
    // Of an answer the code says it all.
    let error = attempt.error.filter(|_| attempt.response_code.is_none());
    let error = error.map(|error| view! { <p class="error">{capitalized(&error)}</p> });
    let body = (!attempt.response_body.is_empty()).then(|| {
        view! { <pre tabindex="0" role="group" aria-label="What was answered">{attempt.response_body}</pre> }
    });
    let next = attempt
        .next_retry_at
        .map(|at| view! { <p class="description">"To be tried again " <Moment at /></p> });
    view! {
        <li>
            <p class="attempt-head">
                <strong>{format!("Try {}", attempt.number)}</strong>
                <Badge label=code tone />
                <Moment at=attempt.attempted_at />
                <span>{took}</span>
                {to}
            </p>
            {error}
            {body}
            {next}
        </li>
    }
}
