//! Searching among licenses: by id, by whose they are, by key.

use leptos::prelude::*;
use vinzy_client::call::{Page, Part};
use vinzy_client::calls;
use vinzy_client::customers::Customer;

use super::filter::{Asked, Pasted, is_of_an_id, pasted};
use crate::components::Icon;
use crate::components::{Empty, Loaded, SearchFilter};
use crate::fetch::fetch_if;
use crate::pages::customers::picker::CustomerPicker;
use crate::pages::customers::title;
use crate::place::{self, Query, use_query};

/// The search field. A license key never gets into the address: its digest does.
#[component]
pub fn Search(asked: Asked) -> impl IntoView {
    let query = StoredValue::new_local(use_query());
    let take = Callback::new(move |text: String| match pasted(&text) {
        Some(Pasted::Key(digest)) => {
            query.with_value(|query| query.set(&[("q", None), ("key", Some(digest))]));
            true
        }
        Some(Pasted::Part) => true,
        None => false,
    });
    // A key that was taken goes from the field, because the field is made anew.
    move || {
        asked.key.track();
        view! { <SearchFilter name="q" label="Search by id, customer or license key" take /> }
    }
}

/// Says that a pasted key filters the list.
#[component]
pub fn KeyNotice(asked: Asked) -> impl IntoView {
    let digest = move || {
        asked
            .key
            .get()
            .map(|digest| digest.chars().take(12).collect::<String>())
    };
    move || {
        digest().map(|digest| {
            view! {
                <p class="notice filter-notice">
                    <Icon icon=icondata::LuKeyRound />
                    <span>
                        "Filtered by the license key that you pasted, through its SHA-256, which begins with "
                        <code>{digest}</code> ". The key itself is kept nowhere."
                    </span>
                </p>
            }
        })
    }
}

/// The customers that a search finds, as ways to their licenses.
#[component]
pub fn FoundCustomers(asked: Asked) -> impl IntoView {
    let found = fetch_if(move || {
        let filter = calls::customers::Filter {
            q: Some(asked.q.get()?),
            ..calls::customers::Filter::default()
        };
        let part = Part {
            page_size: Some(6),
            after: None,
        };
        Some(calls::customers::list(&filter, &part))
    });
    let query = StoredValue::new_local(use_query());
    let view = move |page: Page<Customer>| {
        let q = asked.q.get_untracked().unwrap_or_default();
        if page.rows.is_empty() {
            return nobody(&q, page.next.is_some());
        }
        let links = page
            .rows
            .into_iter()
            .map(|customer| found_customer(&customer, query))
            .collect_view();
        let more = page.next.is_some().then(|| {
            let href = place::at(&format!("/customers?q={}", vinzy_client::call::encoded(&q)));
            view! { <p><a href=href>"Search all customers"</a></p> }
        });
        view! {
            <nav class="found-customers" aria-label="Customers found">
                <p>"Customers found. Choose one to see their licenses:"</p>
                <ul>{links}</ul>
                {more}
            </nav>
        }
        .into_any()
    };
    view! {
        <Show when=move || asked.q.with(Option::is_some)>
            <Loaded fetch=found view />
        </Show>
    }
}

fn found_customer(customer: &Customer, query: StoredValue<Query, LocalStorage>) -> impl IntoView + use<> {
    let href = query.with_value(|query| query.with(&[("q", None), ("customer", Some(customer.id.clone()))]));
    let about = if customer.email.is_empty() {
        &customer.id
    } else {
        &customer.email
    };
    view! {
        <li>
            <a class="button" href=place::at(&href)>
                <Icon icon=icondata::LuUser />
                <span>
                    {title(customer)} " " <small>{about.clone()}</small>
                </span>
            </a>
        </li>
    }
}

/// Nothing to say where licenses may be found instead.
fn nobody(q: &str, is_partial: bool) -> AnyView {
    if is_of_an_id(q) {
        return ().into_any();
    }
    let about = if is_partial {
        "No customer among the first that were looked through, and no license has such an id. Search all on the page of customers."
    } else {
        "No customer\u{2019}s name, address or company holds this, and no license has such an id."
    };
    view! { <Empty title="Nothing found" about=about /> }.into_any()
}

/// Whose licenses are shown.
#[component]
pub fn CustomerFilter(asked: Asked) -> impl IntoView {
    let query = StoredValue::new_local(use_query());
    let customer = RwSignal::new(None::<Customer>);
    let known = fetch_if(move || {
        let id = asked.customer.get()?;
        let is_known =
            customer.with_untracked(|customer| customer.as_ref().is_some_and(|customer| customer.id == id));
        (!is_known).then(|| calls::customers::get(&id))
    });
    Effect::new(move |_| {
        let id = asked.customer.get();
        let is_other =
            customer.with_untracked(|customer| customer.as_ref().map(|customer| &customer.id) != id.as_ref());
        if !is_other {
            return;
        }
        let answered = known.get().filter(|answered| Some(&answered.id) == id.as_ref());
        if answered.is_some() || id.is_none() {
            customer.set(answered);
        }
    });
    let chosen = move |chosen: Option<Customer>| {
        let id = chosen.map(|customer| customer.id);
        query.with_value(|query| query.set(&[("customer", id), ("q", None)]));
    };
    view! {
        <div class="customer-filter" class:set=move || asked.customer.with(Option::is_some)>
            <CustomerPicker label="Customer" customer bare=true placeholder="Customer: all" chosen />
        </div>
    }
}
