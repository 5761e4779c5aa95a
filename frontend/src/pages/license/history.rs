//! Everything that ever happened to the license, in words.

use leptos::prelude::*;
use vinzy_client::audit::AuditEntry;
use vinzy_client::call::{Page, Part};
use vinzy_client::calls;

use super::Here;
use super::as_of::{GoBack, is_later};
use super::words::{KINDS, belong_together, tell, tell_run};
use crate::components::{
    Choice, ChoiceFilter, Empty, Filters, Happening, JsonView, Loaded, Moment, Pager, Section, Timeline,
};
use crate::fetch::fetch;
use crate::place::{self, use_query};
use crate::session;

/// The tab.
#[component]
pub fn History(here: Here) -> impl IntoView {
    let query = use_query();
    let (kind, after) = (query.signal("kind"), query.signal("after"));
    let entries = fetch(move || {
        here.follow_changes();
        let part = Part {
            page_size: Some(50),
            after: after.get(),
        };
        calls::audit::of_license(&here.id.get(), kind.get().as_deref(), &part)
    });
    let kinds = KINDS.map(|(name, words)| Choice::new(name, words)).to_vec();
    let view = move |page: Page<AuditEntry>| {
        if page.rows.is_empty() {
            return view! { <Empty title="Nothing of this kind happened" /> }.into_any();
        }
        let shown = page.rows.len() as u64;
        let before = Signal::stored(after.get_untracked().is_none().then_some(0));
        view! {
            <Entries here entries=page.rows />
            <Pager total=page.total next=page.next noun=("event", "events") before shown />
        }
        .into_any()
    };
    view! {
        <Section
            title="History"
            about="Each entry is an event of the ledger, newest first. What comes often is told as one."
        >
            <div class="history-bar">
                <Filters names=&["kind"]>
                    <ChoiceFilter name="kind" label="Kind" choices=kinds />
                </Filters>
                {move || {
                    here.at.track();
                    view! { <GoBack here /> }
                }}
            </div>
            <Loaded fetch=entries view />
        </Section>
    }
}

/// The entries; while the past is shown, those are marked that it does not know.
#[component]
fn Entries(here: Here, entries: Vec<AuditEntry>) -> impl IntoView {
    let runs = runs(entries);
    view! {
        <Timeline label="History, newest first">
            {runs.into_iter().map(|run| view! { <Run here run /> }).collect_view()}
        </Timeline>
    }
}

/// Events that follow each other and are told as one.
fn runs(entries: Vec<AuditEntry>) -> Vec<Vec<AuditEntry>> {
    let mut runs: Vec<Vec<AuditEntry>> = vec![];
    for entry in entries {
        match runs.last_mut() {
            Some(run) if run.last().is_some_and(|last| belong_together(last, &entry)) => run.push(entry),
            _ => runs.push(vec![entry]),
        }
    }
    runs
}

#[component]
fn Run(here: Here, run: Vec<AuditEntry>) -> impl IntoView {
    let Some(newest) = run.first().cloned() else {
        return ().into_any();
    };
    let told = tell(&newest);
    let (position, recorded_at) = (newest.position, newest.created_at.clone());
    let later = move || {
        here.at
            .get()
            .is_some_and(|at| is_later(&at, position, &recorded_at))
    };
    let words = if run.len() > 1 {
        tell_run(&run)
    } else {
        told.sentence
    };
    let oldest = run
        .last()
        .filter(|_| run.len() > 1)
        .map(|oldest| oldest.created_at.clone());
    let changes = (!told.changes.is_empty()).then(|| {
        let lines = told
            .changes
            .into_iter()
            .map(|line| view! { <li>{line}</li> })
            .collect_view();
        view! { <ul class="changes">{lines}</ul> }
    });
    let rest = if run.len() > 1 {
        let count = run.len();
        view! {
            <Fold summary=format!("Show all {count}")>
                <ul class="run">
                    {run.iter()
                        .map(|entry| {
                            let entry = entry.clone();
                            view! {
                                <li>
                                    <p>{tell(&entry).sentence}</p>
                                    <Foot entry />
                                </li>
                            }
                        })
                        .collect_view()}
                </ul>
            </Fold>
        }
        .into_any()
    } else {
        view! { <Raw entry=newest.clone() /> }.into_any()
    };
    view! {
        <Happening icon=icon(&newest.event_type) tone=told.tone words>
            {changes}
            <p class="foot">
                {oldest.map(|at| view! { <Moment at /> " to " })}
                <Moment at=newest.created_at.clone() />
                {move || later().then(|| view! { <span class="badge over">"Later than what is shown"</span> })}
                <Links entry=newest.clone() />
            </p>
            {rest}
        </Happening>
    }
    .into_any()
}

