//! Says that an anomaly was dealt with.

use leptos::prelude::*;
use vinzy_client::anomalies::{AnomalyContext, ResolveAnomaly};
use vinzy_client::calls;

use crate::components::{Buttons, Dialog, TextField, toast};
use crate::fetch::{Deed, Fetch};
use crate::session::{self, State};

/// The dialog.
#[component]
pub fn Resolve(id: Memo<String>, open: RwSignal<bool>, context: Fetch<AnomalyContext>) -> impl IntoView {
    let close = Callback::new(move |()| open.set(false));
    view! {
        <Dialog title="Resolve anomaly" open close>
            <Fields id close context />
        </Dialog>
    }
}

#[component]
fn Fields(
    id: Memo<String>,
    #[prop(into)] close: Callback<()>,
    context: Fetch<AnomalyContext>,
) -> impl IntoView {
    let deed = Deed::new();
    let by = RwSignal::new(own_name());
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let resolve = ResolveAnomaly {
            resolved_by: Some(by.get_untracked().trim().to_owned()),
        };
        deed.run(
            calls::anomalies::resolve(&id.get_untracked(), &resolve),
            move |anomaly| {
                toast("Anomaly resolved");
                close.run(());
                if let Some(known) = untrack(|| context.get()) {
                    context.put(AnomalyContext { anomaly, ..known });
                }
            },
        );
    };
    view! {
        <form class="form" on:submit=submit>
            <p>"Say who looked at it, and what came of it. That stands in the ledger beside the key that you are logged in with; it cannot be changed later."</p>
            <TextField
                label="By whom, and how"
                value=by
                hint="Up to 255 characters, such as: Support, import job ran twice. It stands there for good: name no customer."
                error=deed.error("resolved_by")
                required=true
                first=true
            />
            <Buttons label="Resolve anomaly" deed cancel=close />
        </form>
    }
}

/// What the key is called that is logged in.
fn own_name() -> String {
    match &*session::state().read_untracked() {
        State::In(session) => session.name.clone(),
        _ => String::new(),
    }
}
