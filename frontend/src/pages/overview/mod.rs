//! The overview: what there is, what happened lately, and what wants attention.

mod activity;
mod attention;
mod head;
mod licenses;
mod steps;

use leptos::prelude::*;
use vinzy_client::calls;

use activity::Activity;
use attention::Attention;
use head::Head;
use licenses::Licenses;
use steps::Steps;

use crate::components::Icon;
use crate::components::{Loaded, Page};
use crate::fetch::fetch;
use crate::place::{self, use_query};

type Data = vinzy_client::overview::Overview;

/// Days that can be looked back on; the first is what an address without `?days=` shows.
const RANGES: [u32; 3] = [30, 7, 90];

/// The page.
#[component]
pub fn Overview() -> impl IntoView {
    let query = use_query();
    let wanted = query.signal("days");
    let days = Memo::new(move |_| {
        let wanted = wanted.get().and_then(|days| days.parse().ok());
        wanted.filter(|days| RANGES.contains(days)).unwrap_or(RANGES[0])
    });
    let overview = fetch(move || calls::service::overview(days.get()));
    let is_empty = Memo::new(move |_| overview.get().is_some_and(|data| is_empty(&data)));
    let view = move |data: Data| {
        if is_empty.get_untracked() {
            return view! { <Steps /> }.into_any();
        }
        view! { <Whole data days=days.get_untracked() /> }.into_any()
    };
    view! {
        <Page
            title="Overview"
            actions=move || view! { <Show when=move || !is_empty.get()><Range days /></Show> }
        >
            <Loaded fetch=overview view />
        </Page>
    }
}

/// Whether there is no license yet, and nothing happened to one.
fn is_empty(data: &Data) -> bool {
    let counts = data.licenses;
    let licenses = counts.active + counts.suspended + counts.revoked + counts.expired;
    licenses == 0 && data.activity.iter().all(|day| day.licenses_created == 0)
}

/// The days that are looked back on, to choose.
#[component]
fn Range(days: Memo<u32>) -> impl IntoView {
    let query = StoredValue::new_local(use_query());
    let mut ranges = RANGES;
    ranges.sort_unstable();
    let links = ranges.map(|range| {
        let path = query.with_value(|query| {
            let value = (range != RANGES[0]).then(|| range.to_string());
            query.with(&[("days", value)])
        });
        view! {
            <a
                href=place::at(&path)
                data-noscroll="true"
                aria-current=move || (days.get() == range).then_some("true")
            >
                {format!("{range} days")}
            </a>
        }
    });
    view! {
        <nav class="ranges" aria-label="How far to look back">
            {links}
        </nav>
    }
}

#[component]
fn Whole(data: Data, days: u32) -> impl IntoView {
    view! {
        <Licenses counts=data.licenses />
        <Attention data=data.clone() />
        <Activity activity=data.activity usage=data.usage days />
        <Head head=data.ledger />
    }
}

/// A number that leads to what it counts.
#[component]
fn Figure(
    #[prop(into)] value: String,
    #[prop(into)] label: String,
    /// What the number means.
    #[prop(into)]
    about: String,
    #[prop(optional_no_strip)] href: Option<String>,
    /// A class for its color.
    #[prop(optional)]
    tone: &'static str,
) -> impl IntoView {
    let number = view! { <strong class=format!("figure-value {tone}")>{value}</strong> };
    let content = view! {
        <span class="figure-label">{label}</span>
        {number}
        <small>{about}</small>
    };
    match href {
        Some(href) => view! {
            <a class="figure" href=href>
                {content}
                <Icon icon=icondata::LuArrowUpRight />
            </a>
        }
        .into_any(),
        None => view! { <div class="figure">{content}</div> }.into_any(),
    }
}
