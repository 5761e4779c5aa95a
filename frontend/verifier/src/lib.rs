//! Verifies a ledger in the browser, beside the page: nothing of what the server says of itself is believed.
//!
//! The checks are those of `vinzy_events::ledger`, the same that `vinzy audit verify` makes. This crate reads tiles,
//! several at a time, and says how far it is.

pub mod message;
mod proof;
mod run;
mod signed;
mod source;
mod walk;

use js_sys::Function;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use message::{Broken, Failure, Kind, Said, Task};

/// Why a verification ends early.
#[derive(Debug)]
pub enum Stop {
    /// Something is wrong with the ledger.
    Broken(Broken),
    /// It cannot be found out.
    Failed(Failure),
}

impl Stop {
    fn broken(kind: Kind, position: Option<u64>, problem: String) -> Self {
        Self::Broken(Broken {
            kind,
            position,
            problem,
            good: 0,
            note: None,
        })
    }
}

/// Does a [`Task`] in JSON. `say` is called with each [`Said`] in JSON; the last one is the outcome. `get` fetches a URL:
/// it gives a promise of `{ status, retryAfter, body }`, which is kept also when there is no answer, with status 0.
#[wasm_bindgen]
pub async fn verify(task: String, say: Function, get: Function) {
    console_error_panic_hook::set_once();
    let speak = move |said: &Said| {
        let text = serde_json::to_string(said).unwrap_or_default();
        // Nobody listens any more: then nothing is to be said.
        let _ = say.call1(&JsValue::NULL, &text.into());
    };
    let outcome = match serde_json::from_str(&task) {
        Ok(Task::Ledger(job)) => run::run(job, get, speak.clone()).await.map(Said::Proven),
        Ok(Task::Checkpoint { note, key }) => Ok(Said::Checked(signed::checkpoint(&note, &key))),
        Ok(Task::Receipt { receipt }) => Ok(Said::Checked(signed::receipt(&receipt))),
        Err(error) => Err(Stop::Failed(Failure {
            detail: format!("The page and its verifier do not belong together: {error}. Reload the page."),
            ..Failure::default()
        })),
    };
    speak(&match outcome {
        Ok(said) => said,
        Err(Stop::Broken(broken)) => Said::Broken(broken),
        Err(Stop::Failed(failure)) => Said::Failed(failure),
    });
}
