//! What the customers of many rows are called, asked for in one call.

use std::collections::BTreeSet;

use leptos::prelude::*;
use vinzy_client::call::{Page, Part};
use vinzy_client::calls;
use vinzy_client::customers::Customer;

use super::title;
use crate::fetch::{Fetch, fetch_if};
use crate::place;
use crate::text::short_id;

/// Names by customer, as far as they are known.
#[derive(Clone, Copy)]
pub struct Names(Fetch<Page<Customer>>);

impl Names {
    /// Asks for the names of customers, by their ids: one call for all of them, at most 100.
    pub fn of(ids: impl Fn() -> BTreeSet<String> + Send + Sync + 'static) -> Self {
        let ids = Memo::new(move |_| ids());
        Self(fetch_if(move || {
            let ids = ids.get();
            (!ids.is_empty()).then(|| {
                let filter = calls::customers::Filter {
                    ids: ids.into_iter().collect(),
                    ..calls::customers::Filter::default()
                };
                let part = Part {
                    page_size: Some(100),
                    after: None,
                };
                calls::customers::list(&filter, &part)
            })
        }))
    }

    fn get(self, id: &str) -> Option<Customer> {
        self.0.with(|answer| {
            let page = answer?.ok()?;
            page.rows.iter().find(|customer| customer.id == id).cloned()
        })
    }
}

/// A customer's name as a link to their page; their id until it is known. Names come from the context.
#[component]
pub fn CustomerName(id: String) -> impl IntoView {
    let names: Names = expect_context();
    let href = place::of("/customers", &id);
    let words = move || match names.get(&id) {
        Some(customer) => {
            let company = customer.company.clone();
            view! {
                <span>{title(&customer)}</span>
                <small>{company}</small>
            }
            .into_any()
        }
        None => view! { <code>{short_id(&id)}</code> }.into_any(),
    };
    view! { <a class="two-lines" href=href>{words}</a> }
}
