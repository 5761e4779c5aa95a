//! What the words of webhooks mean to an admin, and how they look.

use leptos::prelude::*;
use vinzy_client::webhooks::{Webhook, WebhookDelivery, WebhookStatus};

use crate::components::{Badge, Secret, Tone};

/// An endpoint's status.
pub fn status(webhook: &Webhook) -> impl IntoView + use<> {
    match webhook.status {
        WebhookStatus::Active => view! { <Badge label="active" tone=Tone::Good /> },
        WebhookStatus::Paused => view! { <Badge label="paused" tone=Tone::Warning /> },
        WebhookStatus::Disabled => view! { <Badge label="disabled" tone=Tone::Bad /> },
    }
}

/// Why nothing is sent to an endpoint, and what becomes of what happens meanwhile; `None` while it is active.
pub fn why_silent(webhook: &Webhook) -> Option<&'static str> {
    match (webhook.status, webhook.disabled_reason.as_deref()) {
        (WebhookStatus::Active, _) => None,
        (WebhookStatus::Paused, _) => {
            Some("Paused: nothing is sent. What happens is kept, and sent once the webhook is resumed.")
        }
        (_, Some("gone")) => Some(
            "Disabled, because the receiver answered with 410 Gone. What happens is kept, and sent once the webhook is enabled.",
        ),
        (_, Some("failing")) => Some(
            "Disabled, because every delivery of five days failed. What happens is kept, and sent once the webhook is enabled.",
        ),
        _ => Some("Disabled: nothing is sent. What happens is kept, and sent once the webhook is enabled."),
    }
}

/// Which events an endpoint wants, shortly.
pub fn events(webhook: &Webhook) -> String {
    if webhook.event_types.is_empty() || webhook.event_types.iter().any(|wanted| wanted == "*") {
        "All events".to_owned()
    } else {
        webhook.event_types.join(", ")
    }
}

/// A delivery's state: also whether what waits has failed before.
pub fn delivery_status(delivery: &WebhookDelivery) -> impl IntoView + use<> {
    let (label, tone) = match delivery.status.as_str() {
        "success" => ("delivered", Tone::Good),
        "failed" => ("failed", Tone::Bad),
        "sending" => ("sending", Tone::Plain),
        _ if delivery.attempts > 0 => ("failed, tried again", Tone::Warning),
        _ => ("waiting", Tone::Plain),
    };
    view! { <Badge label tone /> }
}

/// What the receiver said last, in a word or two.
pub fn answer(code: Option<u16>, error: Option<&str>) -> String {
    match (code, error) {
        (Some(code), _) => format!("HTTP {code}"),
        (None, Some(_)) => "no answer".to_owned(),
        (None, None) => "\u{2014}".to_owned(),
    }
}

/// Whether something will be known of a delivery within moments.
pub fn is_under_way(delivery: &WebhookDelivery) -> bool {
    match delivery.status.as_str() {
        "sending" => true,
        "pending" => delivery.attempts == 0,
        _ => false,
    }
}

/// A signing secret to show.
pub fn secret(text: String, webhook: &Webhook) -> Secret {
    Secret {
        what: "Signing secret".to_owned(),
        text,
        about: format!(
            "Give it to the receiver at {}: with it, it can tell that a request comes from here.",
            webhook.url
        ),
        file: format!("webhook-secret-{}.txt", webhook.id),
    }
}

/// How a receiver uses the secret.
pub fn verifying() -> AnyView {
    view! {
        <p class="description">
            "A receiver verifies every request with a Standard Webhooks library, which there is for most languages:"
        </p>
        <p class="one-line">
            <code tabindex="0">"new Webhook(secret).verify(body, headers)"</code>
        </p>
    }
    .into_any()
}
