//! Suspending or renewing many licenses.

mod batch;
mod run;

use std::collections::BTreeSet;

use leptos::prelude::*;

use crate::components::{Button, Dialog, Kind, Selection};
use crate::format;
use crate::session;
use run::Run;

/// What is to be done to those that are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Suspend,
    Renew,
}

impl Action {
    const fn verb(self) -> &'static str {
        match self {
            Self::Suspend => "Suspend",
            Self::Renew => "Renew",
        }
    }

    const fn past(self) -> &'static str {
        match self {
            Self::Suspend => "suspended",
            Self::Renew => "renewed",
        }
    }
}

fn licenses(count: usize) -> String {
    format::counted(count as u64, "license", "licenses")
}

/// What can be done to the chosen rows. Nothing while none is chosen.
#[component]
pub fn Bar(selection: Selection, bulk: RwSignal<Option<Action>>) -> impl IntoView {
    let count = Memo::new(move |_| selection.chosen.with(BTreeSet::len));
    let may = session::may();
    let act = move |action: Action, icon, is_allowed: bool| {
        is_allowed
            .then(|| view! { <Button icon label=action.verb() press=move |()| bulk.set(Some(action)) /> })
    };
    view! {
        <Show when=move || { count.get() > 0 }>
            <div class="bulk-bar" role="region" aria-label="Chosen licenses">
                <p role="status">{move || format!("{} chosen", licenses(count.get()))}</p>
                {act(Action::Suspend, icondata::LuPause, may.help)}
                {act(Action::Renew, icondata::LuCalendarPlus, may.issue)}
                <Button
                    kind=Kind::Quiet
                    label="Choose none"
                    press=move |()| selection.chosen.update(BTreeSet::clear)
                />
            </div>
        </Show>
    }
}

/// The dialog in which it is done, which stays while it is. `ended` is told when something was.
#[component]
pub fn Bulk(
    bulk: RwSignal<Option<Action>>,
    selection: Selection,
    #[prop(into)] ended: Callback<()>,
) -> impl IntoView {
    let busy = RwSignal::new(false);
    let close = Callback::new(move |()| {
        if !busy.get_untracked() {
            bulk.set(None);
        }
    });
    // Of those that it began with, whatever is chosen meanwhile.
    let title = Memo::new(move |last: Option<&String>| match bulk.get() {
        Some(action) => {
            let count = selection.chosen.with_untracked(BTreeSet::len);
            format!("{} {}", action.verb(), licenses(count))
        }
        None => last.cloned().unwrap_or_default(),
    });
    view! {
        <Dialog title open=Signal::derive(move || bulk.with(Option::is_some)) close>
            {move || {
                let action = bulk.get_untracked()?;
                Some(view! { <Run action selection busy close ended /> })
            }}
        </Dialog>
    }
}
