//! The list of customers.

use leptos::prelude::*;
use vinzy_client::call::{Page as Rows, Part};
use vinzy_client::calls;
use vinzy_client::customers::Customer;

use super::deletion::Deletion;
use super::form::CustomerForm;
use super::{Task, title};
use crate::components::{
    Badge, Button, Column, Day, Empty, Filters, Icon, Kind, Loaded, NEWEST_FIRST, Page, Pages, SearchFilter,
    Table, Tone,
};
use crate::fetch::{Fetch, fetch};
use crate::format;
use crate::place::{self, use_go, use_query};
use crate::session;

/// The list of customers.
#[component]
pub fn Customers() -> impl IntoView {
    let query = use_query();
    let (search, sort, after) = (query.signal("q"), query.signal("sort"), query.signal("after"));
    let customers = fetch(move || {
        let filter = calls::customers::Filter {
            q: search.get(),
            sort: Some(sort.get().unwrap_or_else(|| NEWEST_FIRST.to_owned())),
            ..calls::customers::Filter::default()
        };
        let part = Part {
            page_size: Some(50),
            after: after.get(),
        };
        calls::customers::list(&filter, &part)
    });
    let task = RwSignal::new(None::<Task>);
    provide_context(task);
    let go = StoredValue::new_local(use_go());
    let saved = move |customer: Customer| {
        let is_new =
            untrack(|| customers.get()).is_none_or(|page| page.rows.iter().all(|row| row.id != customer.id));
        if is_new {
            go.with_value(|go| go.to(&format!("/customers/{}", customer.id)));
        } else {
            customers.again();
        }
    };
    let is_search = Memo::new(move |_| search.with(Option::is_some));
    view! {
        <Page
            title="Customers"
            about="Who licenses are issued to. Their personal data are sealed, and can be erased for good."
            actions=create
        >
            <Filters names=&["q"]>
                <SearchFilter name="q" label="Search by name, e-mail, company or id" />
            </Filters>
            {move || {
                if is_search.get() {
                    view! { <Search customers search /> }.into_any()
                } else {
                    view! {
                        <Pages
                            fetch=customers
                            label="Customers"
                            columns
                            noun=("customer", "customers")
                            href=href
                            empty=empty
                        />
                    }
                        .into_any()
                }
            }}
            <CustomerForm task saved />
            <Deletion task deleted=move |()| customers.again() />
        </Page>
    }
}

fn create() -> impl IntoView {
    let task: RwSignal<Option<Task>> = expect_context();
    session::may().issue.then(|| {
        view! {
            <Button
                kind=Kind::Primary
                icon=icondata::LuPlus
                label="New customer"
                press=move |()| task.set(Some(Task::Create))
            />
        }
    })
}

fn empty() -> impl IntoView {
    view! {
        <Empty
            title="No customers yet"
            about="A customer is a person or a company that holds licenses. They can also be added while a license is issued."
            children=create
        />
    }
}

/// What a search found. The server looks through a part of all customers at a time and counts none, so the end of a page
/// says how to go on.
#[component]
fn Search(customers: Fetch<Rows<Customer>>, search: Memo<Option<String>>) -> impl IntoView {
    let query = StoredValue::new_local(use_query());
    let view = move |page: Rows<Customer>| {
        let count = page.rows.len() as u64;
        let next = page.next.map(|next| {
            let href = place::at(&query.with_value(|query| query.with(&[("after", Some(next))])));
            view! {
                <nav aria-label="Pages">
                    <a class="button" rel="next" href=href>
                        <span>"Search on"</span>
                        <Icon icon=icondata::LuChevronRight />
                    </a>
                </nav>
            }
        });
        let words = match (count, next.is_some()) {
            (0, _) => "Nobody among those that were looked through so far".to_owned(),
            (count, true) => format!("{} so far", format::counted(count, "customer", "customers")),
            (count, false) => format::counted(count, "customer", "customers"),
        };
        if count == 0 && next.is_none() {
            let text = search.get_untracked().unwrap_or_default();
            return view! {
                <Empty
                    title="No customer found"
                    about=format!("No name, address or company holds \u{201c}{text}\u{201d}, and no id begins so.")
                />
            }
            .into_any();
        }
        view! {
            {(count > 0)
                .then(|| {
                    view! { <Table label="Customers" rows=page.rows columns=columns() href=Some(href) selection=None /> }
                })}
            <footer class="pager">
                <p>{words}</p>
                {next}
            </footer>
        }
        .into_any()
    };
    view! { <Loaded fetch=customers view /> }
}

fn href(customer: &Customer) -> String {
    place::of("/customers", &customer.id)
}

fn columns() -> Vec<Column<Customer>> {
    let task: RwSignal<Option<Task>> = expect_context();
    let may = session::may();
    let mut columns = vec![
        Column::new("Name", |customer: &Customer| {
            let company = customer.company.clone();
            view! {
                <span class="two-lines">
                    <strong>{title(customer)}</strong>
                    <small>{company}</small>
                </span>
            }
        }),
        Column::new("E-mail", |customer: &Customer| match customer.erased_at {
            Some(_) => view! { <Badge label="Erased" tone=Tone::Over /> }.into_any(),
            None => customer.email.clone().into_any(),
        }),
        Column::new(
            "Created",
            |customer: &Customer| view! { <Day at=customer.created_at.clone() /> },
        )
        .sorted_by("created"),
        Column::new("Licenses", |customer: &Customer| {
            let href = place::at(&format!("/licenses?customer={}", customer.id));
            view! { <a href=href aria-label=format!("Licenses of {}", title(customer))>"Show"</a> }
        }),
    ];
    if may.issue || may.administer {
        columns.push(Column::new("", move |customer: &Customer| buttons(customer, task)).actions());
    }
    columns
}

fn buttons(customer: &Customer, task: RwSignal<Option<Task>>) -> impl IntoView + use<> {
    let may = session::may();
    let name = title(customer);
    let (edited, deleted) = (customer.clone(), customer.clone());
    let is_erased = customer.erased_at.is_some();
    let edit = (may.issue && !is_erased).then(|| {
        view! {
            <Button
                kind=Kind::Quiet
                icon=icondata::LuPencil
                icon_only=true
                label=format!("Edit {name}")
                press=move |()| task.set(Some(Task::Edit(edited.clone())))
            />
        }
    });
    let delete = may.administer.then(|| {
        view! {
            <Button
                kind=Kind::Quiet
                icon=icondata::LuTrash2
                icon_only=true
                label=format!("Delete {name}")
                press=move |()| task.set(Some(Task::Delete(deleted.clone())))
            />
        }
    });
    view! {
        {edit}
        {delete}
    }
}
