//! The license as it was: the way there, and a banner as long as the past is shown.

use leptos::prelude::*;

use super::Here;
use crate::components::Icon;
use crate::components::{Button, Kind, TimeField};
use crate::format;
use crate::place::use_query;

/// Says that this is the past, and leads back to the present. Nothing now.
#[component]
pub fn Banner(here: Here) -> impl IntoView {
    let query = StoredValue::new_local(use_query());
    let back = move |()| query.with_value(|query| query.set(&[("at", None)]));
    move || {
        here.at.get().map(|at| {
            view! {
                <div class="notice warning as-of" role="status">
                    <Icon icon=icondata::LuHistory />
                    <div>
                        <p>
                            <strong>{words(&at)}</strong>
                        </p>
                        <p>"License, entitlements and usage totals are read out of the ledger as of then. Nothing can be changed here."</p>
                    </div>
                    <Button label="Back to now" icon=icondata::LuUndo2 press=back />
                </div>
            }
        })
    }
}

/// What moment an `at` names.
pub fn words(at: &str) -> String {
    if at.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("As it was right after event {at} of the ledger.")
    } else {
        format!("As it was on {} ({}).", format::local(at), format::utc(at))
    }
}

/// Whether something happened after the moment that an `at` names.
pub fn is_later(at: &str, position: u64, recorded_at: &str) -> bool {
    match at.parse::<u64>() {
        Ok(at) => position > at,
        Err(_) => match (format::millis(recorded_at), format::millis(at)) {
            (Some(recorded_at), Some(at)) => recorded_at > at,
            _ => false,
        },
    }
}

/// Asks for a moment to go back to.
#[component]
pub fn GoBack(here: Here) -> impl IntoView {
    let query = StoredValue::new_local(use_query());
    let now = here
        .at
        .get_untracked()
        .map(|at| format::to_field(&at))
        .unwrap_or_default();
    let value = RwSignal::new(now);
    let moment = Signal::derive(move || format::from_field(&value.get()));
    let go = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        if let Some(at) = moment.get_untracked() {
            query.with_value(|query| query.set(&[("at", Some(at))]));
        }
    };
    view! {
        <form class="go-back" on:submit=go>
            <TimeField label="As it was on" value />
            <Button
                kind=Kind::Plain
                icon=icondata::LuHistory
                label="Show"
                submit=true
                disabled=Signal::derive(move || moment.with(Option::is_none))
            />
        </form>
    }
}
