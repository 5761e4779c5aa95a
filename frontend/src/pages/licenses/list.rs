//! The list of licenses.

use leptos::prelude::*;
use vinzy_client::call::Part;
use vinzy_client::calls;
use vinzy_client::licenses::License;

use super::bulk::{Bar, Bulk};
use super::filter::{Asked, NAMES};
use super::search::{CustomerFilter, FoundCustomers, KeyNotice, Search};
use super::table::{columns, href, owners};
use super::{products, tiers};
use crate::components::Icon;
use crate::components::{
    Choice, ChoiceFilter, Empty, Filters, Kind, LinkButton, Page, Pages, Selection, TextFilter,
};
use crate::fetch::{Fetch, fetch_if};
use crate::pages::customers::names::Names;
use crate::place::{self, use_query};
use crate::session;

/// The list of licenses.
#[component]
pub fn Licenses() -> impl IntoView {
    let query = use_query();
    let asked = Asked::of(&query);
    let after = query.signal("after");
    let filter = Memo::new(move |_| asked.filter());
    let licenses = fetch_if(move || {
        let part = Part {
            page_size: Some(50),
            after: after.get(),
        };
        Some(calls::licenses::list(&filter.get()?, &part))
    });
    provide_context(Names::of(move || owners(licenses)));
    let selection = Selection::none();
    Effect::new(move |_| {
        // What was chosen may not be among what is shown any more.
        filter.track();
        selection.chosen.update(std::collections::BTreeSet::clear);
    });
    let bulk = RwSignal::new(None);
    let is_listed = move || filter.with(Option::is_some);
    view! {
        <Page
            title="Licenses"
            about="What was issued to whom, and whether it is valid."
            actions=move || view! { <Actions asked filter /> }
        >
            <Choices asked />
            <KeyNotice asked />
            <FoundCustomers asked />
            <Bar selection bulk />
            <Show when=is_listed>
                <Rows licenses asked selection />
            </Show>
            <Bulk bulk selection ended=move |()| licenses.again() />
        </Page>
    }
}

/// The rows; those who can do something to many can choose them.
#[component]
fn Rows(
    licenses: Fetch<vinzy_client::call::Page<License>>,
    asked: Asked,
    selection: Selection,
) -> impl IntoView {
    let may = session::may();
    let (label, noun) = ("Licenses", ("license", "licenses"));
    let empty = move || empty(asked);
    if may.help || may.issue {
        let selection = (selection, key as fn(&License) -> (String, String));
        view! { <Pages fetch=licenses label columns noun href=href selection empty /> }.into_any()
    } else {
        view! { <Pages fetch=licenses label columns noun href=href empty /> }.into_any()
    }
}

fn key(license: &License) -> (String, String) {
    (license.id.clone(), format!("license {}", license.id))
}

#[component]
fn Choices(asked: Asked) -> impl IntoView {
    let products = products();
    let codes = Signal::derive(move || {
        let products = products.get().map(|page| page.rows).unwrap_or_default();
        products
            .into_iter()
            .map(|product| {
                Choice::new(
                    product.code.clone(),
                    format!("{} \u{2013} {}", product.code, product.name),
                )
            })
            .collect()
    });
    let statuses = Signal::stored(
        [
            ("active", "Active"),
            ("suspended", "Suspended"),
            ("expired", "Expired"),
            ("revoked", "Revoked"),
        ]
        .map(|(value, label)| Choice::new(value, label))
        .to_vec(),
    );
    let endings = Signal::stored(
        [
            ("30", "Within 30 days"),
            ("90", "Within 90 days"),
            ("expired", "Already ended"),
        ]
        .map(|(value, label)| Choice::new(value, label))
        .to_vec(),
    );
    view! {
        <Filters names=NAMES>
            <Search asked />
            <ChoiceFilter name="status" label="Status" choices=statuses />
            <ChoiceFilter name="product" label="Product" choices=codes />
            <ChoiceFilter name="expiring" label="Ending" choices=endings />
            <TextFilter name="tier" label="Tier" suggestions=tiers(products) />
            <CustomerFilter asked />
        </Filters>
    }
}

/// Issuing one, and taking all of them along.
#[component]
fn Actions(asked: Asked, filter: Memo<Option<calls::licenses::Filter>>) -> impl IntoView {
    let csv = move || {
        filter
            .get()
            .map(|filter| place::api(&calls::licenses::csv(&filter).path))
    };
    let may = session::may();
    view! {
        <a class="button" download="licenses.csv" href=csv title="All licenses that the filters show, as a table for spreadsheets">
            <Icon icon=icondata::LuDownload />
            <span>"Export CSV"</span>
        </a>
        {may
            .issue
            .then(|| {
                view! {
                    <LinkButton
                        kind=Kind::Primary
                        icon=icondata::LuPlus
                        label="Issue license"
                        href=Signal::derive(move || place::at(&asked.issue()))
                    />
                }
            })}
    }
}

fn empty(asked: Asked) -> AnyView {
    if asked.key.with(Option::is_some) {
        return view! {
            <Empty
                title="No license has this key"
                about="It was not issued here, or its license was deleted. Look for a mistyped character."
            />
        }
        .into_any();
    }
    if asked.is_any() {
        return view! { <Empty title="No license found" about="None fits all filters." /> }.into_any();
    }
    let issue = || {
        session::may().issue.then(|| {
            view! {
                <LinkButton
                    kind=Kind::Primary
                    icon=icondata::LuPlus
                    label="Issue license"
                    href=place::at("/licenses/new")
                />
            }
        })
    };
    view! {
        <Empty
            title="No licenses yet"
            about="A license lets a customer use a product. Applications ask with its key whether they may run."
            children=issue
        />
    }
    .into_any()
}
