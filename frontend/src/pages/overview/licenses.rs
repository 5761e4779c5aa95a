//! Licenses by status: a bar each of whose parts leads to those licenses.

use leptos::prelude::*;
use vinzy_client::overview::LicenseCounts;

use crate::components::Section;
use crate::text::{capitalized, license_status};
use crate::{format, place};

/// The bar and its legend.
#[component]
pub fn Licenses(counts: LicenseCounts) -> impl IntoView {
    let parts = [
        ("active", counts.active),
        ("suspended", counts.suspended),
        ("expired", counts.expired),
        ("revoked", counts.revoked),
    ];
    let total: u64 = parts.iter().map(|(_, count)| count).sum();
    let bar = parts
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(status, count)| {
            view! {
                <a
                    class=format!("status-part {status}")
                    style:flex-grow=count.to_string()
                    href=list_of(status)
                    aria-label=format!("{} {status}", format::counted(count, "license", "licenses"))
                    title=format!("{}: {}", capitalized(status), format::count(count))
                ></a>
            }
        });
    let legend = parts.map(|(status, count)| {
        view! {
            <li class=status>
                <a href=list_of(status)>
                    <strong>{format::count(count)}</strong>
                    <span>{capitalized(status)}</span>
                </a>
                <small>{license_status(status)}</small>
            </li>
        }
    });
    view! {
        <Section
            title=format::counted(total, "license", "licenses")
            about="As of now. Those that were deleted are not counted."
        >
            <div class="status-bar" class:empty-bar=total == 0>
                {bar.collect_view()}
            </div>
            <ul class="status-legend">{legend}</ul>
        </Section>
    }
}

fn list_of(status: &str) -> String {
    place::at(&format!("/licenses?status={status}"))
}
