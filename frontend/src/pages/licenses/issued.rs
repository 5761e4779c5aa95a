//! The key of a new license: shown once, tried at once, and kept.

use leptos::prelude::*;
use vinzy_client::calls;
use vinzy_client::licenses::IssuedLicense;
use vinzy_client::validation::ValidateResponse;

use super::draft::Draft;
use crate::components::Icon;
use crate::components::{Button, Kind, Refused, Secret, SecretDialog};
use crate::fetch::Deed;
use crate::pages::customers::title;
use crate::place::use_go;

/// What is said of a new license's key.
pub fn told(issued: &IssuedLicense, draft: Draft) -> Secret {
    let customer = draft
        .customer
        .with_untracked(|customer| customer.as_ref().map(title).unwrap_or_default());
    let license = &issued.license;
    Secret {
        what: "License key".to_owned(),
        text: issued.key.clone(),
        about: format!(
            "For {customer}: {}, tier {}. Applications ask with it whether they may run.",
            license.product_code, license.tier
        ),
        file: format!("license-{}-{}.txt", license.product_code, license.id),
    }
}

/// The key, whether it is good, and afterwards the license's page.
#[component]
pub fn Issued(secret: RwSignal<Option<Secret>>, issued: RwSignal<Option<IssuedLicense>>) -> impl IntoView {
    let go = StoredValue::new_local(use_go());
    let kept = move |()| {
        if let Some(issued) = issued.get_untracked() {
            go.with_value(|go| go.instead(&format!("/licenses/{}", issued.license.id)));
        }
    };
    let deed = Deed::new();
    let answer = RwSignal::new(None::<ValidateResponse>);
    let validate = move |()| {
        if let Some(issued) = issued.get_untracked() {
            deed.run(calls::licenses::validate(&issued.key), move |said| {
                answer.set(Some(said));
            });
        }
    };
    view! {
        <SecretDialog
            secret
            kept
            children=move || {
                view! {
                    <div class="actions">
                        <Button
                            kind=Kind::Quiet
                            icon=icondata::LuShieldCheck
                            label="Validate it now"
                            busy=deed.busy
                            press=validate
                        />
                    </div>
                    <Refused problem=deed.problem />
                    <div role="status">{move || answer.get().map(said)}</div>
                }
            }
        />
    }
}

/// What an application would be told.
fn said(answer: ValidateResponse) -> impl IntoView {
    let (class, icon) = if answer.valid {
        ("notice good", icondata::LuCircleCheck)
    } else {
        ("notice failed", icondata::LuTriangleAlert)
    };
    let features = match answer.features.len() {
        0 => "It has no features.".to_owned(),
        _ => format!("Features: {}.", answer.features.join(", ")),
    };
    view! {
        <div class=class>
            <Icon icon />
            <div>
                <p>
                    <strong>{answer.code}</strong>
                    ": "
                    {answer.message}
                </p>
                <p>{features}</p>
            </div>
        </div>
    }
}
