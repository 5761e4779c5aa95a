//! Deleting a customer, and why that is refused.

use leptos::prelude::*;
use vinzy_client::calls;
use vinzy_client::customers::Customer;
use vinzy_client::service::Problem;

use super::{Task, title};
use crate::components::Icon;
use crate::components::{Confirm, toast};
use crate::fetch::Deed;
use crate::format;
use crate::place;

/// Asks once more before a customer is deleted.
#[component]
pub fn Deletion(task: RwSignal<Option<Task>>, #[prop(into)] deleted: Callback<()>) -> impl IntoView {
    let deed = Deed::new();
    let customer = Signal::derive(move || {
        task.with(|task| match task {
            Some(Task::Delete(customer)) => Some(customer.clone()),
            _ => None,
        })
    });
    let name =
        Signal::derive(move || customer.with(|customer| customer.as_ref().map(title).unwrap_or_default()));
    let delete = move |()| {
        if let Some(customer) = customer.get_untracked() {
            deed.run(calls::customers::delete(&customer.id), move |()| {
                toast(format!("{} deleted", title(&customer)));
                task.set(None);
                deleted.run(());
            });
        }
    };
    view! {
        <Confirm
            title=Signal::derive(move || format!("Delete {}?", name.get()))
            open=Signal::derive(move || customer.with(Option::is_some))
            close=move |()| task.set(None)
            label="Delete customer"
            danger=true
            deed
            confirm=delete
        >
            <p>
                "A customer can be deleted while they have no license. Their history stays in the ledger, and their address is free again. To destroy what is known of them, erase them instead."
            </p>
            {move || licenses(deed.problem.get()?, customer.get()?)}
        </Confirm>
    }
}

/// The way to the licenses that are in the way.
fn licenses(problem: Problem, customer: Customer) -> Option<impl IntoView> {
    if problem.code != "IN_USE" {
        return None;
    }
    let count = problem
        .more
        .get("used_by")
        .and_then(|used_by| used_by.get("licenses")?.as_u64())
        .unwrap_or(0);
    let href = place::at(&format!("/licenses?customer={}", customer.id));
    Some(view! {
        <p>
            <a class="button" href=href>
                <Icon icon=icondata::LuKeyRound />
                <span>{format!("Show their {}", format::counted(count, "license", "licenses"))}</span>
            </a>
        </p>
    })
}
