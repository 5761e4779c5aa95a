//! Features to write: rows of what most people need, and JSON for the rest.

use leptos::prelude::*;
use serde_json::{Map, Number, Value};
use vinzy_client::Object;

use super::button::{Button, Kind};
use super::field::{Choice, options};
use super::json::{JsonField, object_text, parse_object};

/// A row in the making.
#[derive(Clone, Copy)]
struct Row {
    number: u64,
    name: RwSignal<String>,
    /// `on`, `off` or `limit`.
    kind: RwSignal<String>,
    limit: RwSignal<String>,
    period: RwSignal<String>,
    /// What else its object says, which stays as it is.
    rest: StoredValue<Map<String, Value>>,
    /// What it was, and what the row makes of that: as long as nobody touches it, it stays as it was. A row cannot show
    /// everything, such as an override that takes a limit away.
    was: StoredValue<Option<(Value, Value)>>,
}

impl Row {
    fn of(number: u64, name: &str, value: &Value) -> Self {
        let mut rest = value.as_object().cloned().unwrap_or_default();
        let enabled = rest.remove("enabled");
        let is_off = *value == Value::Bool(false) || enabled == Some(Value::Bool(false));
        let limit = rest.remove("limit").unwrap_or_default();
        let period = rest.remove("period").unwrap_or_default();
        let kind = if is_off {
            "off"
        } else if limit.is_null() {
            "on"
        } else {
            "limit"
        };
        let row = Self {
            number,
            name: RwSignal::new(name.to_owned()),
            kind: RwSignal::new(kind.to_owned()),
            limit: RwSignal::new(if limit.is_null() {
                String::new()
            } else {
                limit.to_string()
            }),
            period: RwSignal::new(period.as_str().unwrap_or_default().to_owned()),
            rest: StoredValue::new(rest),
            was: StoredValue::new(None),
        };
        row.was.set_value(Some((value.clone(), untrack(|| row.made()))));
        row
    }

    fn value(&self) -> Value {
        let made = self.made();
        match self.was.get_value() {
            Some((was, untouched)) if untouched == made => was,
            _ => made,
        }
    }

    /// What the row's fields say.
    fn made(&self) -> Value {
        let mut fields = self.rest.get_value();
        let kind = self.kind.get();
        if kind == "limit" {
            let text = self.limit.get();
            let limit = text
                .trim()
                .parse::<Number>()
                .map_or(Value::String(text), Value::Number);
            fields.insert("limit".to_owned(), limit);
            let period = self.period.get();
            if !period.is_empty() {
                fields.insert("period".to_owned(), period.into());
            }
        }
        if fields.is_empty() {
            return Value::Bool(kind != "off");
        }
        if kind == "off" {
            fields.insert("enabled".to_owned(), false.into());
        }
        Value::Object(fields)
    }
}

/// Whether rows can show all of it: agents, and what is neither on, off nor an object, are JSON's.
fn fits_rows(object: &Object) -> bool {
    object
        .iter()
        .all(|(name, value)| name != "agents" && (value.is_boolean() || value.is_object()))
}

