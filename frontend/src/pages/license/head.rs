//! What the license is, at a glance.

use leptos::prelude::*;
use vinzy_client::calls;
use vinzy_client::licenses::License;

use crate::components::json::object_text;
use crate::components::{Ago, Badge, Day, Detail, Details, Id, JsonView, Meter, Moment, Tone};
use crate::fetch::fetch;
use crate::place;
use crate::text;

/// The license's own words and figures.
#[component]
pub fn Head(license: License) -> impl IntoView {
    let License {
        status,
        tier,
        product_code,
        customer_id,
        created_at,
        ..
    } = license.clone();
    let has_metadata = !license.metadata.is_empty();
    let metadata = license.metadata.clone();
    let ends = ends(&license);
    let machines = machines(&license);
    view! {
        <section class="section license-head">
            <p class="status-line">
                <Badge label=text::capitalized(&status) tone=Tone::of_license(&status) />
                <span>{text::license_status(&status)}</span>
            </p>
            <Details>
                <Detail name="Product">
                    <a href=place::at(&format!("/products?q={product_code}"))>{product_code.clone()}</a>
                </Detail>
                <Detail name="Tier">{tier}</Detail>
                <Detail name="Customer">
                    <Customer id=customer_id />
                </Detail>
                <Detail name="Ends">{ends}</Detail>
                <Detail name="Machines">{machines}</Detail>
                <Detail name="Issued">
                    <Moment at=created_at />
                </Detail>
                <Detail name="License id">
                    <Id id=license.id.clone() what="License id" />
                </Detail>
            </Details>
            {has_metadata
                .then(|| {
                    let words = if metadata.len() == 1 { "1 entry".to_owned() } else { format!("{} entries", metadata.len()) };
                    view! {
                        <details class="more">
                            <summary>{format!("Metadata: {words}")}</summary>
                            <JsonView value=serde_json::Value::Object(metadata) what="Metadata" />
                        </details>
                    }
                })}
        </section>
    }
}

/// Whose it is: a name, once it is known, or what is left of one.
#[component]
fn Customer(id: String) -> impl IntoView {
    let of_call = id.clone();
    let customer = fetch(move || calls::customers::get(&of_call));
    let href = place::of("/customers", &id);
    let name = move || match customer.get() {
        Some(customer) if customer.erased_at.is_some() => "Erased customer".to_owned(),
        Some(customer) if customer.company.is_empty() => customer.name,
        Some(customer) => format!("{}, {}", customer.name, customer.company),
        None => text::short_id(&id),
    };
    view! { <a href=href>{name}</a> }
}

fn ends(license: &License) -> AnyView {
    match license.expires_at.clone() {
        None => view! { <span>"Never"</span> }.into_any(),
        Some(at) => view! {
            <span class="two-lines">
                <Day at=at.clone() />
                <small>
                    <Ago at />
                </small>
            </span>
        }
        .into_any(),
    }
}

fn machines(license: &License) -> AnyView {
    let used = license.machines_used;
    match license.machines_limit {
        None => view! { <span>{format!("{used}, without a limit")}</span> }.into_any(),
        Some(limit) => {
            let words = format!("{used} of {limit}");
            view! {
                <span class="with-meter">
                    {words.clone()}
                    <Meter used=f64::from(used) limit=f64::from(limit) label=format!("{words} seats are taken") />
                </span>
            }
            .into_any()
        }
    }
}

/// An object's text for a field.
pub fn field_text(object: &vinzy_client::Object) -> RwSignal<String> {
    RwSignal::new(object_text(object))
}
