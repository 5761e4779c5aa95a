//! A new API key, or a change of one.

use std::collections::BTreeSet;

use leptos::prelude::*;
use vinzy_client::access::{ApiKey, CreateApiKey, NewApiKey, UpdateApiKey};
use vinzy_client::call::Call;
use vinzy_client::calls;

use super::list::Task;
use super::scopes::{self, ScopesField};
use super::words;
use crate::components::{Buttons, Dialog, TextField, TimeField};
use crate::fetch::Deed;
use crate::format;

/// What a form holds.
#[derive(Clone, Copy)]
struct Content {
    name: RwSignal<String>,
    scopes: RwSignal<BTreeSet<String>>,
    end: RwSignal<String>,
}

impl Content {
    fn of(key: Option<&ApiKey>) -> Self {
        let end = key
            .and_then(|key| key.expires_at.as_deref())
            .map(format::to_field);
        Self {
            name: RwSignal::new(key.map(|key| key.name.clone()).unwrap_or_default()),
            scopes: RwSignal::new(
                key.map(|key| key.scopes.iter().cloned().collect())
                    .unwrap_or_default(),
            ),
            end: RwSignal::new(end.unwrap_or_default()),
        }
    }

    fn creation(self) -> CreateApiKey {
        CreateApiKey {
            name: self.name.get_untracked(),
            scopes: scopes::chosen(self.scopes),
            expires_at: format::from_field(&self.end.get_untracked()),
        }
    }

    /// The end is sent only when it was touched: the field has no seconds.
    fn change(self, key: &ApiKey) -> UpdateApiKey {
        let end = self.end.get_untracked();
        let is_same = key
            .expires_at
            .as_deref()
            .map(format::to_field)
            .unwrap_or_default()
            == end;
        UpdateApiKey {
            name: Some(self.name.get_untracked()),
            scopes: Some(scopes::chosen(self.scopes)),
            expires_at: (!is_same).then(|| format::from_field(&end)),
        }
    }
}

/// The dialog for a new key.
#[component]
pub fn Creation(
    #[prop(into)] open: Signal<bool>,
    #[prop(into)] close: Callback<()>,
    /// Makes the request: a tenant's own, or that of whoever runs the server.
    #[prop(into)]
    request: Callback<CreateApiKey, Call<NewApiKey>>,
    #[prop(into)] created: Callback<NewApiKey>,
) -> impl IntoView {
    let form = move || {
        let content = Content::of(None);
        let deed = Deed::new();
        let send = move |()| deed.run(request.run(content.creation()), move |new| created.run(new));
        view! { <Fields content deed send close label="Create API key" is_own=false /> }
    };
    view! {
        <Dialog title="New API key" open close>
            {form}
        </Dialog>
    }
}

/// The dialog for a change.
#[component]
pub fn Change(
    task: RwSignal<Option<Task>>,
    #[prop(into)] close: Callback<()>,
    #[prop(into)] changed: Callback<()>,
) -> impl IntoView {
    let open = Signal::derive(move || task.with(|task| matches!(task, Some(Task::Edit(_)))));
    let form = move || {
        let Some(Task::Edit(key)) = task.get_untracked() else {
            return None;
        };
        let content = Content::of(Some(&key));
        let deed = Deed::new();
        let is_own = words::is_own(&key);
        let send = move |()| {
            deed.run(
                calls::api_keys::update(&key.id, &content.change(&key)),
                move |_| changed.run(()),
            );
        };
        Some(view! { <Fields content deed send close label="Save" is_own /> })
    };
    view! {
        <Dialog title="Edit API key" open close>
            {form}
        </Dialog>
    }
}

#[component]
fn Fields(
    content: Content,
    deed: Deed,
    #[prop(into)] send: Callback<()>,
    close: Callback<()>,
    label: &'static str,
    /// It is the key of this session: whoever takes scopes away takes them from themselves.
    is_own: bool,
) -> impl IntoView {
    let is_none_chosen = RwSignal::new(false);
    let of_server = deed.error("scopes");
    let scopes_error = Signal::derive(move || {
        let own = is_none_chosen.get().then(|| "Choose at least one.".to_owned());
        own.or_else(|| of_server.get())
    });
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let is_none = content.scopes.with_untracked(BTreeSet::is_empty);
        is_none_chosen.set(is_none);
        if !is_none {
            send.run(());
        }
    };
    let warning = is_own.then(|| {
        view! {
            <p class="notice warning">
                "You are logged in with this very key: what you take from it you take from yourself."
            </p>
        }
    });
    view! {
        <form class="form" on:submit=submit>
            {warning}
            <TextField
                label="Name"
                value=content.name
                placeholder="billing-job"
                hint="Of the program or the role. It stands in the ledger for good: no personal data."
                error=deed.error("name")
                required=true
                first=true
            />
            <ScopesField value=content.scopes error=scopes_error />
            <TimeField
                label="Expires"
                value=content.end
                hint="Empty is never."
                error=deed.error("expires_at")
            />
            <Buttons label deed cancel=close />
        </form>
    }
}
