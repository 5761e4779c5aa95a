//! A customer's page: who they are, what they hold, and what that amounts to.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use vinzy_client::calls;
use vinzy_client::customers as wire;

use super::composed::Composed;
use super::deletion::Deletion;
use super::erasure::{Certificate, Erasure};
use super::form::CustomerForm;
use super::{Task, title};
use crate::components::{
    Button, Detail, Details, Id, JsonView, Kind, LinkButton, Loaded, Moment, Page, Section,
};
use crate::fetch::{Fetch, fetch, fetch_if};
use crate::pages::licenses::CustomersLicenses;
use crate::place::{self, use_go};
use crate::session;

/// A customer's page.
#[component]
pub fn Customer() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").unwrap_or_default()));
    let customer = fetch(move || calls::customers::get(&id.get()));
    let is_erased = Memo::new(move |_| {
        customer
            .get()
            .is_some_and(|customer| customer.erased_at.is_some())
    });
    let may = session::may();
    let certificate =
        fetch_if(move || (is_erased.get() && may.read_audit).then(|| calls::customers::erasure(&id.get())));
    let task = RwSignal::new(None::<Task>);
    let erasing = RwSignal::new(false);
    let go = StoredValue::new_local(use_go());
    let name = Signal::derive(move || {
        customer
            .get()
            .map_or_else(|| "Customer".to_owned(), |customer| title(&customer))
    });
    let erased = move |proof: wire::ErasureCertificate| {
        erasing.set(false);
        certificate.put(proof);
        customer.again();
    };
    view! {
        <Page
            title=name
            above=(place::at("/customers"), "Customers")
            actions=move || view! { <Actions customer task erasing /> }
        >
            <Show when=move || is_erased.get()>
                <Certificate certificate />
            </Show>
            <Section title="Details">
                <Loaded fetch=customer view=details />
            </Section>
            <CustomersLicenses customer_id=id />
            <Composed customer_id=id />
            <CustomerForm task saved=move |changed| customer.put(changed) />
            <Deletion task deleted=move |()| go.with_value(|go| go.instead("/customers")) />
            <Erasure customer open=erasing erased />
        </Page>
    }
}

/// What can be done to a customer.
#[component]
fn Actions(
    customer: Fetch<wire::Customer>,
    task: RwSignal<Option<Task>>,
    erasing: RwSignal<bool>,
) -> impl IntoView {
    let may = session::may();
    move || {
        let known = customer.get()?;
        let is_erased = known.erased_at.is_some();
        let (edited, deleted) = (known.clone(), known.clone());
        let issue = (may.issue && !is_erased).then(|| {
            view! {
                <LinkButton
                    kind=Kind::Primary
                    icon=icondata::LuPlus
                    label="Issue license"
                    href=place::at(&format!("/licenses/new?customer={}", known.id))
                />
                <Button
                    icon=icondata::LuPencil
                    label="Edit"
                    press=move |()| task.set(Some(Task::Edit(edited.clone())))
                />
            }
        });
        let administer = may.administer.then(|| {
            view! {
                <Button
                    icon=icondata::LuTrash2
                    label="Delete"
                    press=move |()| task.set(Some(Task::Delete(deleted.clone())))
                />
                {(!is_erased)
                    .then(|| {
                        view! { <Button icon=icondata::LuEraser label="Erase" press=move |()| erasing.set(true) /> }
                    })}
            }
        });
        Some(view! {
            {issue}
            {administer}
        })
    }
}

fn details(customer: wire::Customer) -> impl IntoView {
    let company = if customer.company.is_empty() {
        "None".to_owned()
    } else {
        customer.company
    };
    let known = customer.erased_at.is_none().then(|| {
        let mail = format!("mailto:{}", customer.email);
        view! {
            <Detail name="E-mail">
                <a href=mail>{customer.email}</a>
            </Detail>
            <Detail name="Company">{company}</Detail>
        }
    });
    let erased = customer.erased_at.map(|at| {
        view! {
            <Detail name="Erased">
                <Moment at />
            </Detail>
        }
    });
    let metadata = (!customer.metadata.is_empty()).then(|| {
        view! { <JsonView value=serde_json::Value::Object(customer.metadata) what="Metadata" /> }
    });
    view! {
        <Details>
            {known}
            <Detail name="Created">
                <Moment at=customer.created_at />
            </Detail>
            {erased}
            <Detail name="Id">
                <Id id=customer.id what="Customer id" whole=true />
            </Detail>
        </Details>
        {metadata}
    }
}
