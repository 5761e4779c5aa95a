//! Which events an endpoint wants: all, or chosen ones.

use std::collections::BTreeSet;

use leptos::prelude::*;
use vinzy_events::endpoint::subscribable;

use crate::components::field::fresh_id;
use crate::components::{Check, CheckRow};

/// What is wanted, in the making.
#[derive(Clone, Copy)]
pub struct Wanted {
    is_all: RwSignal<bool>,
    chosen: RwSignal<BTreeSet<String>>,
}

impl Wanted {
    /// What an endpoint wants so far; no patterns are all events.
    pub fn of(patterns: &[String]) -> Self {
        let is_all = patterns.is_empty() || patterns.iter().any(|pattern| pattern == "*");
        let chosen = if is_all {
            BTreeSet::new()
        } else {
            patterns.iter().cloned().collect()
        };
        Self {
            is_all: RwSignal::new(is_all),
            chosen: RwSignal::new(chosen),
        }
    }

    /// As the API has it; `None` if nothing is wanted, which it would take for everything.
    pub fn patterns(self) -> Option<Vec<String>> {
        if self.is_all.get_untracked() {
            return Some(vec![]);
        }
        let chosen = self.chosen.get_untracked();
        let is_whole = |name: &str| chosen.contains(&pattern_of(kind_of(name)));
        let chosen: Vec<String> = chosen
            .iter()
            .filter(|name| name.ends_with('*') || !is_whole(name))
            .cloned()
            .collect();
        (!chosen.is_empty()).then_some(chosen)
    }
}

fn kind_of(name: &str) -> &str {
    name.split('.').next().unwrap_or_default()
}

fn pattern_of(kind: &str) -> String {
    format!("{kind}.*")
}

/// The kinds of events that there are, each with its types.
fn kinds() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut kinds: Vec<(&str, Vec<&str>)> = vec![];
    for name in subscribable() {
        let kind = kind_of(name);
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, types)) => types.push(name),
            None => kinds.push((kind, vec![name])),
        }
    }
    kinds
}

/// All types of events that can be delivered, and the test.
pub fn types() -> Vec<&'static str> {
    let mut types: Vec<&str> = subscribable().collect();
    types.push("webhook.test");
    types
}

/// The field.
#[component]
pub fn EventsField(wanted: Wanted, #[prop(into)] error: Signal<Option<String>>) -> impl IntoView {
    let Wanted { is_all, chosen } = wanted;
    let group = fresh_id();
    let lists = move || {
        (!is_all.get()).then(|| {
            let lists = kinds()
                .into_iter()
                .map(|(kind, types)| view! { <KindList kind types chosen /> });
            view! { <div class="kinds">{lists.collect_view()}</div> }
        })
    };
    view! {
        <fieldset class="checks">
            <legend>"Events"</legend>
            <Radio
                group=group.clone()
                label="All events"
                about="Also of types that later versions add."
                is_set=Signal::derive(move || is_all.get())
                set=move |()| is_all.set(true)
            />
            <Radio
                group
                label="Only these"
                about="What is not chosen is not sent."
                is_set=Signal::derive(move || !is_all.get())
                set=move |()| is_all.set(false)
            />
            {lists}
            <p class="error">{error}</p>
        </fieldset>
    }
}

/// A kind of events, whole or by type.
#[component]
fn KindList(
    kind: &'static str,
    types: Vec<&'static str>,
    chosen: RwSignal<BTreeSet<String>>,
) -> impl IntoView {
    let whole = pattern_of(kind);
    let is_whole = {
        let whole = whole.clone();
        Signal::derive(move || chosen.with(|chosen| chosen.contains(&whole)))
    };
    let rows = types.into_iter().map(|name| {
        view! { <CheckRow check=Check::new(name, name, about(name)) chosen included=is_whole /> }
    });
    view! {
        <div class="kind" role="group" aria-label=kind_name(kind)>
            <CheckRow
                check=Check::new(whole.clone(), whole, format!("{}: all of them.", kind_name(kind)))
                chosen
                included=Signal::stored(false)
            />
            <div class="types">{rows.collect_view()}</div>
        </div>
    }
}

#[component]
fn Radio(
    group: String,
    label: &'static str,
    about: &'static str,
    is_set: Signal<bool>,
    #[prop(into)] set: Callback<()>,
) -> impl IntoView {
    let id = fresh_id();
    let description = format!("{id}-about");
    view! {
        <div class="check">
            <input
                id=id.clone()
                type="radio"
                name=group
                aria-describedby=description.clone()
                prop:checked=is_set
                on:change=move |_| set.run(())
            />
            <label for=id>{label}</label>
            <small id=description>{about}</small>
        </div>
    }
}

fn kind_name(kind: &str) -> &'static str {
    match kind {
        "product" => "Products",
        "customer" => "Customers",
        "license" => "Licenses",
        "activation" => "Machines",
        "usage" => "Usage",
        "anomaly" => "Anomalies",
        "api_key" => "API keys",
        _ => "Further events",
    }
}

/// What an event says.
pub fn about(name: &str) -> &'static str {
    match name {
        "product.created" => "A product was made.",
        "product.updated" => "A product was changed.",
        "product.deleted" => "A product was deleted.",
        "customer.created" => "A customer was made.",
        "customer.updated" => "A customer was changed.",
        "customer.deleted" => "A customer was deleted.",
        "customer.erased" => "A customer's personal data were destroyed.",
        "license.created" => "A license was issued.",
        "license.updated" => "A license was changed.",
        "license.suspended" => "A license was paused.",
        "license.reinstated" => "A paused license is valid again.",
        "license.renewed" => "A license's end was moved.",
        "license.revoked" => "A license was withdrawn for good.",
        "license.deleted" => "A license was deleted.",
        "license.validated" => "An application asked whether a license is valid. There are many of these.",
        "activation.created" => "A machine took a seat of a license.",
        "activation.removed" => "A machine's seat is free again.",
        "usage.recorded" => "Usage was counted. There can be many of these.",
        "anomaly.detected" => "Usage stood out from what was usual.",
        "anomaly.resolved" => "Somebody dealt with an anomaly.",
        "api_key.created" => "An API key was made.",
        "api_key.updated" => "An API key was changed.",
        "api_key.rotated" => "An API key got a new secret.",
        "api_key.revoked" => "An API key was revoked.",
        "webhook.test" => "A test that somebody asked for; it stands in no ledger.",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_and_kind_is_explained() {
        for name in types() {
            assert_ne!(about(name), "", "{name}");
        }
        for (kind, _) in kinds() {
            assert_ne!(kind_name(kind), "Further events", "{kind}");
        }
    }

    #[test]
    fn a_whole_kind_holds_its_types_and_nothing_is_not_everything() {
        let wanted = |patterns: &[&str]| {
            Wanted::of(
                &patterns
                    .iter()
                    .map(|&pattern| pattern.to_owned())
                    .collect::<Vec<_>>(),
            )
            .patterns()
        };
        assert_eq!(wanted(&[]), Some(vec![]));
        assert_eq!(wanted(&["usage.*", "*"]), Some(vec![]));
        assert_eq!(
            wanted(&["license.created", "license.*", "usage.recorded"]),
            Some(vec!["license.*".to_owned(), "usage.recorded".to_owned()])
        );
        let none = Wanted::of(&["usage.*".to_owned()]);
        none.chosen.set(BTreeSet::new());
        assert_eq!(none.patterns(), None);
    }
}
