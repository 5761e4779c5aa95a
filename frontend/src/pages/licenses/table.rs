//! Licenses as rows.

use std::collections::BTreeSet;

use leptos::prelude::*;
use vinzy_client::call::{Page, Part};
use vinzy_client::calls;
use vinzy_client::licenses::License;

use crate::components::{Ago, Badge, Column, Day, Empty, NEWEST_FIRST, Pages, Section, Tone};
use crate::fetch::{Fetch, fetch};
use crate::format;
use crate::pages::customers::names::CustomerName;
use crate::place::{self, use_query};
use crate::text::{capitalized, license_status, short_id};

/// Where a row leads to.
pub fn href(license: &License) -> String {
    place::of("/licenses", &license.id)
}

/// Whose the licenses of a page are.
pub fn owners(licenses: Fetch<Page<License>>) -> BTreeSet<String> {
    licenses.with(|answer| match answer {
        Some(Ok(page)) => page
            .rows
            .iter()
            .map(|license| license.customer_id.clone())
            .collect(),
        _ => BTreeSet::new(),
    })
}

/// The columns of a list of anybody's licenses. Names of customers come from the context.
pub fn columns() -> Vec<Column<License>> {
    let mut columns = own_columns();
    let customer = |license: &License| view! { <CustomerName id=license.customer_id.clone() /> };
    columns.insert(1, Column::new("Customer", customer));
    columns
}

/// The columns of a list of one customer's licenses.
fn own_columns() -> Vec<Column<License>> {
    vec![
        Column::new("Id", |license: &License| {
            view! { <code title=license.id.clone()>{short_id(&license.id)}</code> }
        }),
        Column::new(
            "Product",
            |license: &License| view! { <code>{license.product_code.clone()}</code> },
        ),
        Column::new("Tier", |license: &License| license.tier.clone()),
        Column::new("Status", |license: &License| {
            view! {
                <span title=license_status(&license.status)>
                    <Badge label=capitalized(&license.status) tone=Tone::of_license(&license.status) />
                </span>
            }
        }),
        Column::new("Machines", machines).numeric(),
        Column::new("Ends", ends).sorted_by("expires_at"),
        Column::new(
            "Created",
            |license: &License| view! { <Day at=license.created_at.clone() /> },
        )
        .sorted_by("created"),
    ]
}

fn machines(license: &License) -> impl IntoView + use<> {
    let used = format::count(license.machines_used.into());
    let (words, about) = match license.machines_limit {
        Some(limit) => (
            format!("{used} of {}", format::count(limit.into())),
            "Machines in use, and how many there may be at once",
        ),
        None => (
            format!("{used}, no limit"),
            "Machines in use; there may be any number",
        ),
    };
    view! { <span class="nowrap" title=about>{words}</span> }
}

fn ends(license: &License) -> AnyView {
    match license.expires_at.clone() {
        None => "Never".into_any(),
        Some(at) => view! {
            <span class="two-lines nowrap">
                <Day at=at.clone() />
                <small>
                    <Ago at />
                </small>
            </span>
        }
        .into_any(),
    }
}

/// All licenses of a customer, on their page.
#[component]
pub fn CustomersLicenses(customer_id: Memo<String>) -> impl IntoView {
    let query = use_query();
    let (sort, after) = (query.signal("sort"), query.signal("after"));
    let licenses = fetch(move || {
        let filter = calls::licenses::Filter {
            customer_id: Some(customer_id.get()),
            sort: Some(sort.get().unwrap_or_else(|| NEWEST_FIRST.to_owned())),
            ..calls::licenses::Filter::default()
        };
        let part = Part {
            page_size: Some(20),
            after: after.get(),
        };
        calls::licenses::list(&filter, &part)
    });
    let empty = || view! { <Empty title="No licenses" about="None was issued to this customer, or all were deleted." /> };
    view! {
        <Section title="Licenses">
            <Pages
                fetch=licenses
                label="Licenses of this customer"
                columns=own_columns
                noun=("license", "licenses")
                href=href
                empty
            />
        </Section>
    }
}
