//! A test that was sent, followed until the receiver has answered.

use std::time::Duration;

use leptos::prelude::*;
use vinzy_client::calls;
use vinzy_client::webhooks::{WebhookDelivery, WebhookDeliveryDetail, WebhookStatus};

use super::keep_up::keep_up;
use super::show::State;
use super::words;
use crate::components::Icon;
use crate::fetch::{Fetch, fetch_if};
use crate::place;

/// How it goes with the test.
#[component]
pub fn Trial(state: State) -> impl IntoView {
    let id = Memo::new(move |_| {
        state
            .trial
            .with(|trial| trial.as_ref().map(|trial| trial.id.clone()))
    });
    let followed: Fetch<WebhookDeliveryDetail> =
        fetch_if(move || id.get().map(|id| calls::webhooks::delivery(&id)));
    let question = move || calls::webhooks::delivery(&id.get().unwrap_or_default());
    keep_up(followed, question, |detail| {
        words::is_under_way(&detail.delivery).then_some(Duration::from_millis(700))
    });
    Effect::new(move |_| {
        if followed.get().is_some() {
            state.more.notify();
        }
    });
    let is_silent = move || {
        state
            .webhook
            .get()
            .is_some_and(|webhook| webhook.status != WebhookStatus::Active)
    };
    let outcome = move || {
        let sent = state.trial.get()?;
        let detail = followed.get().filter(|detail| detail.delivery.id == sent.id);
        let (delivery, took) = match detail {
            None => (sent, None),
            Some(detail) => (
                detail.delivery,
                detail.attempt_log.last().map(|attempt| attempt.duration_ms),
            ),
        };
        let (class, icon) = match delivery.status.as_str() {
            "success" => ("notice good", icondata::LuCheck),
            _ if words::is_under_way(&delivery) => ("notice", icondata::LuSend),
            _ => ("notice failed", icondata::LuTriangleAlert),
        };
        let href = place::at(&format!(
            "/webhooks/{}/deliveries/{}",
            delivery.endpoint_id, delivery.id
        ));
        Some(view! {
            <p class=class>
                <Icon icon />
                <span>{said(&delivery, took, is_silent())} " " <a href=href>"Show the delivery"</a></span>
            </p>
        })
    };
    view! { <div class="trial" role="status">{outcome}</div> }
}

fn said(delivery: &WebhookDelivery, took: Option<u64>, is_silent: bool) -> String {
    let code = delivery.last_response_code;
    match delivery.status.as_str() {
        "success" => format!(
            "The test arrived: {} in {} ms.",
            words::answer(code, None),
            took.unwrap_or_default()
        ),
        "sending" => "The test is being sent\u{2026}".to_owned(),
        "pending" if delivery.attempts == 0 && is_silent => {
            "The test waits: it is sent once the webhook is active again.".to_owned()
        }
        "pending" if delivery.attempts == 0 => "The test is on its way\u{2026}".to_owned(),
        _ => {
            let error = delivery
                .last_error
                .clone()
                .unwrap_or_else(|| words::answer(code, None));
            format!("The test failed: {}.", error.trim_end_matches('.'))
        }
    }
}
