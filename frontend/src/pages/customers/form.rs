//! A new customer, or a change of one.

use leptos::prelude::*;
use vinzy_client::calls;
use vinzy_client::customers::{CreateCustomer, Customer, UpdateCustomer};

use super::Task;
use crate::components::json::{object_text, parse_object};
use crate::components::{Buttons, Dialog, JsonField, TextField, toast};
use crate::fetch::Deed;

/// The dialog in which a customer is made or changed. `saved` gets the customer as they are then.
#[component]
pub fn CustomerForm(task: RwSignal<Option<Task>>, #[prop(into)] saved: Callback<Customer>) -> impl IntoView {
    let open = Signal::derive(move || task.with(|task| matches!(task, Some(Task::Create | Task::Edit(_)))));
    let title = Signal::derive(move || {
        task.with(|task| match task {
            Some(Task::Edit(customer)) => format!("Edit {}", super::title(customer)),
            _ => "New customer".to_owned(),
        })
    });
    let close = Callback::new(move |()| task.set(None));
    view! {
        <Dialog title open close>
            {move || {
                let edited = match task.get_untracked() {
                    Some(Task::Edit(customer)) => Some(customer),
                    _ => None,
                };
                view! { <Fields edited close saved /> }
            }}
        </Dialog>
    }
}

#[component]
fn Fields(edited: Option<Customer>, close: Callback<()>, saved: Callback<Customer>) -> impl IntoView {
    let field = |of: fn(&Customer) -> &str| {
        RwSignal::new(
            edited
                .as_ref()
                .map_or(String::new(), |customer| of(customer).to_owned()),
        )
    };
    let name = field(|customer| &customer.name);
    let email = field(|customer| &customer.email);
    let company = field(|customer| &customer.company);
    let metadata = RwSignal::new(
        edited
            .as_ref()
            .map(|customer| object_text(&customer.metadata))
            .unwrap_or_default(),
    );
    let deed = Deed::new();
    let id = edited.map(|customer| customer.id);
    let is_new = id.is_none();
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let Ok(metadata) = parse_object(&metadata.get_untracked()) else {
            return;
        };
        let content = CreateCustomer {
            name: name.get_untracked().trim().to_owned(),
            email: email.get_untracked().trim().to_owned(),
            company: Some(company.get_untracked().trim().to_owned()),
            metadata: Some(metadata),
        };
        let call = match &id {
            None => calls::customers::create(&content),
            Some(id) => calls::customers::update(id, &change(content)),
        };
        deed.run(call, move |customer| {
            let done = if is_new { "created" } else { "saved" };
            toast(format!("{} {done}", customer.name));
            close.run(());
            saved.run(customer);
        });
    };
    view! {
        <form class="form" on:submit=submit>
            <TextField label="Name" value=name error=deed.error("name") required=true first=true />
            <TextField
                label="E-mail"
                value=email
                kind="email"
                hint="Each address belongs to one customer."
                error=deed.error("email")
                required=true
            />
            <TextField label="Company" value=company error=deed.error("company") />
            <JsonField
                label="Metadata"
                value=metadata
                hint="Your own data about them, as a JSON object."
                error=deed.error("metadata")
            />
            <Buttons label=if is_new { "Create customer" } else { "Save" } deed cancel=close />
        </form>
    }
}

fn change(content: CreateCustomer) -> UpdateCustomer {
    UpdateCustomer {
        name: Some(content.name),
        email: Some(content.email),
        company: content.company,
        metadata: content.metadata,
    }
}
