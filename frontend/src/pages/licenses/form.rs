//! The fields of a new license.

use leptos::prelude::*;
use vinzy_client::call::Part;
use vinzy_client::calls;
use vinzy_client::products::Product;

use super::draft::Draft;
use crate::components::{
    Button, Choice, ChoiceField, Combobox, FeaturesField, Found, JsonField, Kind, NumberField, SwitchField,
    TextField, TimeField,
};
use crate::fetch::{Deed, fetch_if};
use crate::pages::customers::picker::CustomerPicker;

/// What is sold.
#[component]
pub fn ProductField(draft: Draft, deed: Deed) -> impl IntoView {
    let wanted = RwSignal::new(None::<String>);
    let answer = fetch_if(move || {
        let text = wanted.get()?;
        let part = Part {
            page_size: Some(8),
            after: None,
        };
        Some(calls::products::list(Some(&text), &part))
    });
    let found = Signal::derive(move || {
        if answer.waiting.get() {
            return None;
        }
        let rows = answer.get().map(|page| page.rows).unwrap_or_default();
        Some(rows.iter().map(offered).collect())
    });
    let note = Signal::derive(move || match (answer.problem(), answer.get()) {
        (Some(problem), _) => problem.detail,
        (None, Some(page)) if page.next.is_some() => "There are more: type to narrow it down.".to_owned(),
        _ => String::new(),
    });
    let choose = move |one: Option<Found>| {
        let product = one.and_then(|one| {
            let page = answer.get_untracked()?;
            page.rows.into_iter().find(|product| product.code == one.value)
        });
        draft.product.set(product);
    };
    view! {
        <Combobox
            label="Product"
            chosen=Signal::derive(move || draft.product.with(|product| product.as_ref().map(offered)))
            choose
            wanted
            found
            note
            hint="Type its code or name. Its code begins the license key."
            error=deed.error("product_code")
            required=true
            first=true
        />
    }
}

fn offered(product: &Product) -> Found {
    Found {
        value: product.code.clone(),
        title: format!("{} \u{2013} {}", product.code, product.name),
        about: product.description.clone(),
    }
}

/// Whose the license will be: somebody known, or somebody new.
#[component]
pub fn CustomerField(draft: Draft, deed: Deed, creation: Deed) -> impl IntoView {
    let turn = move |()| {
        draft.is_new_customer.update(|is_new| *is_new = !*is_new);
        deed.clear();
        creation.clear();
    };
    let field = move || {
        if draft.is_new_customer.get() {
            view! {
                <div class="columns">
                    <TextField label="Customer\u{2019}s name" value=draft.name error=creation.error("name") required=true first=true />
                    <TextField label="E-mail" value=draft.email kind="email" error=creation.error("email") required=true />
                    <TextField label="Company" value=draft.company error=creation.error("company") />
                </div>
            }
            .into_any()
        } else {
            view! {
                <CustomerPicker
                    label="Customer"
                    customer=draft.customer
                    hint="Type a name, an e-mail address, a company or an id."
                    error=deed.error("customer_id")
                    required=true
                />
            }
            .into_any()
        }
    };
    view! {
        {field}
        <div class="actions">
            {move || {
                let (icon, label) = if draft.is_new_customer.get() {
                    (icondata::LuSearch, "Choose a customer instead")
                } else {
                    (icondata::LuUserPlus, "New customer")
                };
                view! { <Button kind=Kind::Quiet icon label press=turn /> }
            }}
        </div>
    }
}

/// What the license allows, for how long, and on how many machines.
#[component]
pub fn TermFields(draft: Draft, deed: Deed) -> impl IntoView {
    let ends = vec![
        Choice::new("days", "After some days"),
        Choice::new("date", "On a date"),
        Choice::new("never", "Never"),
    ];
    let tier_hint = "Left empty, it is the product\u{2019}s default tier.";
    let when = move || {
        match draft.ends.get().as_str() {
        "days" => view! {
            <NumberField label="Days" value=draft.days hint="From now, 1 to 36,500." error=deed.error("days_valid") />
        }
        .into_any(),
        "date" => view! {
            <TimeField label="Ends at" value=draft.date hint="In your time zone." error=deed.error("expires_at") />
        }
        .into_any(),
        _ => ().into_any(),
    }
    };
    view! {
        <TextField label="Tier" value=draft.tier hint=tier_hint placeholder="standard" error=deed.error("tier") />
        <div class="columns">
            <ChoiceField label="Ends" value=draft.ends choices=ends />
            {when}
        </div>
        <div class="columns">
            <NumberField
                label="Machines"
                value=draft.machines
                hint="How many at once."
                error=deed.error("machines_limit")
                disabled=draft.is_unlimited
            />
            <SwitchField label="Any number of machines" value=draft.is_unlimited />
        </div>
        <FeaturesField
            label="Overrides"
            value=draft.overrides
            hint="What differs from the product\u{2019}s features. The preview shows what comes of it."
            error=deed.error("entitlements")
        />
        <JsonField
            label="Metadata"
            value=draft.metadata
            hint="Your own data, as a JSON object. Applications see them."
            error=deed.error("metadata")
        />
    }
}
