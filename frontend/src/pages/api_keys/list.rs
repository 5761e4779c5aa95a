//! The list of API keys.

use leptos::prelude::*;
use vinzy_client::access::{ApiKey, CreateApiKey, NewApiKey};
use vinzy_client::call::Part;
use vinzy_client::calls;

use super::form::{Change, Creation};
use super::revoke::Revocation;
use super::rotate::Rotation;
use super::{scopes, words};
use crate::components::{
    Ago, Badge, Button, Column, Day, Empty, Kind, Moment, Page, Pages, Secret, SecretDialog, Tone, toast,
};
use crate::fetch::fetch;
use crate::place::use_query;
use crate::session;

/// What is being done to which key.
#[derive(Debug, Clone, PartialEq)]
pub enum Task {
    Create,
    Edit(ApiKey),
    Rotate(ApiKey),
    Revoke(ApiKey),
}

/// The page.
#[component]
pub fn ApiKeys() -> impl IntoView {
    let after = use_query().signal("after");
    let keys = fetch(move || {
        calls::api_keys::list(&Part {
            page_size: Some(50),
            after: after.get(),
        })
    });
    let task = RwSignal::new(None::<Task>);
    provide_context(task);
    let secret = RwSignal::new(None::<Secret>);
    let close = move |()| task.set(None);
    let may = session::may();
    let create = move || {
        may.administer.then(|| {
            view! {
                <Button
                    kind=Kind::Primary
                    icon=icondata::LuPlus
                    label="New API key"
                    press=move |()| task.set(Some(Task::Create))
                />
            }
        })
    };
    let empty = move || {
        view! {
            <Empty
                title="No API keys yet"
                about="An API key lets a program or a person in, and says what they may do. Give each its own: what it does carries its name in the ledger, and it can be revoked alone."
                children=create
            />
        }
    };
    let shown = move |new: NewApiKey| {
        task.set(None);
        secret.set(Some(words::secret(&new)));
        keys.again();
    };
    let changed = move |said: &'static str| {
        move |()| {
            task.set(None);
            toast(said);
            keys.again();
        }
    };
    view! {
        <Page title="API keys" about="Who may do what: one key for each program and person." actions=create>
            <Pages fetch=keys label="API keys" columns=columns noun=("API key", "API keys") empty />
            <Creation
                open=Signal::derive(move || task.with(|task| *task == Some(Task::Create)))
                close
                request=|key: CreateApiKey| calls::api_keys::create(&key)
                created=shown
            />
            <Change task close changed=changed("API key saved") />
            <Rotation task close rotated=shown />
            <Revocation task close revoked=changed("API key revoked") />
            <SecretDialog secret />
        </Page>
    }
}

fn columns() -> Vec<Column<ApiKey>> {
    let mut columns = vec![
        Column::new("Name", |key: &ApiKey| {
            let own = words::is_own(key).then(|| view! { <Badge label="this session" tone=Tone::Good /> });
            view! {
                <span class="two-lines">
                    <strong>{key.name.clone()}</strong>
                    {own}
                </span>
            }
        }),
        Column::new("Begins with", |key: &ApiKey| {
            let old = key
                .previous_valid_until
                .clone()
                .map(|at| view! { <small>"old one until " <Moment at /></small> });
            view! {
                <span class="two-lines">
                    <code>{key.hint.clone()} "\u{2026}"</code>
                    {old}
                </span>
            }
        }),
        Column::new("Scopes", |key: &ApiKey| scopes::badges(&key.scopes)),
        Column::new("Last used", |key: &ApiKey| match key.last_used_at.clone() {
            Some(at) => view! { <Ago at /> }.into_any(),
            None => "never".into_any(),
        }),
        Column::new("Expires", words::end),
        Column::new(
            "Created",
            |key: &ApiKey| view! { <Day at=key.created_at.clone() /> },
        ),
    ];
    if session::may().administer {
        columns.push(Column::new("", buttons).actions());
    }
    columns
}

fn buttons(key: &ApiKey) -> impl IntoView + use<> {
    let task: RwSignal<Option<Task>> = expect_context();
    let button = |icon, label: String, wanted: Task| {
        view! {
            <Button
                kind=Kind::Quiet
                icon
                icon_only=true
                label
                press=move |()| task.set(Some(wanted.clone()))
            />
        }
    };
    view! {
        {button(icondata::LuPencil, format!("Edit {}", key.name), Task::Edit(key.clone()))}
        {button(icondata::LuRotateCcwKey, format!("Rotate {}", key.name), Task::Rotate(key.clone()))}
        {button(icondata::LuTrash2, format!("Revoke {}", key.name), Task::Revoke(key.clone()))}
    }
}
