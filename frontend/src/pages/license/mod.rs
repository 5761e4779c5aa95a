//! One license: what it is, what it allows, who uses it, and everything that ever happened to it.

mod actions;
mod agents;
mod anomalies;
mod as_of;
mod edit;
mod entitlements;
mod head;
mod history;
mod machines;
mod renew;
mod series;
mod steps;
mod totals;
mod usage;
mod words;

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use vinzy_client::calls;
use vinzy_client::licenses::License as Licensed;

use crate::components::{Loaded, Page, Section, Tabs};
use crate::fetch::{Fetch, fetch};
use crate::place::{self, use_query};
use crate::session::{self, May};

/// What is being done to the license.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Change what it says.
    Edit,
    /// Move its end.
    Renew,
    /// Hold it back for a while.
    Suspend,
    /// Let it in again.
    Reinstate,
    /// Withdraw it for good.
    Revoke,
    /// Hide it.
    Delete,
}

/// The license that the page is about, and how it is looked at.
#[derive(Clone, Copy)]
pub struct Here {
    /// Its id.
    pub id: Memo<String>,
    /// As of when it is shown: a time, or a position in the ledger; `None` is now.
    pub at: Memo<Option<String>>,
    /// Itself.
    pub license: Fetch<Licensed>,
    /// What is being done to it.
    pub task: RwSignal<Option<Task>>,
    changed: RwSignal<u32>,
}

impl Here {
    /// To be asked in questions whose answers change with the license.
    pub fn follow_changes(self) {
        self.changed.track();
    }

    /// The license was changed, to what is known here.
    pub fn put(self, license: Licensed) {
        self.license.put(license);
        self.changed.update(|changed| *changed += 1);
    }

    /// Something that belongs to the license was changed.
    pub fn ask_again(self) {
        self.license.again();
        self.changed.update(|changed| *changed += 1);
    }

    /// Whether there is no such license, or no longer.
    fn is_gone(self) -> bool {
        self.license
            .problem()
            .is_some_and(|problem| problem.status == 404)
    }
}

/// The page of a license.
#[component]
pub fn License() -> impl IntoView {
    let params = use_params_map();
    let query = use_query();
    let id = Memo::new(move |_| params.with(|params| params.get("id")).unwrap_or_default());
    let at = query.signal("at");
    let here = Here {
        id,
        at,
        license: fetch(move || calls::licenses::get(&id.get(), at.get().as_deref())),
        task: RwSignal::new(None),
        changed: RwSignal::new(0),
    };
    let title = Signal::derive(move || match here.license.get() {
        Some(license) => format!("{} license", license.product_code),
        None => "License".to_owned(),
    });
    let is_gone = Memo::new(move |_| here.is_gone());
    view! {
        <Page
            title
            above=(place::at("/licenses"), "Licenses")
            actions=move || view! { <actions::Actions here /> }
        >
            <as_of::Banner here />
            {move || {
                if is_gone.get() {
                    view! { <Gone here /> }.into_any()
                } else {
                    view! {
                        <Loaded fetch=here.license view=move |license| view! { <head::Head license /> } />
                        <Parts here />
                    }
                        .into_any()
                }
            }}
            <edit::Edit here />
            <renew::Renew here />
            <steps::Steps here />
        </Page>
    }
}

/// The parts of the page, one of which is shown.
#[component]
fn Parts(here: Here) -> impl IntoView {
    let may = session::may();
    let tab = use_query().signal("tab");
    let is_past = Memo::new(move |_| here.at.with(Option::is_some));
    let shown = Memo::new(move |_| {
        let known = parts(may, is_past.get());
        let tab = tab.get().unwrap_or_default();
        known
            .iter()
            .find(|(name, _)| *name == tab)
            .or(known.first())
            .map_or("", |(name, _)| *name)
    });
    view! {
        {move || view! { <Tabs tabs=parts(may, is_past.get()) label="Parts of this license" keep=&["at"] /> }}
        {move || match shown.get() {
            "machines" => view! { <machines::Machines here /> }.into_any(),
            "usage" => view! { <usage::Usage here /> }.into_any(),
            "anomalies" => view! { <anomalies::Anomalies here /> }.into_any(),
            "history" => view! { <history::History here /> }.into_any(),
            _ => view! { <entitlements::Entitlements here /> }.into_any(),
        }}
    }
}

/// What somebody may see of a license. Of machines and anomalies only the present is known.
fn parts(may: May, is_past: bool) -> Vec<(&'static str, &'static str)> {
    [
        (true, "entitlements", "Entitlements"),
        (!is_past, "machines", "Machines"),
        (may.read_usage, "usage", "Usage"),
        (!is_past, "anomalies", "Anomalies"),
        (may.read_audit, "history", "History"),
    ]
    .into_iter()
    .filter(|(is_there, ..)| *is_there)
    .map(|(_, name, words)| (name, words))
    .collect()
}

/// What is left of a license that was deleted, or is not there at all.
#[component]
fn Gone(here: Here) -> impl IntoView {
    let may = session::may();
    view! {
        <Section
            title="There is no such license now"
            about="It was deleted, or its id is mistyped. A deleted license keeps its history: each entry below leads to how it was then."
        >
            ""
        </Section>
        {may.read_audit.then(|| view! { <history::History here /> })}
    }
}
