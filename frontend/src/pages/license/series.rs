//! A metric over time: how much in each hour or day, and how it adds up against its limit.

use leptos::prelude::*;
use vinzy_client::call::Page;
use vinzy_client::calls;
use vinzy_client::usage::{UsagePoint, UsageSeries, UsageTotal};

use super::Here;
use super::entitlements::period as of_period;
use crate::components::{Loaded, Plot, Section, Segments, Series, Shape};
use crate::fetch::{Fetch, fetch};
use crate::format;
use crate::place::use_query;

/// Name in the address, words, the bucket, and how many of them. All are ends of what the server gives when it is
/// not asked for a time, so that its clock decides what is now.
const RANGES: [(&str, &str, &str, usize); 5] = [
    ("24h", "24 hours", "hour", 24),
    ("48h", "48 hours", "hour", 48),
    ("7d", "7 days", "day", 7),
    ("30d", "30 days", "day", 30),
    ("90d", "90 days", "day", 90),
];
const DEFAULT: usize = 3;

/// The plots of one metric.
#[component]
pub fn Course(here: Here, metric: String, totals: Fetch<Page<UsageTotal>>) -> impl IntoView {
    let asked = use_query().signal("range");
    let range = Memo::new(move |_| {
        let asked = asked.get().unwrap_or_default();
        RANGES
            .iter()
            .position(|(name, ..)| *name == asked)
            .unwrap_or(DEFAULT)
    });
    let bucket = Memo::new(move |_| RANGES[range.get()].2);
    let metric = StoredValue::new(metric);
    let series = fetch(move || {
        here.follow_changes();
        metric.with_value(|metric| calls::usage::series(&here.id.get(), metric, bucket.get(), None, None))
    });
    let total = Memo::new(move |_| {
        let rows = totals.get()?.rows;
        rows.into_iter()
            .find(|row| metric.with_value(|metric| row.metric == *metric))
    });
    let about = Signal::derive(move || {
        let unit = if bucket.get() == "hour" { "hour" } else { "day" };
        format!("Recorded in each {unit}; hours and days are UTC\u{2019}s.")
    });
    let choices = RANGES
        .iter()
        .map(|(name, words, ..)| ((*name).to_owned(), (*words).to_owned()))
        .collect::<Vec<_>>();
    let view = move |series: UsageSeries| {
        move || {
            let (_, _, bucket, count) = RANGES[range.get()];
            // The answer for the other bucket may still be on its way.
            (series.bucket == bucket).then(|| plots(&series, count, total.get().as_ref()))
        }
    };
    view! {
        <Section
            title=metric.get_value()
            about
            actions=move || view! { <Segments name="range" label="Time that is shown" choices default="30d" /> }
        >
            <Loaded fetch=series view />
        </Section>
    }
}

fn plots(series: &UsageSeries, count: usize, total: Option<&UsageTotal>) -> AnyView {
    let points = last(&series.points, count);
    let name = series.metric.clone();
    let unit = if series.bucket == "hour" { "hour" } else { "day" };
    let sum: f64 = points.iter().map(|point| point.total_value.to_f64()).sum();
    let limit = total.and_then(|total| total.limit.as_ref().map(vinzy_client::Amount::to_f64));
    let period = total.and_then(|total| total.period.clone());
    // A limit of a day belongs beside days; any other beside what adds up to it.
    let own_limit = limit.filter(|_| period.as_deref() == Some(unit));
    let labels: Vec<_> = points.iter().map(|point| label(&point.starts_at, unit)).collect();
    let values = points.iter().map(|point| point.total_value.to_f64()).collect();
    let adding_up = total
        .filter(|_| own_limit.is_none())
        .and_then(|total| Some((limit?, adding_up(&series.points, total))))
        .map(|(limit, course)| {
            let course = last(&course, count).to_vec();
            let labels = course.iter().map(|(at, _)| label(at, unit)).collect::<Vec<_>>();
            let values = course.iter().map(|(_, used)| *used).collect();
            let words = format!(
                "Used of the limit of {}{}",
                format::short(limit),
                of_period(period.as_deref())
            );
            view! {
                <h3>{words.clone()}</h3>
                <Plot
                    title=words
                    labels
                    series=vec![Series { name: "Used".to_owned(), values }]
                    shape=Shape::Lines
                    limit=Some(limit)
                />
            }
        });
    view! {
        <div class="plots">
            <h3>{format!("{} in all of these {unit}s", format::short(sum))}</h3>
            <Plot
                title=format!("{name} by {unit}")
                labels
                series=vec![Series { name: name.clone(), values }]
                shape=Shape::Bars
                limit=own_limit
            />
            {adding_up}
        </div>
    }
    .into_any()
}

