//! Issuing a license: a form, what will come of it, and then the key, once.

use leptos::prelude::*;
use vinzy_client::calls;
use vinzy_client::customers::Customer;
use vinzy_client::licenses::IssuedLicense;

use super::draft::Draft;
use super::form::{CustomerField, ProductField, TermFields};
use super::issued::{Issued, told};
use super::preview::Preview;
use crate::components::{Button, Empty, Kind, LinkButton, Page, Refused, Secret, toast};
use crate::fetch::{Deed, fetch_if};
use crate::place::{self, use_query};
use crate::session;

/// Issuing a license.
#[component]
pub fn NewLicense() -> impl IntoView {
    let content = if session::may().issue {
        view! { <Issue /> }.into_any()
    } else {
        view! { <Empty title="This key may not issue licenses" about="Ask for a key with the scope \u{201c}issuer\u{201d} or \u{201c}admin\u{201d}." /> }
            .into_any()
    };
    view! {
        <Page title="Issue license" above=(place::at("/licenses"), "Licenses")>
            {content}
        </Page>
    }
}

#[component]
fn Issue() -> impl IntoView {
    let draft = Draft::new();
    prefill(draft);
    let (deed, creation) = (Deed::new(), Deed::new());
    let issued = RwSignal::new(None::<IssuedLicense>);
    let secret = RwSignal::new(None::<Secret>);
    let done = move |license: IssuedLicense| {
        secret.set(Some(told(&license, draft)));
        issued.set(Some(license));
    };
    let issue = move |customer_id: &str| match draft.license(customer_id) {
        Ok(license) => deed.run(calls::licenses::issue(&license), done),
        Err(problem) => deed.problem.set(Some(*problem)),
    };
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        // One form, one license.
        if issued.with_untracked(Option::is_some) {
            return;
        }
        if !draft.is_new_customer.get_untracked() {
            let id = draft
                .customer
                .with_untracked(|customer| customer.as_ref().map(|customer| customer.id.clone()));
            issue(&id.unwrap_or_default());
        } else if let Err(problem) = draft.license("") {
            // Nobody is made for a license that cannot be.
            deed.problem.set(Some(*problem));
        } else {
            deed.clear();
            creation.run(
                calls::customers::create(&draft.new_customer()),
                move |customer: Customer| {
                    toast(format!("{} created", customer.name));
                    let id = customer.id.clone();
                    // Should the license be refused now, the next try must not make them again.
                    draft.customer.set(Some(customer));
                    draft.is_new_customer.set(false);
                    issue(&id);
                },
            );
        }
    };
    let busy = Signal::derive(move || deed.busy.get() || creation.busy.get());
    view! {
        <div class="issue">
            <form class="form section" on:submit=submit>
                <ProductField draft deed />
                <CustomerField draft deed creation />
                <TermFields draft deed />
                <Refused problem=creation.problem />
                <Refused problem=deed.problem />
                <footer class="buttons">
                    <LinkButton label="Cancel" href=place::at("/licenses") />
                    <Button kind=Kind::Primary label="Issue license" submit=true busy />
                </footer>
            </form>
            <Preview draft />
        </div>
        <Issued secret issued />
    }
}

/// Fills in what the address says.
fn prefill(draft: Draft) {
    let query = use_query();
    let (product, customer) = (query.signal("product"), query.signal("customer"));
    let customer = fetch_if(move || customer.get().map(|id| calls::customers::get(&id)));
    let wanted = product;
    let products = fetch_if(move || {
        wanted
            .get()
            .map(|code| calls::products::list(Some(&code), &vinzy_client::call::Part::default()))
    });
    Effect::new(move |_| {
        if let Some(customer) = customer.get() {
            draft.customer.set(Some(customer));
        }
    });
    Effect::new(move |_| {
        let rows = products.get().map(|page| page.rows).unwrap_or_default();
        let code = product.get_untracked();
        if let Some(product) = rows.into_iter().find(|row| Some(&row.code) == code.as_ref()) {
            draft.product.set(Some(product));
        }
    });
}
