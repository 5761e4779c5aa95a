//! What was used: totals, and each metric over time against its limit.

use leptos::prelude::*;
use vinzy_client::call::{Page, Part};
use vinzy_client::calls;
use vinzy_client::usage::UsageTotal;

use super::Here;
use super::series::Course;
use super::totals::{ByAgent, totals};
use crate::components::{Empty, Loaded, Section};
use crate::fetch::{Fetch, fetch};
use crate::place::use_query;

/// The tab.
#[component]
pub fn Usage(here: Here) -> impl IntoView {
    let query = use_query();
    let part = Part {
        page_size: Some(100),
        after: None,
    };
    let answer = fetch(move || {
        here.follow_changes();
        calls::usage::totals(&here.id.get(), here.at.get().as_deref(), &part)
    });
    let asked = query.signal("metric");
    let shown = Memo::new(move |_| chosen(answer, asked.get()));
    let is_now = Memo::new(move |_| here.at.with(Option::is_none));
    let view = move |page: Page<UsageTotal>| {
        if page.rows.is_empty() {
            return view! {
                <Empty
                    title="Nothing was recorded"
                    about="Applications record what is used with the license key. Each metric appears here with its first record."
                />
            }
            .into_any();
        }
        totals(page, shown)
    };
    view! {
        <Section title="Totals" about="What was recorded in all, and what counts against a limit now.">
            <Loaded fetch=answer view />
        </Section>
        {move || {
            let metric = shown.get().filter(|_| is_now.get())?;
            Some(view! { <Course here metric totals=answer /> })
        }}
        <Show when=move || is_now.get()>
            <ByAgent here />
        </Show>
    }
}

/// The metric that is plotted: what the address says, else the first that has a limit, else the first.
fn chosen(totals: Fetch<Page<UsageTotal>>, asked: Option<String>) -> Option<String> {
    let rows = totals.get()?.rows;
    let limited = || rows.iter().find(|row| row.limit.is_some()).or(rows.first());
    asked.or_else(|| limited().map(|row| row.metric.clone()))
}