fn last<T>(of: &[T], count: usize) -> &[T] {
    &of[of.len().saturating_sub(count)..]
}

fn label(starts_at: &str, unit: &str) -> String {
    let day = format::utc_day(starts_at);
    if unit == "hour" {
        format!("{day}, {}", starts_at.get(11..16).unwrap_or_default())
    } else {
        day
    }
}

/// How much of the limit was used at the end of each bucket: it adds up within a period, and begins anew with the
/// next. Of the first period nobody knows here what was used before the series begins, unless it is still running:
/// then the total tells.
fn adding_up(points: &[UsagePoint], total: &UsageTotal) -> Vec<(String, f64)> {
    let keys: Vec<String> = points
        .iter()
        .map(|point| period_of(&point.starts_at, total.period.as_deref()))
        .collect();
    let value = |at: usize| points[at].total_value.to_f64();
    let current = keys.last().cloned().unwrap_or_default();
    let recent: f64 = (0..points.len())
        .filter(|at| keys[*at] == current)
        .map(value)
        .sum();
    let first = keys.first().cloned().unwrap_or_default();
    let before = if first == current {
        (total.used.to_f64() - recent).max(0.0)
    } else {
        0.0
    };
    let mut used = before;
    let mut course = vec![];
    for (at, point) in points.iter().enumerate() {
        if at > 0 && keys[at] != keys[at - 1] {
            used = 0.0;
        }
        used += value(at);
        if keys[at] != first || first == current {
            course.push((point.starts_at.clone(), used));
        }
    }
    course
}

/// Names the period that a moment is in.
fn period_of(at: &str, period: Option<&str>) -> String {
    let text = |end: usize| at.get(..end).unwrap_or_default().to_owned();
    match period {
        Some("day") => text(10),
        Some("month") => text(7),
        Some("year") => text(4),
        Some("week") => at
            .parse::<vinzy_events::Timestamp>()
            .map(week)
            .unwrap_or_default()
            .to_string(),
        _ => String::new(),
    }
}

/// Weeks begin on Mondays; 1 January 1970 was a Thursday.
fn week(at: vinzy_events::Timestamp) -> i64 {
    (at.as_micros().div_euclid(86_400_000_000) + 3).div_euclid(7)
}

#[cfg(test)]
mod tests {
    use vinzy_client::Amount;

    use super::*;

    fn points(values: &[(&str, u32)]) -> Vec<UsagePoint> {
        values
            .iter()
            .map(|(day, value)| UsagePoint {
                starts_at: format!("{day}T00:00:00.000000Z"),
                total_value: Amount::from(value.to_string()),
                record_count: 1,
            })
            .collect()
    }

    fn total(used: u32, period: Option<&str>) -> UsageTotal {
        UsageTotal {
            metric: "calls".to_owned(),
            total_value: Amount::from("100".to_owned()),
            record_count: 1,
            limit: None,
            remaining: None,
            used: Amount::from(used.to_string()),
            period: period.map(str::to_owned),
            period_ends_at: None,
            first_recorded_at: String::new(),
            last_recorded_at: String::new(),
        }
    }

    fn used(course: &[(String, f64)]) -> Vec<String> {
        course
            .iter()
            .map(|(at, used)| format!("{} {used}", &at[5..10]))
            .collect()
    }

    #[test]
    fn use_adds_up_and_begins_anew() {
        let days = points(&[
            ("2026-02-27", 5),
            ("2026-02-28", 1),
            ("2026-03-01", 2),
            ("2026-03-02", 3),
        ]);
        assert_eq!(
            used(&adding_up(&days, &total(5, Some("month")))),
            ["03-01 2", "03-02 5"]
        );
        assert_eq!(
            used(&adding_up(&days, &total(61, None))),
            ["02-27 55", "02-28 56", "03-01 58", "03-02 61"],
            "what was used before the series counts, too"
        );
    }

    #[test]
    fn weeks_begin_on_mondays() {
        let of = |day: &str| period_of(&format!("{day}T12:00:00Z"), Some("week"));
        assert_eq!(of("2026-03-02"), of("2026-03-08"));
        assert_ne!(of("2026-03-01"), of("2026-03-02"));
    }
}