/// When, links, and the raw event.
#[component]
fn Foot(entry: AuditEntry) -> impl IntoView {
    view! {
        <p class="foot">
            <Moment at=entry.created_at.clone() />
            <Links entry=entry.clone() />
        </p>
        <Raw entry />
    }
}

/// Where an event leads to.
#[component]
fn Links(entry: AuditEntry) -> impl IntoView {
    let may = session::may();
    let query = StoredValue::new_local(use_query());
    let position = entry.position;
    let as_it_was = move || {
        let changes = [("at", Some(position.to_string())), ("tab", None), ("kind", None)];
        place::at(&query.with_value(|query| query.with(&changes)))
    };
    let anomaly = entry
        .event_type
        .starts_with("anomaly.")
        .then(|| entry.detail["anomaly_id"].as_str().map(str::to_owned))
        .flatten();
    view! {
        <a href=as_it_was>"As it was then"</a>
        {anomaly.map(|id| view! { <a href=place::of("/anomalies", &id)>"Anomaly"</a> })}
        {may.verify
            .then(|| {
                view! {
                    <a href=place::at(&format!("/ledger/{position}"))>{format!("Ledger event {position}")}</a>
                }
            })}
    }
}

/// The event as it stands in the ledger, once somebody asks for it.
#[component]
fn Raw(entry: AuditEntry) -> impl IntoView {
    let value = StoredValue::new(serde_json::to_value(&entry).unwrap_or_default());
    view! {
        <Fold summary="Raw event".to_owned()>
            <JsonView value=value.get_value() what="Raw event" />
        </Fold>
    }
}

/// Something that is made when it is opened.
#[component]
fn Fold(summary: String, children: ChildrenFn) -> impl IntoView {
    let is_open = RwSignal::new(false);
    let children = StoredValue::new(children);
    let turn = move |event: web_sys::Event| {
        is_open.set(event_target::<web_sys::Element>(&event).has_attribute("open"));
    };
    view! {
        <details class="more" on:toggle=turn>
            <summary>{summary}</summary>
            <Show when=move || is_open.get()>{children.with_value(|children| children())}</Show>
        </details>
    }
}

fn icon(event_type: &str) -> icondata::Icon {
    match event_type {
        "license.created" | "license.imported" => icondata::LuKeyRound,
        "license.history_imported" => icondata::LuHistory,
        "license.updated" => icondata::LuPencil,
        "license.suspended" => icondata::LuPause,
        "license.reinstated" => icondata::LuPlay,
        "license.renewed" => icondata::LuCalendarPlus,
        "license.revoked" => icondata::LuBan,
        "license.deleted" => icondata::LuTrash2,
        "license.validated" => icondata::LuCheck,
        "activation.created" | "activation.imported" => icondata::LuPlug,
        "activation.removed" => icondata::LuUnplug,
        "activation.heartbeat" => icondata::LuHeartPulse,
        "usage.recorded" | "usage.imported" => icondata::LuChartNoAxesColumn,
        "anomaly.detected" | "anomaly.imported" => icondata::LuTriangleAlert,
        "anomaly.resolved" => icondata::LuCircleCheck,
        _ => icondata::LuCircle,
    }
}
