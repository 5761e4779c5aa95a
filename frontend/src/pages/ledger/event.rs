//! One event, and the proof that it stands where it stands.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use serde_json::Value;
use vinzy_client::audit::{LedgerEvent, Receipt};
use vinzy_client::calls;

use super::checkpoint::Download;
use super::receipt::{self, CheckHere};
use super::words;
use crate::components::Icon;
use crate::components::{
    Copy, Detail, Details, Empty, Id, JsonView, LinkButton, Loaded, Moment, Page, Section,
};
use crate::fetch::{Fetch, fetch_if};
use crate::{format, place};

/// The page.
#[component]
pub fn Event() -> impl IntoView {
    let params = use_params_map();
    let position = Memo::new(move |_| params.with(|params| params.get("position")?.parse::<u64>().ok()));
    let event = fetch_if(move || position.get().map(calls::audit::event));
    let receipt = fetch_if(move || position.get().map(calls::audit::receipt));
    let title = Signal::derive(move || {
        position.get().map_or_else(
            || "No such event".to_owned(),
            |position| format!("Event {}", format::count(position)),
        )
    });
    let view = move |event: LedgerEvent| view! { <Whole event receipt /> };
    view! {
        <Page title above=(place::at("/ledger"), "Ledger")>
            {move || {
                if position.get().is_some() {
                    view! { <Loaded fetch=event view /> }.into_any()
                } else {
                    view! { <Empty title="No such event" about="Positions are whole numbers, from 0." /> }.into_any()
                }
            }}
        </Page>
    }
}

#[component]
fn Whole(event: LedgerEvent, receipt: Fetch<Receipt>) -> impl IntoView {
    let position = event.position;
    let title = words::sentence(&event);
    let chain = event.clone();
    let data = Value::Object(event.data.clone());
    let subject = words::subject(&event).map(|(href, label)| view! { <LinkButton label href /> });
    let actor = words::actor(&event);
    let actor_id = (event.actor_name.is_some()).then(|| view! { <small>{event.actor.clone()}</small> });
    view! {
        <Section
            title=title
            actions=move || subject
        >
            <Details>
                <Detail name="Type">
                    <code>{event.event_type.clone()}</code>
                </Detail>
                <Detail name="Recorded">
                    <Moment at=event.recorded_at.clone() />
                </Detail>
                <Detail name="By">
                    <span class="two-lines">
                        <span>{actor}</span>
                        {actor_id}
                    </span>
                </Detail>
                <Detail name="Stream">
                    {format!("{}, event {}", words::stream(&event.stream.stream_type), format::count(event.stream.seq))}
                </Detail>
                <Detail name="Stream id">
                    <Id id=event.stream.id.clone() what="Stream id" />
                </Detail>
                <Detail name="Event id">
                    <Id id=event.event_id.clone() what="Event id" />
                </Detail>
            </Details>
        </Section>
        <Chain event=chain />
        <Section
            title="What it says"
            about="The facts as they were recorded. Personal data are not here: they are sealed, and can be destroyed without touching the ledger."
        >
            <JsonView value=data what="Data" />
        </Section>
        <Proof position receipt />
        <Neighbours position />
    }
}

/// The event's hash, and that of the one before it, on which it was built.
#[component]
fn Chain(event: LedgerEvent) -> impl IntoView {
    let before = match (event.prev_hash, event.position.checked_sub(1)) {
        (Some(hash), Some(before)) => view! {
            <a href=place::at(&format!("/ledger/{before}"))>{format!("Event {}", format::count(before))}</a>
            <code class="hash">{hash}</code>
        }
        .into_any(),
        _ => view! { <span>"Nothing: it is the first event"</span> }.into_any(),
    };
    view! {
        <Section
            title="Its place in the chain"
            about="Each event names the hash of the one before it. Change one, and none after it fits."
        >
            <dl class="chain">
                <div>
                    <dt>"Built on"</dt>
                    <dd>{before}</dd>
                </div>
                <div>
                    <dt>"Its own hash"</dt>
                    <dd>
                        <code class="hash">{event.event_hash.clone()}</code>
                        <Copy text=event.event_hash what="Hash" />
                    </dd>
                </div>
            </dl>
        </Section>
    }
}

/// The receipt: its bytes, its files, its check.
#[component]
fn Proof(position: u64, receipt: Fetch<Receipt>) -> impl IntoView {
    let view = move |receipt: Receipt| {
        let bytes = receipt::leaf(&receipt).unwrap_or_default();
        let length = bytes.len() as u64;
        view! {
            <div class="actions">
                <Download
                    label="Download receipt"
                    call=calls::audit::receipt(position)
                    name=format!("receipt-{position}.json")
                    content=pretty
                />
                <Download
                    label="Download inclusion proof"
                    call=calls::audit::prove_inclusion(position)
                    name=format!("inclusion-proof-{position}.json")
                    content=pretty
                />
                <CheckHere receipt />
            </div>
            <details class="raw">
                <summary>
                    {format!("The event's exact bytes ({})", format::counted(length, "byte", "bytes"))}
                </summary>
                <p class="about">
                    "Canonical JSON (RFC 8785): the hash above is SHA-256 of a zero byte and these bytes."
                </p>
                <div class="json">
                    <Copy text=bytes.clone() what="Bytes" />
                    <pre tabindex="0" class="exact">{bytes}</pre>
                </div>
            </details>
        }
    };
    view! {
        <Section
            title="Proof"
            about="A receipt holds this event, the proof of its place, and a signed checkpoint. Whoever has it can check it without this server, now or in ten years."
        >
            <Loaded fetch=receipt view />
        </Section>
    }
}

fn pretty<T: serde::Serialize>(answer: &T) -> String {
    serde_json::to_string_pretty(answer).unwrap_or_default()
}

/// The ways to the events before and after it.
#[component]
fn Neighbours(position: u64) -> impl IntoView {
    let to = |position: u64| place::at(&format!("/ledger/{position}"));
    view! {
        <nav class="neighbours" aria-label="Neighbours">
            {position
                .checked_sub(1)
                .map(|before| {
                    view! {
                        <a class="button" rel="prev" href=to(before)>
                            <Icon icon=icondata::LuChevronLeft />
                            <span>{format!("Event {}", format::count(before))}</span>
                        </a>
                    }
                })}
            <a class="button next" rel="next" href=to(position + 1)>
                <span>{format!("Event {}", format::count(position + 1))}</span>
                <Icon icon=icondata::LuChevronRight />
            </a>
        </nav>
    }
}
