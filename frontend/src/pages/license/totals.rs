//! Totals of usage, by metric and by agent.

use leptos::prelude::*;
use vinzy_client::call::Page;
use vinzy_client::calls;
use vinzy_client::usage::{AgentUsage, UsageTotal};

use super::Here;
use super::entitlements::period;
use crate::components::{Ago, Column, Loaded, Meter, Moment, Section, Table};
use crate::fetch::fetch;
use crate::format;
use crate::place::{self, use_query};

/// The table of totals. The name of a metric leads to its plot.
pub fn totals(page: Page<UsageTotal>, shown: Memo<Option<String>>) -> AnyView {
    let query = StoredValue::new_local(use_query());
    let metric = move |row: &UsageTotal| {
        let metric = row.metric.clone();
        let own = metric.clone();
        let href = {
            let metric = metric.clone();
            move || {
                let _follows_address = shown.get();
                place::at(&query.with_value(|query| query.with(&[("metric", Some(metric.clone()))])))
            }
        };
        let is_shown = move || shown.with(|shown| shown.as_ref() == Some(&own)).then_some("true");
        view! {
            <a href=href data-noscroll="true" aria-current=is_shown>
                <code>{metric}</code>
            </a>
        }
    };
    let more = page.total.saturating_sub(page.rows.len() as u64);
    let columns = vec![
        Column::new("Metric", metric),
        Column::new("In all", |row: &UsageTotal| format::amount(&row.total_value)).numeric(),
        Column::new("Records", |row: &UsageTotal| format::count(row.record_count)).numeric(),
        Column::new("Against its limit", against),
        Column::new("Left", |row: &UsageTotal| {
            row.remaining
                .as_ref()
                .map_or_else(|| "\u{2014}".to_owned(), format::amount)
        })
        .numeric(),
        Column::new(
            "First",
            |row: &UsageTotal| view! { <Moment at=row.first_recorded_at.clone() /> },
        ),
        Column::new(
            "Last",
            |row: &UsageTotal| view! { <Ago at=row.last_recorded_at.clone() /> },
        ),
    ];
    view! {
        <Table label="Totals" rows=page.rows columns />
        {(more > 0).then(|| view! { <p class="about">{format!("{more} more metrics are not shown.")}</p> })}
    }
    .into_any()
}

/// What was used of the limit, and what the limit is for.
fn against(row: &UsageTotal) -> AnyView {
    let Some(limit) = &row.limit else {
        return view! { <span class="muted">"no limit"</span> }.into_any();
    };
    let words = format!(
        "{} of {}{}",
        format::amount(&row.used),
        format::amount(limit),
        period(row.period.as_deref())
    );
    let anew = row.period_ends_at.clone().map(|at| {
        view! {
            <small>
                "begins anew " <Moment at />
            </small>
        }
    });
    view! {
        <span class="two-lines">
            <span class="with-meter">
                {words.clone()}
                <Meter used=row.used.to_f64() limit=limit.to_f64() label=format!("{}: {words}", row.metric) />
            </span>
            {anew}
        </span>
    }
    .into_any()
}

/// What one agent used of one thing.
#[derive(Clone)]
struct AgentRow {
    agent: String,
    what: String,
    amount: String,
}

/// Use by agent; nothing when no agent used anything.
#[component]
pub fn ByAgent(here: Here) -> impl IntoView {
    let usage = fetch(move || {
        here.follow_changes();
        calls::usage::agents(&here.id.get())
    });
    let is_there = Memo::new(move |_| {
        usage.with(|answer| match answer {
            None => false,
            Some(Ok(usage)) => !usage.is_empty(),
            Some(Err(_)) => true,
        })
    });
    let view = |usage: AgentUsage| {
        let rows: Vec<_> = usage
            .into_iter()
            .flat_map(|(agent, things)| {
                things.into_iter().map(move |(what, amount)| AgentRow {
                    agent: agent.clone(),
                    what,
                    amount: format::amount(&amount),
                })
            })
            .collect();
        let columns = vec![
            Column::new(
                "Agent",
                |row: &AgentRow| view! { <code>{row.agent.clone()}</code> },
            ),
            Column::new("What", |row: &AgentRow| row.what.clone()),
            Column::new("In all", |row: &AgentRow| row.amount.clone()).numeric(),
        ];
        view! { <Table label="By agent" rows columns /> }
    };
    view! {
        <Show when=move || is_there.get()>
            <Section
                title="By agent"
                about="What was recorded as agent.CODE.thing, added up by agent."
            >
                <Loaded fetch=usage view />
            </Section>
        </Show>
    }
}
