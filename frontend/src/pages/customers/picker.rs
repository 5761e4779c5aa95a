//! Finding a customer in a field.

use leptos::prelude::*;
use vinzy_client::call::Part;
use vinzy_client::calls;
use vinzy_client::customers::Customer;

use super::title;
use crate::components::{Combobox, Found, NEWEST_FIRST};
use crate::fetch::fetch_if;

/// How many are offered at once.
const OFFERED: u32 = 8;

/// A field that finds a customer by name, address, company or id.
#[component]
pub fn CustomerPicker(
    #[prop(into)] label: String,
    customer: RwSignal<Option<Customer>>,
    #[prop(into, optional)] hint: String,
    #[prop(into, optional)] error: Signal<Option<String>>,
    #[prop(optional)] required: bool,
    /// Among filters.
    #[prop(optional)]
    bare: bool,
    #[prop(into, optional)] placeholder: String,
    /// Gets the customer that was chosen, or that none is any more.
    #[prop(into, optional)]
    chosen: Option<Callback<Option<Customer>>>,
) -> impl IntoView {
    let wanted = RwSignal::new(None::<String>);
    let answer = fetch_if(move || {
        wanted.get().map(|text| {
            let filter = calls::customers::Filter {
                q: Some(text),
                sort: Some(NEWEST_FIRST.to_owned()),
                ..calls::customers::Filter::default()
            };
            let part = Part {
                page_size: Some(OFFERED),
                after: None,
            };
            calls::customers::list(&filter, &part)
        })
    });
    let found = Signal::derive(move || {
        if answer.waiting.get() {
            return None;
        }
        let rows = answer.get().map(|page| page.rows).unwrap_or_default();
        Some(rows.iter().map(offered).collect())
    });
    let note = Signal::derive(move || {
        if let Some(problem) = answer.problem() {
            return problem.detail;
        }
        match answer.get() {
            Some(page) if page.next.is_some() && page.rows.is_empty() => {
                "Not among the newest 1,000 customers. Type the whole address to search all.".to_owned()
            }
            Some(page) if page.next.is_some() => "There are more: type to narrow it down.".to_owned(),
            _ => String::new(),
        }
    });
    let choose = move |one: Option<Found>| {
        let found = one.and_then(|one| {
            let page = answer.get_untracked()?;
            page.rows.into_iter().find(|customer| customer.id == one.value)
        });
        if customer.with_untracked(|customer| *customer != found) {
            customer.set(found.clone());
            if let Some(chosen) = chosen {
                chosen.run(found);
            }
        }
    };
    view! {
        <Combobox
            label
            chosen=Signal::derive(move || customer.with(|customer| customer.as_ref().map(offered)))
            choose
            wanted
            found
            note
            hint
            error
            placeholder
            required
            bare
        />
    }
}

fn offered(customer: &Customer) -> Found {
    let about = [customer.email.as_str(), customer.company.as_str()];
    let about: Vec<_> = about.into_iter().filter(|part| !part.is_empty()).collect();
    Found {
        value: customer.id.clone(),
        title: title(customer),
        about: if about.is_empty() {
            customer.id.clone()
        } else {
            about.join(" \u{b7} ")
        },
    }
}
