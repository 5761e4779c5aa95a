//! Receipts, checked right here: nobody is asked.

use data_encoding::BASE64;
use leptos::prelude::*;
use vinzy_client::audit as wire;
use vinzy_events::ledger::{Checkpoint, Hash, Receipt, VerifierKey};

use super::checkpoint::signed_by;
use crate::components::Button;
use crate::components::Icon;
use crate::{format, verification};

/// What a receipt proves.
#[derive(Debug, Clone, PartialEq)]
struct Proof {
    checkpoint: Checkpoint,
    key: VerifierKey,
    position: u64,
    /// Whether the key is the one that this browser verified the ledger with.
    is_known_key: Option<bool>,
}

/// The event's bytes in a receipt, as text.
pub fn leaf(receipt: &wire::Receipt) -> Option<String> {
    let bytes = BASE64.decode(receipt.leaf.as_bytes()).ok()?;
    String::from_utf8(bytes).ok()
}

/// Checks a receipt.
fn check(receipt: &wire::Receipt, known: Option<&str>) -> Result<Proof, String> {
    if receipt.version != wire::Receipt::VERSION {
        return Err(format!("it has the unknown version {}", receipt.version));
    }
    let key: VerifierKey = receipt.verifier_key.parse().map_err(in_words)?;
    let leaf = BASE64.decode(receipt.leaf.as_bytes()).map_err(in_words)?;
    let hashes: Result<Vec<Hash>, _> = receipt.inclusion_proof.iter().map(|hash| hash.parse()).collect();
    let checked = Receipt {
        position: receipt.position,
        leaf: &leaf,
        inclusion_proof: &hashes.map_err(in_words)?,
        checkpoint: &receipt.checkpoint,
    }
    .check(&key);
    let (checkpoint, leaf) = checked.map_err(in_words)?;
    Ok(Proof {
        checkpoint,
        position: leaf.pos,
        is_known_key: known.map(|known| known == receipt.verifier_key),
        key,
    })
}

fn in_words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Checks a receipt when it is asked to, and says what that proved.
#[component]
pub fn CheckHere(receipt: wire::Receipt) -> impl IntoView {
    let outcome = RwSignal::new(None::<Result<Proof, String>>);
    let press = move |()| {
        let receipt = receipt.clone();
        crate::api::spawn(async move {
            let known = verification::last().await.map(|kept| kept.key);
            outcome.try_set(Some(check(&receipt, known.as_deref())));
        });
    };
    view! {
        <Button icon=icondata::LuShieldCheck label="Check the receipt here" press />
        <div class="receipt" role="status">
            {move || outcome.get().map(said)}
        </div>
    }
}

fn said(outcome: Result<Proof, String>) -> AnyView {
    match outcome {
        Ok(proof) => {
            let whose = match proof.is_known_key {
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
                                format::count(proof.position),
                                format::counted(proof.checkpoint.size, "event", "events"),
                            )}
                        </p>
                        <p>"Signed by " {signed_by(&proof.key)}</p>
                        <p>{whose}</p>
                    </div>
                </div>
            }
            .into_any()
        }
        Err(problem) => view! {
            <div class="notice failed" role="alert">
                <Icon icon=icondata::LuTriangleAlert />
                <p>
                    <strong>"Not proven. "</strong>
                    {format!("The receipt does not hold: {problem}.")}
                </p>
            </div>
        }
        .into_any(),
    }
}
