//! What an API key may do.

use std::collections::BTreeSet;

use leptos::prelude::*;
use vinzy_client::access::Scope;

use crate::components::{Badge, Check, ChecksField};

/// All scopes: how each is called, and what it allows.
const SCOPES: [(Scope, &str, &str); 6] = [
    (
        Scope::Admin,
        "admin",
        "Everything in the tenant, API keys and webhooks included.",
    ),
    (
        Scope::Issuer,
        "issuer",
        "Issue, change, suspend, renew and revoke licenses; make and change customers.",
    ),
    (
        Scope::Support,
        "support",
        "Read; suspend and reinstate licenses, free seats, deal with anomalies.",
    ),
    (
        Scope::Meter,
        "meter",
        "Record usage for any license, and read it.",
    ),
    (
        Scope::Read,
        "read",
        "Read everything but API keys, webhooks and proofs.",
    ),
    (
        Scope::Audit,
        "audit",
        "Audit trails, verification, proofs and receipts.",
    ),
];

/// What a scope allows.
pub fn about(scope: &str) -> &'static str {
    SCOPES
        .iter()
        .find(|(_, name, _)| *name == scope)
        .map_or("", |(.., about)| about)
}

/// Scopes of a key, each with what it allows on hover.
pub fn badges(scopes: &[String]) -> impl IntoView + use<> {
    let badges: Vec<_> = scopes
        .iter()
        .map(|scope| view! { <span title=about(scope)><Badge label=scope.clone() /></span> })
        .collect();
    view! { <span class="scopes">{badges}</span> }
}

/// The scopes that are chosen.
pub fn chosen(names: RwSignal<BTreeSet<String>>) -> Vec<Scope> {
    names.with_untracked(|names| {
        let is_chosen = |name: &str| names.contains(name);
        SCOPES
            .iter()
            .filter(|(_, name, _)| is_chosen(name))
            .map(|(scope, ..)| *scope)
            .collect()
    })
}

/// The field.
#[component]
pub fn ScopesField(
    value: RwSignal<BTreeSet<String>>,
    #[prop(into, optional)] error: Signal<Option<String>>,
) -> impl IntoView {
    let checks = SCOPES
        .iter()
        .map(|(_, name, about)| Check::new(*name, *name, *about))
        .collect();
    view! {
        <ChecksField
            label="Scopes"
            checks
            chosen=value
            hint="Several add up. Give a program no more than it needs."
            error
        />
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_wire() {
        for (scope, name, _) in SCOPES {
            assert_eq!(serde_json::to_value(scope).expect("it is text"), name);
        }
    }
}
