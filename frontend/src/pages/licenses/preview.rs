//! What a license in the making will entitle to, by the same rules as on the server.

use leptos::prelude::*;
use serde_json::{Map, Value};
use vinzy_client::Object;
use vinzy_events::agent::{AgentEntitlement, resolve_agents};
use vinzy_events::entitlement::{Entitlement, resolve};

use super::draft::Draft;
use crate::components::{Badge, Empty, Section, Tone};
use crate::format;

/// What the form amounts to; follows it.
#[component]
pub fn Preview(draft: Draft) -> impl IntoView {
    let entitlements = move || match draft.product.get() {
        None => view! { <p class="about">"Choose a product to see what the license will entitle to."</p> }
            .into_any(),
        Some(product) => entitled(&product.features, &draft.overrides.get()),
    };
    view! {
        <div class="preview" role="region" aria-label="Preview" aria-live="polite">
            <Section title="What it will be">
                <p>{move || sentence(draft)}</p>
                {entitlements}
            </Section>
        </div>
    }
}

/// The license in a sentence.
fn sentence(draft: Draft) -> String {
    let Some(product) = draft.product.get() else {
        return String::new();
    };
    let machines = match (draft.is_unlimited.get(), draft.machines.get()) {
        (true, _) => "on any number of machines".to_owned(),
        (false, text) => match text.trim().parse() {
            Ok(count) => format!("on {} at once", format::counted(count, "machine", "machines")),
            Err(_) => "on \u{2026} machines at once".to_owned(),
        },
    };
    let tier = draft.effective_tier();
    format!("{}, tier {tier}, {machines}, {}.", product.name, end(draft))
}

fn end(draft: Draft) -> String {
    let until = |at: Option<String>| {
        at.map_or_else(
            || "until \u{2026}".to_owned(),
            |at| format!("until {}", format::local(&at)),
        )
    };
    match draft.ends.get().as_str() {
        "days" => until(
            draft
                .days
                .get()
                .trim()
                .parse::<u16>()
                .ok()
                .filter(|days| *days > 0)
                .map(|days| format::days_from_now(days.into())),
        ),
        "date" => until(format::from_field(&draft.date.get())),
        _ => "without an end".to_owned(),
    }
}

fn entitled(base: &Object, overrides: &Object) -> AnyView {
    let resolved = resolve(base, overrides, |_| None);
    let agents = resolve_agents(base, overrides);
    let (Ok(features), Ok(agents)) = (resolved, agents) else {
        return view! {
            <p class="error">"The overrides make no sense yet: a feature is on, off, or has a limit that is a number."</p>
        }
        .into_any();
    };
    let features: Vec<_> = features
        .into_iter()
        .filter(|feature| feature.feature != "agents")
        .collect();
    if features.is_empty() && agents.is_empty() {
        return view! { <Empty title="No features" about="The license is valid or not, and that is all." /> }
            .into_any();
    }
    let features = features.into_iter().map(|feature| {
        let merged = |object: &Object| object.get(&feature.feature).cloned();
        let source = source(merged(base).is_some(), merged(overrides).is_some());
        let period = period(merged(base), merged(overrides));
        row(feature.feature.clone(), worth(&feature, &period), source)
    });
    let named =
        |object: &Object, code: &str| object.get("agents").and_then(|agents| agents.get(code)).is_some();
    let agents = agents.into_iter().map(|agent| {
        let code = &agent.agent_code;
        let source = source(named(base, code), named(overrides, code));
        row(format!("Agent {code}"), agent_worth(&agent), source)
    });
    view! { <ul class="entitled">{features.chain(agents).collect_view()}</ul> }.into_any()
}

fn row(name: String, worth: AnyView, source: &'static str) -> AnyView {
    view! {
        <li>
            <code>{name}</code>
            <span>{worth}</span>
            <small>{source}</small>
        </li>
    }
    .into_any()
}

const fn source(in_base: bool, in_overrides: bool) -> &'static str {
    match (in_base, in_overrides) {
        (true, true) => "overridden",
        (false, true) => "added",
        _ => "of the product",
    }
}

/// What a limit is for, the override's word going before the product's.
fn period(base: Option<Value>, overrides: Option<Value>) -> String {
    let fields = |value: Option<Value>| match value {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let mut merged = fields(base);
    merged.extend(fields(overrides));
    match merged.get("period").and_then(Value::as_str) {
        Some(period) => format!("a {period}"),
        None => "in all".to_owned(),
    }
}

fn worth(feature: &Entitlement, period: &str) -> AnyView {
    if !feature.is_enabled() {
        return view! { <Badge label="Off" /> }.into_any();
    }
    let limit = match &feature.limit {
        Value::Number(limit) => Some(format!("{} {period}", format::number(limit))),
        _ => None,
    };
    view! {
        <Badge label="On" tone=Tone::Good />
        {limit}
    }
    .into_any()
}

fn agent_worth(agent: &AgentEntitlement) -> AnyView {
    if !agent.is_enabled() {
        return view! { <Badge label="Off" /> }.into_any();
    }
    let tokens = match &agent.token_limit {
        Value::Number(limit) => format!("{} tokens", format::number(limit)),
        _ => "any number of tokens".to_owned(),
    };
    view! {
        <Badge label="On" tone=Tone::Good />
        {tokens}
    }
    .into_any()
}