/// Features to write. `value` always holds what the rows, or the JSON, say; it is read once, at the beginning.
#[component]
pub fn FeaturesField(
    #[prop(into)] label: String,
    value: RwSignal<Object>,
    #[prop(into, optional)] hint: String,
    #[prop(into, optional)] error: Signal<Option<String>>,
) -> impl IntoView {
    let begin = value.get_untracked();
    let as_json = RwSignal::new(!fits_rows(&begin));
    let json = RwSignal::new(object_text(&begin));
    let last = StoredValue::new(0_u64);
    let rows = RwSignal::new(vec![]);
    let fill = move |object: &Object| {
        rows.set(
            object
                .iter()
                .map(|(name, value)| {
                    last.update_value(|last| *last += 1);
                    Row::of(last.get_value(), name, value)
                })
                .collect::<Vec<_>>(),
        );
    };
    fill(&begin);
    Effect::new(move |_| {
        let now = if as_json.get() {
            json.with(|text| parse_object(text).ok())
        } else {
            let rows: Vec<Row> = rows.get();
            let named = rows
                .iter()
                .filter(|row| row.name.with(|name| !name.trim().is_empty()));
            Some(
                named
                    .map(|row| (row.name.get().trim().to_owned(), row.value()))
                    .collect(),
            )
        };
        if let Some(now) = now
            && value.with_untracked(|value| *value != now)
        {
            value.set(now);
        }
    });
    let add = move |()| {
        last.update_value(|last| *last += 1);
        rows.update(|rows| rows.push(Row::of(last.get_value(), "", &Value::Bool(true))));
    };
    let turn = move |()| {
        let now = value.get_untracked();
        if as_json.get_untracked() {
            fill(&now);
        } else {
            json.set(object_text(&now));
        }
        as_json.update(|as_json| *as_json = !*as_json);
    };
    let can_turn =
        move || !as_json.get() || json.with(|text| parse_object(text).is_ok_and(|object| fits_rows(&object)));
    let of_json = hint.clone();
    view! {
        <fieldset class="features">
            <legend>{label}</legend>
            {move || {
                if as_json.get() {
                    view! { <JsonField label="As JSON" value=json error hint=of_json.clone() rows=8 /> }.into_any()
                } else {
                    view! {
                        <p class="description">{hint.clone()}</p>
                        <For each=move || rows.get() key=|row| row.number let:row>
                            <FeatureRow row remove=move |()| {
                                rows.update(|rows| rows.retain(|other| other.number != row.number));
                            } />
                        </For>
                        <p class="error">{error}</p>
                    }
                        .into_any()
                }
            }}
            <div class="actions">
                <Show when=move || !as_json.get()>
                    <Button kind=Kind::Quiet icon=icondata::LuPlus label="Add a feature" press=add />
                </Show>
                <Show when=can_turn>
                    <Button
                        kind=Kind::Quiet
                        icon=icondata::LuBraces
                        label=Signal::derive(move || {
                            if as_json.get() { "Edit as rows" } else { "Edit as JSON" }.to_owned()
                        })
                        press=turn
                    />
                </Show>
            </div>
        </fieldset>
    }
}

#[component]
fn FeatureRow(row: Row, #[prop(into)] remove: Callback<()>) -> impl IntoView {
    let Row {
        name,
        kind,
        limit,
        period,
        ..
    } = row;
    let kinds = vec![
        Choice::new("on", "On"),
        Choice::new("limit", "Limited"),
        Choice::new("off", "Off"),
    ];
    let periods = vec![
        Choice::new("", "in all"),
        Choice::new("day", "a day"),
        Choice::new("week", "a week"),
        Choice::new("month", "a month"),
        Choice::new("year", "a year"),
    ];
    let is_limited = move || kind.with(|kind| kind == "limit");
    view! {
        <div class="feature-row">
            <input
                type="text"
                class="monospaced"
                aria-label="Feature"
                placeholder="feature"
                spellcheck="false"
                autocomplete="off"
                prop:value=name
                on:input=move |event| name.set(event_target_value(&event))
            />
            <select
                aria-label="How it is allowed"
                on:change=move |event| kind.set(event_target_value(&event))
            >
                {options(kinds, kind)}
            </select>
            <Show when=is_limited>
                <input
                    type="number"
                    min="0"
                    step="any"
                    aria-label="Limit"
                    placeholder="1000"
                    required=true
                    prop:value=limit
                    on:input=move |event| limit.set(event_target_value(&event))
                />
                <select
                    aria-label="Period of the limit"
                    on:change=move |event| period.set(event_target_value(&event))
                >
                    {options(periods.clone(), period)}
                </select>
            </Show>
            <Button
                kind=Kind::Quiet
                icon=icondata::LuTrash2
                icon_only=true
                label="Remove this feature"
                press=move |()| remove.run(())
            />
        </div>
    }
}
