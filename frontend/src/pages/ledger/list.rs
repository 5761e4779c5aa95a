//! The events of the ledger, newest first.

use leptos::prelude::*;
use vinzy_client::audit::{LedgerEvent, LedgerEventPage};
use vinzy_client::calls::{self, audit::Filter};
use vinzy_events::stream::event_types;

use super::checkpoint::Newest;
use super::words;
use crate::components::Icon;
use crate::components::{
    Ago, Button, Choice, ChoiceFilter, Column, Empty, Filters, LinkButton, Loaded, NumberField, Page,
    SearchFilter, Table,
};
use crate::fetch::fetch;
use crate::format;
use crate::place::{self, use_go, use_query};

const PAGE: u32 = 50;

/// The page.
#[component]
pub fn Ledger() -> impl IntoView {
    let query = use_query();
    let (kind, stream, before) = (
        query.signal("type"),
        query.signal("stream"),
        query.signal("after"),
    );
    let events = fetch(move || {
        calls::audit::events(&Filter {
            before: before.get().and_then(|before| before.parse().ok()),
            types: kind.get().into_iter().collect(),
            stream_id: stream.get(),
            limit: Some(PAGE),
        })
    });
    let is_filtered = move || kind.with(Option::is_some) || stream.with(Option::is_some);
    let rows = move |page: LedgerEventPage| {
        if page.events.is_empty() && page.next_before.is_some() {
            return view! { <NotYet next=page.next_before size=page.size /> }.into_any();
        }
        if page.events.is_empty() {
            let about = if is_filtered() {
                "No event of this kind or stream stands here."
            } else {
                "Whatever is done from now on is recorded here, for good."
            };
            return view! { <Empty title="No events" about /> }.into_any();
        }
        let newest = page.events.first().map_or(0, |event| event.position);
        let oldest = page.events.last().map_or(0, |event| event.position);
        view! {
            <Table
                label="Events, newest first"
                rows=page.events
                columns=columns()
                href=Some(|event: &LedgerEvent| place::at(&format!("/ledger/{}", event.position)))
                selection=None
            />
            <Older newest oldest size=page.size next=page.next_before />
        }
        .into_any()
    };
    view! {
        <Page
            title="Ledger"
            about="Every fact of your licensing, in the order in which it happened. What stands here is never changed and never taken away, and anybody can check that."
            actions=|| {
                view! { <LinkButton kind=crate::components::Kind::Primary icon=icondata::LuShieldCheck label="Verify in this browser" href=place::at("/ledger/verify") /> }
            }
        >
            <Newest />
            <div class="ledger-bar">
                <Filters names=&["type", "stream"]>
                    <ChoiceFilter name="type" label="Events" choices=Signal::stored(choices()) />
                    <SearchFilter name="stream" label="Stream id, such as a license's" />
                </Filters>
                <Jump />
            </div>
            <Loaded fetch=events view=rows />
        </Page>
    }
}

/// Kinds first, then each type by itself.
fn choices() -> Vec<Choice> {
    let kinds = words::KINDS.map(|(kind, words)| Choice::new(kind, words));
    let types = event_types().map(|name| Choice::new(name, name));
    kinds.into_iter().chain(types).collect()
}

fn columns() -> Vec<Column<LedgerEvent>> {
    vec![
        Column::new("Position", |event: &LedgerEvent| format::count(event.position)),
        Column::new("What", |event: &LedgerEvent| {
            view! {
                <span class="two-lines">
                    <span>{words::sentence(event)}</span>
                    <small>{event.event_type.clone()}</small>
                </span>
            }
        }),
        Column::new("By", words::actor),
        Column::new(
            "When",
            |event: &LedgerEvent| view! { <Ago at=event.recorded_at.clone() /> },
        ),
        Column::new("Hash", |event: &LedgerEvent| {
            let short: String = event.event_hash.chars().take(10).collect();
            view! { <code title=event.event_hash.clone()>{short}</code> }
        }),
    ]
}

/// One question looks at some thousands of events: what is rare may stand further back.
#[component]
fn NotYet(next: Option<u64>, size: u64) -> impl IntoView {
    let query = StoredValue::new_local(use_query());
    let href =
        place::at(&query.with_value(|query| query.with(&[("after", next.map(|next| next.to_string()))])));
    let looked = format::count(next.unwrap_or(0));
    let about = format!(
        "None of these stands from position {looked} to here, of {}.",
        format::counted(size, "event", "events")
    );
    view! {
        <Empty
            title="Nothing so far"
            about
            children=move || view! { <LinkButton label="Look further back" href=href.clone() /> }
        />
    }
}

/// Where in the ledger these are, and the way to older ones.
#[component]
fn Older(newest: u64, oldest: u64, size: u64, next: Option<u64>) -> impl IntoView {
    let query = StoredValue::new_local(use_query());
    let to = move |before: Option<u64>| {
        let before = before.map(|before| before.to_string());
        place::at(&query.with_value(|query| query.with(&[("after", before)])))
    };
    let is_newest = query.with_value(|query| query.get("after")).is_none();
    let words = format!(
        "Positions {} to {} of {}",
        format::count(newest),
        format::count(oldest),
        format::counted(size, "event", "events")
    );
    view! {
        <footer class="pager">
            <p>{words}</p>
            <nav aria-label="Pages of this list">
                {(!is_newest)
                    .then(|| {
                        view! {
                            <a class="button" href=to(None) data-noscroll="true">
                                <Icon icon=icondata::LuChevronsLeft />
                                <span>"Newest"</span>
                            </a>
                        }
                    })}
                {next
                    .map(|next| {
                        view! {
                            <a class="button" rel="next" href=to(Some(next))>
                                <span>"Older"</span>
                                <Icon icon=icondata::LuChevronRight />
                            </a>
                        }
                    })}
            </nav>
        </footer>
    }
}

/// The way to the event at a position.
#[component]
fn Jump() -> impl IntoView {
    let go = StoredValue::new_local(use_go());
    let position = RwSignal::new(String::new());
    let jump = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        if let Ok(position) = position.with_untracked(|text| text.trim().parse::<u64>()) {
            go.with_value(|go| go.to(&format!("/ledger/{position}")));
        }
    };
    view! {
        <form class="jump" on:submit=jump>
            <NumberField label="Position" value=position min=0 placeholder="0" />
            <Button label="Go" submit=true disabled=Signal::derive(move || position.with(String::is_empty)) />
        </form>
    }
}
