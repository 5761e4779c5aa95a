//! One tenant.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use vinzy_client::access::{CreateApiKey, NewApiKey};
use vinzy_client::calls;
use vinzy_client::tenants::Tenant as Vendor;

use super::form::Change;
use super::settings::Overrides;
use crate::components::{
    Button, Confirm, Detail, Details, Id, JsonView, Loaded, Moment, Page, Secret, SecretDialog, Section,
    toast,
};
use crate::fetch::{Deed, Fetch, fetch};
use crate::pages::api_keys;
use crate::place::{self, use_go};
use crate::session;

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    Edit,
    AddKey,
    Close,
}

/// The page.
#[component]
pub fn Tenant() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").unwrap_or_default()));
    let tenant = fetch(move || calls::tenants::get(&id.get()));
    let task = RwSignal::new(None::<Task>);
    Effect::new(move |_| {
        id.track();
        task.set(None);
    });
    let secret = RwSignal::new(None::<Secret>);
    let title = Signal::derive(move || tenant.get().map_or("Tenant".to_owned(), |tenant| tenant.name));
    let edited = Signal::derive(move || {
        let is_now = task.get() == Some(Task::Edit);
        is_now.then(|| tenant.get()).flatten()
    });
    let close = move |()| task.set(None);
    let changed = move |changed: Vendor| {
        toast(format!("{} saved", changed.name));
        tenant.put(changed);
        task.set(None);
    };
    let key_made = move |new: NewApiKey| {
        task.set(None);
        secret.set(Some(api_keys::secret(&new)));
    };
    view! {
        <Page
            title
            above=(place::at("/tenants"), "Tenants")
            actions=move || view! { <Actions tenant task /> }
        >
            <Loaded fetch=tenant view=shown />
            <Change tenant=edited close changed />
            <api_keys::Creation
                open=Signal::derive(move || task.get() == Some(Task::AddKey))
                close
                request=move |key: CreateApiKey| calls::tenants::create_key(&id.get_untracked(), &key)
                created=key_made
            />
            <SecretDialog secret />
            <Closing tenant task />
        </Page>
    }
}

#[component]
fn Actions(tenant: Fetch<Vendor>, task: RwSignal<Option<Task>>) -> impl IntoView {
    let may = session::may();
    let is_there = Memo::new(move |_| tenant.get().is_some());
    view! {
        <Show when=move || may.operate && is_there.get()>
            <Button icon=icondata::LuPencil label="Edit" press=move |()| task.set(Some(Task::Edit)) />
            <Button icon=icondata::LuKeySquare label="New API key" press=move |()| task.set(Some(Task::AddKey)) />
            <Button icon=icondata::LuTrash2 label="Close tenant" press=move |()| task.set(Some(Task::Close)) />
        </Show>
    }
}

fn shown(tenant: Vendor) -> impl IntoView {
    let overrides = Overrides::of(&tenant.config_overrides);
    let version = tenant
        .hmac_key_version
        .map_or("Always the newest".to_owned(), |version| version.to_string());
    let own_data = overrides.own_data().map(|value| {
        view! {
            <Section title="Own data" about="What you keep with the tenant.">
                <JsonView value what="Own data" />
            </Section>
        }
    });
    view! {
        <Section title="Tenant">
            <Details>
                <Detail name="Short name">
                    <code>{tenant.slug}</code>
                </Detail>
                <Detail name="Id">
                    <Id id=tenant.id what="Tenant id" />
                </Detail>
                <Detail name="Created">
                    <Moment at=tenant.created_at />
                </Detail>
                <Detail name="Version of the key that signs license keys">{version}</Detail>
            </Details>
        </Section>
        <Section title="Settings" about="What differs from the server's settings holds from the moment it is saved.">
            <Details>{overrides.details()}</Details>
        </Section>
        {own_data}
    }
}

/// Closing a tenant, after its short name was typed.
#[component]
fn Closing(tenant: Fetch<Vendor>, task: RwSignal<Option<Task>>) -> impl IntoView {
    let deed = Deed::new();
    let go = StoredValue::new_local(use_go());
    let slug = Memo::new(move |_| tenant.get().map(|tenant| tenant.slug));
    let end = move |()| {
        if let Some(tenant) = untrack(|| tenant.get()) {
            deed.run(calls::tenants::delete(&tenant.id), move |()| {
                toast(format!("{} closed", tenant.name));
                go.with_value(|go| go.instead("/tenants"));
            });
        }
    };
    move || {
        slug.get().map(|slug| {
            view! {
                <Confirm
                    title=Signal::derive(move || format!("Close {}?", tenant.get().map(|tenant| tenant.name).unwrap_or_default()))
                    open=Signal::derive(move || task.get() == Some(Task::Close))
                    close=move |()| task.set(None)
                    label="Close tenant"
                    danger=true
                    deed
                    confirm=end
                    typed=slug
                >
                    <p>
                        "Its API keys and its license keys stop working at once, for all of its customers. Its ledger is kept, and its short name is never given again. There is no way back."
                    </p>
                </Confirm>
            }
        })
    }
}
