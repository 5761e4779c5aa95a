//! The license's agents, and what they spent of their budgets.

use std::collections::BTreeMap;

use leptos::prelude::*;
use serde_json::Value;
use vinzy_client::call::Part;
use vinzy_client::calls;
use vinzy_client::validation::Agent;

use super::Here;
use crate::components::{Badge, Column, Loaded, Meter, Section, Table, Tone};
use crate::fetch::fetch;
use crate::format;
use crate::session;

/// Tokens used, by agent; `None` while that is not known.
type Spent = Option<BTreeMap<String, f64>>;

/// The agents; nothing when there are none.
#[component]
pub fn Agents(here: Here) -> impl IntoView {
    let may = session::may();
    let agents = fetch(move || {
        here.follow_changes();
        calls::licenses::agents(&here.id.get(), here.at.get().as_deref())
    });
    let part = Part {
        page_size: Some(100),
        after: None,
    };
    let totals = fetch(move || {
        here.follow_changes();
        calls::usage::totals(&here.id.get(), here.at.get().as_deref(), &part)
    });
    let spent = Memo::new(move |_| -> Spent {
        let page = totals.get().filter(|_| may.read_usage)?;
        let tokens = page.rows.iter().filter_map(|row| {
            let code = row.metric.strip_prefix("agent.")?.strip_suffix(".tokens")?;
            Some((code.to_owned(), row.total_value.to_f64()))
        });
        Some(tokens.collect())
    });
    let is_there = Memo::new(move |_| agents.get().is_none_or(|agents| !agents.is_empty()));
    let view =
        move |agents: Vec<Agent>| view! { <Table label="Agents" rows=agents columns=columns(spent) /> };
    view! {
        <Show when=move || is_there.get()>
            <Section
                title="Agents"
                about="What works on its own under this license, and what it may spend in tokens."
            >
                <Loaded fetch=agents view />
            </Section>
        </Show>
    }
}

fn columns(spent: Memo<Spent>) -> Vec<Column<Agent>> {
    vec![
        Column::new(
            "Agent",
            |agent: &Agent| view! { <code>{agent.agent_code.clone()}</code> },
        ),
        Column::new("May work", |agent: &Agent| {
            if agent.enabled {
                view! { <Badge label="On" tone=Tone::Good /> }
            } else {
                view! { <Badge label="Off" tone=Tone::Over /> }
            }
        }),
        Column::new("Tokens", move |agent: &Agent| {
            let agent = agent.clone();
            move || tokens(&agent, spent.get().as_ref())
        }),
        Column::new("Model tier", |agent: &Agent| match &agent.model_tier {
            Value::String(tier) => tier.clone(),
            Value::Null => "\u{2014}".to_owned(),
            other => other.to_string(),
        }),
    ]
}

fn tokens(agent: &Agent, spent: Option<&BTreeMap<String, f64>>) -> AnyView {
    let spent = spent.map(|spent| spent.get(&agent.agent_code).copied().unwrap_or_default());
    let said = spent.map_or_else(|| "\u{2014}".to_owned(), format::short);
    let limit = agent.token_limit.as_ref().and_then(Value::as_number);
    match (limit, spent) {
        (None, _) => view! { <span>{format!("{said}, no limit")}</span> }.into_any(),
        (Some(limit), None) => view! { <span>{format!("of {}", format::number(limit))}</span> }.into_any(),
        (Some(limit), Some(spent)) => {
            let words = format!("{said} of {}", format::number(limit));
            let label = format!("{words} tokens of {}", agent.agent_code);
            let limit = limit.as_f64().unwrap_or_default();
            view! {
                <span class="with-meter">
                    {words}
                    <Meter used=spent limit label />
                </span>
            }
            .into_any()
        }
    }
}
