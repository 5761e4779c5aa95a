//! What the license allows: where each figure comes from, and how much of it was used.

use leptos::prelude::*;
use serde_json::{Map, Value};
use vinzy_client::calls;
use vinzy_client::licenses::{ExplainedEntitlement, LicenseEntitlements};

use super::Here;
use super::agents::Agents;
use crate::components::{Badge, Column, Empty, Loaded, Meter, Moment, Section, Table, Tone};
use crate::fetch::fetch;
use crate::format;

/// The tab.
#[component]
pub fn Entitlements(here: Here) -> impl IntoView {
    let answer = fetch(move || {
        here.follow_changes();
        calls::licenses::entitlements(&here.id.get(), here.at.get().as_deref())
    });
    let about = Signal::derive(move || {
        match answer.get().map(|answer| answer.base) {
        Some(base) if base == "license" => "The base is this license\u{2019}s own features: its product\u{2019}s do not count.",
        Some(_) => "The base is the product\u{2019}s features. Overrides of this license go over it, field by field.",
        None => "",
    }
    .to_owned()
    });
    view! {
        <Section title="Entitlements" about>
            <Loaded fetch=answer view=table />
        </Section>
        <Agents here />
    }
}

fn table(answer: LicenseEntitlements) -> AnyView {
    let rows: Vec<_> = answer
        .entitlements
        .into_iter()
        .filter(|row| row.feature != "agents")
        .collect();
    if rows.is_empty() {
        return view! {
            <Empty
                title="Nothing is entitled"
                about="Neither the product nor this license names a feature. Usage is counted all the same, without a limit."
            />
        }
        .into_any();
    }
    view! { <Table label="Entitlements" rows columns=columns(&answer.base) /> }.into_any()
}

fn columns(base: &str) -> Vec<Column<ExplainedEntitlement>> {
    let base = if base == "license" { "its own" } else { "product" };
    vec![
        Column::new(
            "Feature",
            |row: &ExplainedEntitlement| view! { <code>{row.feature.clone()}</code> },
        ),
        Column::new("Base", move |row: &ExplainedEntitlement| {
            source(row.base_value.as_ref(), base)
        }),
        Column::new("Override", |row: &ExplainedEntitlement| {
            source(row.override_value.as_ref(), "license")
        }),
        Column::new("Effective", effective),
        Column::new("Used", used),
        Column::new("Left", |row: &ExplainedEntitlement| match &row.remaining {
            Some(remaining) if row.enabled => format::number(remaining),
            _ => "\u{2014}".to_owned(),
        })
        .numeric(),
    ]
}

/// A value and whose it is.
fn source(value: Option<&Value>, whose: &'static str) -> AnyView {
    match value.filter(|value| !value.is_null()) {
        None => view! { <span class="muted">"\u{2014}"</span> }.into_any(),
        Some(value) => view! {
            <span class="two-lines">
                {words(value)}
                <small>{whose}</small>
            </span>
        }
        .into_any(),
    }
}

fn effective(row: &ExplainedEntitlement) -> AnyView {
    if !row.enabled {
        return view! { <Badge label="Off" tone=Tone::Over /> }.into_any();
    }
    let limit = row.limit.as_ref().map(|limit| {
        let overage = if row.overage_allowed {
            ", more is allowed"
        } else {
            ""
        };
        format!(
            "{}{}{overage}",
            format::number(limit),
            period(row.period.as_deref())
        )
    });
    view! {
        <span class="two-lines">
            <Badge label="On" tone=Tone::Good />
            <small>{limit.unwrap_or_else(|| "no limit".to_owned())}</small>
        </span>
    }
    .into_any()
}

fn used(row: &ExplainedEntitlement) -> AnyView {
    let used = format::number(&row.used);
    let Some(limit) = &row.limit else {
        return view! { <span>{used}</span> }.into_any();
    };
    let words = format!("{used} of {}", format::number(limit));
    let share = (
        row.used.as_f64().unwrap_or_default(),
        limit.as_f64().unwrap_or_default(),
    );
    let anew = row.period_ends_at.clone().map(|at| {
        view! {
            <small>
                "begins anew " <Moment at />
            </small>
        }
    });
    view! {
        <span class="two-lines">
            <span class="with-meter">
                {words.clone()}
                <Meter used=share.0 limit=share.1 label=format!("{words} {}", row.feature) />
            </span>
            {anew}
        </span>
    }
    .into_any()
}

/// What a limit is for.
pub fn period(period: Option<&str>) -> String {
    period.map_or_else(|| " in all".to_owned(), |period| format!(" a {period}"))
}

/// A feature as it was written down, in words: `on`, `limit 1,000 a month`, `off`.
pub fn words(value: &Value) -> String {
    match value {
        Value::Bool(true) => "on".to_owned(),
        Value::Bool(false) => "off".to_owned(),
        Value::Object(fields) => of_fields(fields),
        other => other.to_string(),
    }
}

fn of_fields(fields: &Map<String, Value>) -> String {
    let mut parts = vec![];
    match fields.get("enabled") {
        Some(Value::Bool(true)) if fields.len() == 1 => parts.push("on".to_owned()),
        Some(Value::Bool(false)) => parts.push("off".to_owned()),
        _ => {}
    }
    let own_period = fields.get("period").and_then(Value::as_str);
    match fields.get("limit") {
        Some(Value::Number(limit)) => {
            let period = own_period.map(|own| period(Some(own))).unwrap_or_default();
            parts.push(format!("limit {}{period}", format::number(limit)));
        }
        Some(Value::Null) => parts.push("no limit".to_owned()),
        _ => parts.extend(own_period.map(|period| format!("a {period}"))),
    }
    let rest = fields
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "enabled" | "limit" | "period"));
    parts.extend(rest.map(|(name, value)| format!("{} {}", name.replace('_', " "), plain(value))));
    if parts.is_empty() {
        "on".to_owned()
    } else {
        parts.join(", ")
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => format::number(number),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::words;

    #[test]
    fn features_are_told_in_words() {
        for (value, told) in [
            (json!(true), "on"),
            (json!({}), "on"),
            (json!({"enabled": true}), "on"),
            (json!({"enabled": false, "limit": 5}), "off, limit 5"),
            (json!({"limit": 1000, "period": "month"}), "limit 1,000 a month"),
            (json!({"limit": null}), "no limit"),
            (
                json!({"enabled": true, "model_tier": "premium"}),
                "model tier premium",
            ),
        ] {
            assert_eq!(words(&value), told, "{value}");
        }
    }
}
