//! One anomaly: what was seen, what was usual, and what became of it.

use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use vinzy_client::anomalies::{Anomaly as Found, AnomalyContext, AnomalyValue};
use vinzy_client::call::encoded;
use vinzy_client::calls;

use super::resolve::Resolve;
use super::words::{expected, score, seen, severity};
use crate::components::{
    Badge, Button, Detail, Details, Dot, Id, Kind, LinkButton, Loaded, Moment, Page, Section, Spread, Tone,
};
use crate::fetch::fetch;
use crate::format;
use crate::place;
use crate::session;
use crate::text;

/// The page.
#[component]
pub fn Anomaly() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id")).unwrap_or_default());
    let context = fetch(move || calls::anomalies::context(&id.get()));
    let may = session::may();
    let resolving = RwSignal::new(false);
    let title = Signal::derive(move || match context.get() {
        Some(context) => format!("Anomaly of {}", context.anomaly.metric),
        None => "Anomaly".to_owned(),
    });
    let can_resolve =
        Memo::new(move |_| may.resolve && context.get().is_some_and(|context| !context.anomaly.resolved));
    let actions = move || {
        can_resolve.get().then(|| {
            view! {
                <Button
                    kind=Kind::Primary
                    icon=icondata::LuCheck
                    label="Resolve"
                    press=move |()| resolving.set(true)
                />
            }
        })
    };
    view! {
        <Page title above=(place::at("/anomalies"), "Anomalies") actions=move || actions>
            <Loaded fetch=context view />
            <Resolve id open=resolving context />
        </Page>
    }
}

fn view(context: AnomalyContext) -> AnyView {
    let AnomalyContext { anomaly, values } = context;
    let usage = format!(
        "/licenses/{}?tab=usage&metric={}",
        encoded(&anomaly.license_id),
        encoded(&anomaly.metric)
    );
    let Found {
        id,
        license_id,
        severity: level,
        created_at,
        ..
    } = anomaly.clone();
    view! {
        <section class="section license-head">
            <p class="seen">{seen(&anomaly)}</p>
            <Outcome anomaly=anomaly.clone() />
            <Details>
                <Detail name="Severity">
                    <span class="two-lines">
                        <Badge
                            label=text::capitalized(&level)
                            tone=Tone::of_severity(&level)
                        />
                        <small>{severity(&level)}</small>
                    </span>
                </Detail>
                <Detail name="Recorded">
                    <Moment at=created_at />
                </Detail>
                <Detail name="License">
                    <Whose id=license_id />
                </Detail>
                <Detail name="Anomaly id">
                    <Id id what="Anomaly id" />
                </Detail>
            </Details>
            <p class="actions">
                <LinkButton
                    label="Usage of this metric"
                    icon=icondata::LuChartNoAxesColumn
                    href=place::at(&usage)
                />
                <Cause values=values.clone() />
            </p>
        </section>
        <Around anomaly=anomaly.clone() values=values.clone() />
        <Baseline anomaly values />
    }
    .into_any()
}

/// Who dealt with it, or that nobody did.
#[component]
fn Outcome(anomaly: Found) -> impl IntoView {
    match anomaly.resolved_at {
        Some(at) if anomaly.resolved => view! {
            <p class="notice good">
                <span>
                    "Resolved " <Moment at /> ": "
                    <strong>{anomaly.resolved_by.unwrap_or_default()}</strong>
                </span>
            </p>
        }
        .into_any(),
        _ => view! { <p class="about">"Open: nobody has said yet that it was dealt with. It refuses nothing; it is for you to look at."</p> }.into_any(),
    }
}

/// The license, by its product and its beginning.
#[component]
fn Whose(id: String) -> impl IntoView {
    let of_call = id.clone();
    let license = fetch(move || calls::licenses::get(&of_call, None));
    let href = place::of("/licenses", &id);
    let short = text::short_id(&id);
    let name = move || match license.get() {
        Some(license) => format!("{}, tier {}", license.product_code, license.tier),
        None => short.clone(),
    };
    view! { <a href=href title=id>{name}</a> }
}

/// The event that recorded the value.
#[component]
fn Cause(values: Vec<AnomalyValue>) -> impl IntoView {
    let position = values
        .iter()
        .find(|value| value.role == "observed")
        .map(|value| value.position);
    position.filter(|_| session::may().verify).map(|position| {
        view! {
            <LinkButton
                label=format!("Ledger event {position}")
                icon=icondata::LuLink
                href=place::at(&format!("/ledger/{position}"))
            />
        }
    })
}

/// The value among those around it.
#[component]
fn Around(anomaly: Found, values: Vec<AnomalyValue>) -> impl IntoView {
    let range = expected(&anomaly);
    let dots = values
        .iter()
        .map(|value| Dot {
            value: value.value.to_f64(),
            when: format::local(&value.recorded_at),
            role: match value.role.as_str() {
                "observed" => "this value",
                "after" => "after it",
                _ => "before it",
            },
            stands_out: value.role == "observed",
        })
        .collect::<Vec<_>>();
    let about = format!(
        "Each dot is a record of {}, in their order. The band is what would not have stood out: {}.",
        anomaly.metric, range.words
    );
    view! {
        <Section title="Among the values around it" about=Signal::stored(about)>
            <Spread
                title=format!("Values of {} around the anomaly", anomaly.metric)
                dots
                mean=anomaly.baseline_mean.to_f64()
                low=range.low
                high=range.high
            />
        </Section>
    }
}

/// The figures that it was judged by.
#[component]
fn Baseline(anomaly: Found, values: Vec<AnomalyValue>) -> impl IntoView {
    let count = values.iter().filter(|value| value.role == "baseline").count();
    let (range, distance) = (expected(&anomaly).words, score(&anomaly));
    let mean = format::short(anomaly.baseline_mean.to_f64());
    let spread = format::short(anomaly.baseline_stddev.to_f64());
    let value = format::amount(&anomaly.observed_value);
    view! {
        <Section
            title="What it was compared with"
            about="The values of the same license and metric before it, up to 30. Later ones do not change the judgement."
        >
            <Details>
                <Detail name="This value">{value}</Detail>
                <Detail name="Values before it">{count}</Detail>
                <Detail name="Their mean">{mean}</Detail>
                <Detail name="Their standard deviation">{spread}</Detail>
                <Detail name="Expected">{range}</Detail>
                <Detail name="Distance (z)">
                    <span class="two-lines">
                        {distance}
                        <small>"standard deviations from the mean"</small>
                    </span>
                </Detail>
            </Details>
        </Section>
    }
}
