//! What stood out under this license.

use leptos::prelude::*;
use vinzy_client::call::Part;
use vinzy_client::calls;

use super::Here;
use crate::components::{Empty, Pages, Section};
use crate::fetch::fetch;
use crate::pages::anomalies::list::{columns_of_license, href};
use crate::place::{self, use_query};

/// The tab.
#[component]
pub fn Anomalies(here: Here) -> impl IntoView {
    let after = use_query().signal("after");
    let anomalies = fetch(move || {
        here.follow_changes();
        let filter = calls::anomalies::Filter {
            license_id: Some(here.id.get()),
            ..Default::default()
        };
        let part = Part {
            page_size: Some(50),
            after: after.get(),
        };
        calls::anomalies::list(&filter, &part)
    });
    let empty = || {
        view! {
            <Empty
                title="Nothing stood out"
                about="Each recorded value is compared with up to 30 of the same metric before it. What is far from them appears here."
            />
        }
    };
    let all = move || view! { <a href=place::at(&format!("/anomalies?license={}", here.id.get()))>"Filter them"</a> };
    view! {
        <Section title="Anomalies" about="Recorded values that stand out from those before them." actions=all>
            <Pages
                fetch=anomalies
                label="Anomalies of this license"
                columns=columns_of_license
                noun=("anomaly", "anomalies")
                href
                empty
            />
        </Section>
    }
}
