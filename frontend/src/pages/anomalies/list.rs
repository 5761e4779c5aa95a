//! The list of anomalies.

use leptos::prelude::*;
use vinzy_client::anomalies::Anomaly;
use vinzy_client::call::Part;
use vinzy_client::calls;

use super::words::{expected, score};
use crate::components::{
    Badge, Choice, ChoiceFilter, Column, Empty, Filters, Moment, Page, Pages, SearchFilter, Tone,
};
use crate::fetch::fetch;
use crate::format;
use crate::place::{self, use_query};
use crate::text;

/// Names of the filters in the address.
const FILTERS: [&str; 4] = ["severity", "state", "metric", "license"];

/// The page.
#[component]
pub fn Anomalies() -> impl IntoView {
    let query = use_query();
    let [severity, state, metric, license] = FILTERS.map(|name| query.signal(name));
    let after = query.signal("after");
    let anomalies = fetch(move || {
        let filter = calls::anomalies::Filter {
            license_id: license.get(),
            severity: severity.get(),
            metric: metric.get(),
            resolved: state.get().map(|state| state == "resolved"),
        };
        let part = Part {
            page_size: Some(50),
            after: after.get(),
        };
        calls::anomalies::list(&filter, &part)
    });
    let is_filtered = move || {
        [severity, state, metric, license]
            .iter()
            .any(|one| one.with(Option::is_some))
    };
    let empty = move || {
        if is_filtered() {
            view! { <Empty title="No anomaly found" about="None is as the filters say." /> }
        } else {
            view! {
                <Empty
                    title="Nothing stood out"
                    about="Each recorded value is compared with up to 30 of the same license and metric before it. What is far from them appears here, for somebody to look at."
                />
            }
        }
    };
    let severities = [("critical", "Critical"), ("high", "High"), ("medium", "Medium")];
    let states = [("open", "Open"), ("resolved", "Resolved")];
    let choices = |of: &[(&str, &str)]| {
        of.iter()
            .map(|(value, words)| Choice::new(*value, *words))
            .collect::<Vec<_>>()
    };
    view! {
        <Page
            title="Anomalies"
            about="Recorded values that stand out from those before them. Nothing is refused because of them: they are for you to look at."
        >
            <Filters names=&FILTERS>
                <ChoiceFilter name="severity" label="Severity" choices=choices(&severities) />
                <ChoiceFilter name="state" label="State" choices=choices(&states) />
                <SearchFilter name="metric" label="Metric, by its whole name" />
                <SearchFilter name="license" label="License, by its whole id" />
            </Filters>
            <Pages
                fetch=anomalies
                label="Anomalies"
                columns
                noun=("anomaly", "anomalies")
                href
                empty
            />
        </Page>
    }
}

/// The page of an anomaly.
pub fn href(anomaly: &Anomaly) -> String {
    place::of("/anomalies", &anomaly.id)
}

fn columns() -> Vec<Column<Anomaly>> {
    let mut columns = columns_of_license();
    columns.insert(
        2,
        Column::new("License", |anomaly: &Anomaly| {
            let name = text::short_id(&anomaly.license_id);
            view! {
                <a href=place::of("/licenses", &anomaly.license_id)>
                    <code title=anomaly.license_id.clone()>{name}</code>
                </a>
            }
        }),
    );
    columns
}

/// What a list of one license's anomalies shows.
pub fn columns_of_license() -> Vec<Column<Anomaly>> {
    vec![
        Column::new("Severity", |anomaly: &Anomaly| {
            view! { <Badge label=text::capitalized(&anomaly.severity) tone=Tone::of_severity(&anomaly.severity) /> }
        }),
        Column::new("Metric", |anomaly: &Anomaly| view! { <code>{anomaly.metric.clone()}</code> }),
        Column::new("Value", |anomaly: &Anomaly| format::amount(&anomaly.observed_value)).numeric(),
        Column::new("Expected", |anomaly: &Anomaly| expected(anomaly).words).numeric(),
        Column::new("z", |anomaly: &Anomaly| {
            view! { <abbr title="How many standard deviations the value is from the mean">{score(anomaly)}</abbr> }
        })
        .numeric(),
        Column::new("When", |anomaly: &Anomaly| view! { <Moment at=anomaly.created_at.clone() /> }),
        Column::new("State", |anomaly: &Anomaly| {
            if anomaly.resolved {
                view! { <Badge label="Resolved" tone=Tone::Over /> }
            } else {
                view! { <Badge label="Open" /> }
            }
        }),
    ]
}
