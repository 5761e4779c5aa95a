//! What happened, day by day.

use leptos::prelude::*;
use vinzy_client::overview::{DayOfActivity, MetricUsage};
use vinzy_client::usage::UsagePoint;

use crate::components::{Plot, Section, Series, Shape};
use crate::format;

/// Activations, validations, and the use of each metric.
#[component]
pub fn Activity(activity: Vec<DayOfActivity>, usage: Vec<MetricUsage>, days: u32) -> impl IntoView {
    let labels: Vec<String> = activity
        .iter()
        .map(|day| format::utc_day(&day.starts_at))
        .collect();
    let about = format!("The last {days} days, by day in UTC. Today is not over.");
    view! {
        <div class="cards">
            <Daily
                title="Activations"
                about="Machines that took a seat of a license, and seats that became free."
                labels=labels.clone()
                series=vec![
                    of(&activity, "Activated", |day| day.activations),
                    of(&activity, "Freed", |day| day.deactivations),
                ]
            />
            <Daily
                title="Validations"
                about="How often applications checked a license key, as far as the ledger notes it."
                labels=labels.clone()
                series=vec![of(&activity, "Validations", |day| day.validations)]
            />
            <Daily
                title="Licenses issued"
                about=about.clone()
                labels
                series=vec![of(&activity, "Issued", |day| day.licenses_created)]
            />
        </div>
        <Usage usage about />
    }
}

fn of(activity: &[DayOfActivity], name: &str, value: fn(&DayOfActivity) -> u64) -> Series {
    Series {
        name: name.to_owned(),
        values: activity.iter().map(|day| inexact(value(day))).collect(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a plot need not be exact")]
const fn inexact(count: u64) -> f64 {
    count as f64
}

/// Counts by day, with their sum.
#[component]
fn Daily(
    title: &'static str,
    #[prop(into)] about: String,
    labels: Vec<String>,
    series: Vec<Series>,
) -> impl IntoView {
    let total: f64 = series.first().map_or(0.0, |first| first.values.iter().sum());
    view! {
        <section class="section daily">
            <h2>{title}</h2>
            <p class="total">{format::short(total)}</p>
            <p class="about">{about}</p>
            <Plot title labels series shape=Shape::Bars />
        </section>
    }
}

/// The metrics that were recorded most often.
#[component]
fn Usage(usage: Vec<MetricUsage>, about: String) -> impl IntoView {
    if usage.is_empty() {
        return view! {
            <Section title="Usage">
                <p class="about">"No usage was recorded in these days. Applications record it with /usage/record."</p>
            </Section>
        }
        .into_any();
    }
    let metrics: Vec<_> = usage
        .into_iter()
        .map(|metric| view! { <Metric metric /> })
        .collect();
    view! {
        <Section title="Usage" about=format!("The metrics that were recorded most often, of all licenses. {about}")>
            <div class="metrics">{metrics}</div>
        </Section>
    }
    .into_any()
}

#[component]
fn Metric(metric: MetricUsage) -> impl IntoView {
    let labels = metric
        .points
        .iter()
        .map(|point| format::utc_day(&point.starts_at))
        .collect();
    let values = metric.points.iter().map(approximate).collect();
    let series = vec![Series {
        name: metric.metric.clone(),
        values,
    }];
    view! {
        <div class="metric">
            <h3>{metric.metric.clone()}</h3>
            <p class="total">{format::amount(&metric.total_value)}</p>
            <p class="about">{format!("in {}", format::counted(metric.record_count, "record", "records"))}</p>
            <Plot title=metric.metric labels series shape=Shape::Lines />
        </div>
    }
}

fn approximate(point: &UsagePoint) -> f64 {
    point.total_value.to_string().parse().unwrap_or(0.0)
}
