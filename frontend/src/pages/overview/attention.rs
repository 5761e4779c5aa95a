//! What wants attention.

use leptos::prelude::*;
use vinzy_client::overview::WebhookHealth;

use super::{Data, Figure};
use crate::components::Section;
use crate::{format, place};

/// Licenses that end soon, open anomalies, webhooks that fail.
#[component]
pub fn Attention(data: Data) -> impl IntoView {
    let anomalies = data.anomalies;
    let severities = [
        (
            "critical",
            anomalies.critical,
            "bad",
            "Very far from what is usual",
        ),
        ("high", anomalies.high, "warning", "Far from what is usual"),
        ("medium", anomalies.medium, "", "Somewhat unusual"),
    ];
    let anomalies = severities.map(|(severity, count, tone, about)| {
        let tone = if count > 0 { tone } else { "" };
        view! {
            <Figure
                value=format::count(count)
                label=format!("{} anomalies", crate::text::capitalized(severity))
                about=format!("Open. {about}")
                href=Some(place::at(&format!("/anomalies?severity={severity}")))
                tone
            />
        }
    });
    let expiring = if data.expiring_licenses > 0 { "warning" } else { "" };
    view! {
        <Section title="Wants attention">
            <div class="figures">
                <Figure
                    value=format::count(data.expiring_licenses)
                    label="Expiring soon"
                    about="Active licenses that end within 30 days"
                    href=Some(place::at("/licenses?expiring=30"))
                    tone=expiring
                />
                {anomalies}
                {data.webhooks.map(|webhooks| view! { <Webhooks webhooks /> })}
            </div>
        </Section>
    }
}

/// How webhooks do.
#[component]
fn Webhooks(webhooks: WebhookHealth) -> impl IntoView {
    let (value, tone) = if webhooks.disabled > 0 || webhooks.failed > 0 {
        (format!("{} failed", format::count(webhooks.failed)), "bad")
    } else if webhooks.active + webhooks.paused == 0 {
        ("None".to_owned(), "")
    } else {
        ("Fine".to_owned(), "good")
    };
    view! { <Figure value label="Webhooks" about=in_words(&webhooks) href=Some(place::at("/webhooks")) tone /> }
}

fn in_words(webhooks: &WebhookHealth) -> String {
    let mut parts = vec![format!("{} active", format::count(webhooks.active))];
    for (count, words) in [
        (webhooks.paused, "paused"),
        (webhooks.disabled, "disabled"),
        (webhooks.pending, "deliveries waiting"),
    ] {
        if count > 0 {
            parts.push(format!("{} {words}", format::count(count)));
        }
    }
    parts.push(format!("{} delivered in 24 h", format::count(webhooks.delivered)));
    if let Some(since) = &webhooks.oldest_pending_at {
        parts.push(format!(
            "oldest waiting since {}",
            format::relative(since, format::now())
        ));
    }
    parts.join(", ")
}
