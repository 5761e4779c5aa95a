//! What is asked before many licenses are changed, and what came of each.

use leptos::prelude::*;
use vinzy_client::licenses::{Reason, RenewLicense};

use super::batch::{Batch, Item, Wish};
use super::{Action, licenses};
use crate::components::state::words;
use crate::components::{Button, Kind, NumberField, Selection, TextArea, toast};
use crate::place;

/// A change of the licenses that are chosen. Afterwards those are chosen that it was not done to.
#[component]
pub fn Run(
    action: Action,
    selection: Selection,
    busy: RwSignal<bool>,
    close: Callback<()>,
    ended: Callback<()>,
) -> impl IntoView {
    let batch = Batch::new(selection.chosen.get_untracked(), busy);
    let total = batch.total();
    let reason = RwSignal::new(String::new());
    let days = RwSignal::new("365".to_owned());
    let all_tried = move || {
        let left = batch.left();
        selection
            .chosen
            .set(left.iter().map(|item| item.id.clone()).collect());
        ended.run(());
        if left.is_empty() {
            toast(format!("{} {}", licenses(total), action.past()));
            close.run(());
        }
    };
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        batch.run(
            wish(action, &reason.get_untracked(), &days.get_untracked()),
            all_tried,
        );
    };
    let label = Signal::derive(move || match (batch.began.get(), total - batch.done()) {
        (true, left) => format!("Try {} again", licenses(left)),
        (false, _) => format!("{} {}", action.verb(), licenses(total)),
    });
    let away = Signal::derive(move || if batch.began.get() { "Close" } else { "Cancel" }.to_owned());
    view! {
        <form class="form" on:submit=submit>
            {question(action, reason, days)}
            <Show when=move || batch.began.get()>
                <Progress batch action />
                <Failures batch />
            </Show>
            <footer class="buttons">
                <Button label=away disabled=busy press=move |()| close.run(()) />
                <Button kind=Kind::Primary label submit=true busy />
            </footer>
        </form>
    }
}

fn wish(action: Action, reason: &str, days: &str) -> Wish {
    match action {
        Action::Suspend => Wish::Suspend(Reason {
            reason: Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty()),
        }),
        Action::Renew => Wish::Renew(RenewLicense {
            days_valid: days.trim().parse().ok(),
            expires_at: None,
        }),
    }
}

/// What will happen, and what there is to say about it.
fn question(action: Action, reason: RwSignal<String>, days: RwSignal<String>) -> AnyView {
    match action {
        Action::Suspend => view! {
            <p>
                "Applications are refused until the license is reinstated. Suspending one that is suspended changes nothing."
            </p>
            <TextArea
                label="Reason"
                value=reason
                hint="Stands in the ledger for good: name no person."
                rows=2
            />
        }
        .into_any(),
        Action::Renew => view! {
            <p>
                "The days are added to each license\u{2019}s end, or to now where that has passed. A revoked license stays revoked."
            </p>
            <NumberField label="Days" value=days hint="1 to 36,500; 365 if left empty." />
        }
        .into_any(),
    }
}

#[component]
fn Progress(batch: Batch, action: Action) -> impl IntoView {
    let words = move || {
        let done = format!(
            "{} of {} {}",
            batch.done(),
            licenses(batch.total()),
            action.past()
        );
        match batch.failed().len() {
            0 => done,
            failed => format!("{done}, {failed} failed"),
        }
    };
    view! {
        <div class="progress">
            <progress
                aria-label="Progress"
                max=batch.total().to_string()
                value=move || (batch.done() + batch.failed().len()).to_string()
            ></progress>
            <p role="status">{words}</p>
        </div>
    }
}

/// Which were not done, and why.
#[component]
fn Failures(batch: Batch) -> impl IntoView {
    let failures = move || batch.failed().iter().filter_map(failure).collect_view();
    view! { <ul class="failures">{failures}</ul> }
}

fn failure(item: &Item) -> Option<impl IntoView + use<>> {
    let problem = item.deed.problem.get()?;
    let request = (!problem.request_id.is_empty()).then(|| format!("Request {}", problem.request_id));
    Some(view! {
        <li>
            <a href=place::of("/licenses", &item.id)>
                <code>{item.id.clone()}</code>
            </a>
            <p>{words(&problem)}</p>
            <small>{request}</small>
        </li>
    })
}
