//! Receipts, checked right here: nobody is asked.

use data_encoding::BASE64;
use leptos::prelude::*;
use vinzy_client::audit::Receipt;

use super::checkpoint::signed_by;
use crate::components::Button;
use crate::components::Icon;
use crate::format;
use crate::verification::{self, Checked};

/// What came of a check.
#[derive(Debug, Clone, PartialEq)]
struct Outcome {
    checked: Checked,
    key: String,
    /// Whether the key is the one that this browser verified the ledger with.
    is_known_key: Option<bool>,
}

/// The event's bytes in a receipt, as text.
pub fn leaf(receipt: &Receipt) -> Option<String> {
    let bytes = BASE64.decode(receipt.leaf.as_bytes()).ok()?;
    String::from_utf8(bytes).ok()
}

/// Checks a receipt when it is asked to, and says what that proved.
#[component]
pub fn CheckHere(receipt: Receipt) -> impl IntoView {
    let outcome = RwSignal::new(None::<Outcome>);
    let press = move |()| {
        let receipt = receipt.clone();
        crate::api::spawn(async move {
            let known = verification::last().await.map(|kept| kept.key);
            let key = receipt.verifier_key.clone();
            verification::check_receipt(&receipt, move |checked| {
                outcome.try_set(Some(Outcome {
                    checked,
                    is_known_key: known.map(|known| known == key),
                    key,
                }));
            });
        });
    };
    view! {
        <Button icon=icondata::LuShieldCheck label="Check the receipt here" press />
        <div class="receipt" role="status">
            {move || outcome.get().map(said)}
        </div>
    }
}

fn said(outcome: Outcome) -> AnyView {
    let Outcome {
        checked,
        key,
        is_known_key,
    } = outcome;
    if let Some(problem) = checked.problem {
        return view! {
            <div class="notice failed" role="alert">
                <Icon icon=icondata::LuTriangleAlert />
                <p>
                    <strong>"Not proven. "</strong>
                    {format!("The receipt does not hold: {problem}.")}
                </p>
            </div>
        }
        .into_any();
    }
    let whose = match is_known_key {
        Some(true) => "It is the key with which this browser verified the ledger.",
        Some(false) => "It is not the key with which this browser verified the ledger: find out why.",
        None => "The key came with the receipt. Compare it with one that you know from elsewhere.",
    };
    view! {
        <div class="notice good">
            <Icon icon=icondata::LuShieldCheck />
            <div>
                <p>
                    <strong>"Proven. "</strong>
                    {format!(
                        "This very event stands at position {} in the history of {} that was signed.",
                        format::count(checked.position),
                        format::counted(checked.size, "event", "events"),
                    )}
                </p>
                <p>"Signed by " {signed_by(key)}</p>
                <p>{whose}</p>
            </div>
        </div>
    }
    .into_any()
}
