//! What all licenses of a customer amount to, and which of them contributes what.

use leptos::prelude::*;
use serde_json::Value;
use vinzy_client::calls;
use vinzy_client::composition::{ComposedEntitlements, ComposedFeature, ComposedSource};

use crate::components::{Badge, Column, Empty, JsonView, Loaded, Section, Table, Tone};
use crate::fetch::fetch;
use crate::format;
use crate::place;
use crate::text::short_id;

/// What all active licenses of a customer amount to.
#[component]
pub fn Composed(customer_id: Memo<String>) -> impl IntoView {
    let composed = fetch(move || calls::customers::composed(&customer_id.get(), None));
    view! {
        <Section
            title="Entitlements in all"
            about="What the active licenses amount to together. Each feature says how its values are put together, and which license contributes what."
        >
            <Loaded fetch=composed view />
        </Section>
    }
}

fn view(composed: ComposedEntitlements) -> AnyView {
    if composed.features.is_empty() && composed.agents.is_empty() {
        return view! { <Empty title="No entitlements" about="No active license gives any." /> }.into_any();
    }
    let agents = (!composed.agents.is_empty()).then(|| {
        view! {
            <h3>"Agents"</h3>
            <JsonView value=Value::Object(composed.agents) what="Agents" />
        }
    });
    let features = (!composed.features.is_empty()).then(|| {
        view! {
            <Table
                label="Entitlements in all"
                rows=composed.features
                columns=columns()
                href=None
                selection=None
            />
        }
    });
    view! {
        <div class="composed">
            {agents}
            {features}
        </div>
    }
    .into_any()
}

fn columns() -> Vec<Column<ComposedFeature>> {
    vec![
        Column::new(
            "Feature",
            |row: &ComposedFeature| view! { <code>{row.feature.clone()}</code> },
        ),
        Column::new("In all", |row: &ComposedFeature| value(&row.effective_value)),
        Column::new("Put together", |row: &ComposedFeature| strategy(&row.strategy)),
        Column::new("From", |row: &ComposedFeature| {
            let sources = row.sources.iter().map(source).collect_view();
            view! { <ul class="sources">{sources}</ul> }
        }),
    ]
}

fn source(source: &ComposedSource) -> impl IntoView + use<> {
    let href = place::of("/licenses", &source.license_id);
    view! {
        <li>
            <a href=href title=source.license_id.clone()>
                {source.product_code.clone()}
                " "
                <code>{short_id(&source.license_id)}</code>
            </a>
            {value(&source.value)}
        </li>
    }
}

fn strategy(name: &str) -> &'static str {
    match name {
        "sum" => "Limits added up",
        "max" => "The largest limit",
        _ => "On if it is on anywhere; of limits the first",
    }
}

/// What a feature is worth: on, off, a limit, or none.
fn value(value: &Value) -> AnyView {
    match value {
        Value::Bool(true) => view! { <Badge label="On" tone=Tone::Good /> }.into_any(),
        Value::Bool(false) => view! { <Badge label="Off" /> }.into_any(),
        Value::Null => "Unlimited".into_any(),
        Value::Number(number) => view! { <span class="tabular">{format::number(number)}</span> }.into_any(),
        other => view! { <code>{other.to_string()}</code> }.into_any(),
    }
}
