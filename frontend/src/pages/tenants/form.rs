//! A new tenant, or a change of one.

use leptos::prelude::*;
use vinzy_client::calls;
use vinzy_client::tenants::{CreateTenant, NewTenant, Tenant, UpdateTenant};

use super::settings::{Draft, Overrides, SettingsFields};
use crate::components::{Buttons, Dialog, NumberField, TextField};
use crate::fetch::Deed;

/// The dialog for a new tenant.
#[component]
pub fn Creation(
    #[prop(into)] open: Signal<bool>,
    #[prop(into)] close: Callback<()>,
    #[prop(into)] created: Callback<NewTenant>,
) -> impl IntoView {
    view! {
        <Dialog title="New tenant" open close wide=true>
            <New close created />
        </Dialog>
    }
}

#[component]
fn New(close: Callback<()>, created: Callback<NewTenant>) -> impl IntoView {
    let (name, slug) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let version = RwSignal::new(String::new());
    let draft = Draft::of(&Overrides::default());
    let deed = Deed::new();
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let Some(overrides) = draft.object() else {
            return;
        };
        let tenant = CreateTenant {
            name: name.get_untracked(),
            slug: slug.get_untracked().trim().to_owned(),
            hmac_key_version: key_version(version),
            config_overrides: Some(overrides),
        };
        deed.run(calls::tenants::create(&tenant), move |new| created.run(new));
    };
    view! {
        <form class="form" on:submit=submit>
            <div class="columns">
                <TextField
                    label="Name"
                    value=name
                    placeholder="Acme"
                    hint="It stands in the ledger for good: no personal data."
                    error=deed.error("name")
                    required=true
                    first=true
                />
                <TextField
                    label="Short name"
                    value=slug
                    placeholder="acme"
                    hint="a\u{2013}z, 0\u{2013}9 and -. For good: its ledger is called after it, and nobody else gets it ever."
                    error=deed.error("slug")
                    required=true
                    monospaced=true
                />
            </div>
            <SettingsFields draft deed />
            <KeyVersion version deed />
            <Buttons label="Create tenant" deed cancel=close />
        </form>
    }
}

/// The dialog for a change.
#[component]
pub fn Change(
    /// Which tenant is changed.
    #[prop(into)]
    tenant: Signal<Option<Tenant>>,
    #[prop(into)] close: Callback<()>,
    #[prop(into)] changed: Callback<Tenant>,
) -> impl IntoView {
    let form = move || {
        tenant
            .get_untracked()
            .map(|tenant| view! { <Fields tenant close changed /> })
    };
    view! {
        <Dialog title="Edit tenant" open=Signal::derive(move || tenant.with(Option::is_some)) close wide=true>
            {form}
        </Dialog>
    }
}

#[component]
fn Fields(tenant: Tenant, close: Callback<()>, changed: Callback<Tenant>) -> impl IntoView {
    let name = RwSignal::new(tenant.name);
    let version = RwSignal::new(
        tenant
            .hmac_key_version
            .map(|version| version.to_string())
            .unwrap_or_default(),
    );
    let draft = Draft::of(&Overrides::of(&tenant.config_overrides));
    let deed = Deed::new();
    let id = tenant.id;
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let Some(overrides) = draft.object() else {
            return;
        };
        let change = UpdateTenant {
            name: Some(name.get_untracked()),
            hmac_key_version: Some(key_version(version)),
            config_overrides: Some(overrides),
        };
        deed.run(calls::tenants::update(&id, &change), move |tenant| {
            changed.run(tenant);
        });
    };
    view! {
        <form class="form" on:submit=submit>
            <TextField label="Name" value=name error=deed.error("name") required=true first=true />
            <SettingsFields draft deed />
            <KeyVersion version deed />
            <Buttons label="Save" deed cancel=close />
        </form>
    }
}

#[component]
fn KeyVersion(version: RwSignal<String>, deed: Deed) -> impl IntoView {
    view! {
        <NumberField
            label="Version of the key that signs license keys"
            value=version
            placeholder="always the newest"
            hint="One of those that the server has. Leave it empty unless you have a reason."
            min=0
            error=deed.error("hmac_key_version")
        />
    }
}

/// The version in a field; one that is too large stays too large, so that the server says what it may be.
fn key_version(text: RwSignal<String>) -> Option<u8> {
    let number: u64 = text.get_untracked().trim().parse().ok()?;
    Some(u8::try_from(number).unwrap_or(u8::MAX))
}
