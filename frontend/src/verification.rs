//! The verification of the ledger in this browser: it runs beside the page, whichever page is shown, and what it proved
//! is kept for the next time.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use leptos::prelude::*;
use vinzy_client::audit::Receipt;
use vinzy_client::call::encoded;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::{MessageEvent, Worker, WorkerOptions, WorkerType};

#[path = "../verifier/src/message.rs"]
mod message;

pub use message::{Broken, Checked, Failure, Kept, Kind, Progress, Proven};
use message::{Job, Said, Task};

use crate::{api, format, kept, place, session};

/// How far it is.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// Nothing is being verified.
    Idle,
    /// It runs.
    Running {
        /// How far it is.
        progress: Progress,
        /// Since when, in milliseconds since 1970.
        since: f64,
    },
    /// All is well.
    Proven {
        /// What was proven.
        proven: Proven,
        /// What this browser had kept of the time before.
        before: Option<Kept>,
        /// Whether it could be kept for the next time.
        is_kept: bool,
    },
    /// Something is wrong with the ledger.
    Broken {
        /// What.
        broken: Broken,
        /// What this browser had kept.
        before: Option<Kept>,
    },
    /// It could not be found out.
    Failed(Failure),
}

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Everything.
    Whole,
    /// What came after the last verification.
    New,
}

thread_local! {
    static STATE: RefCell<Option<ArcRwSignal<State>>> = const { RefCell::new(None) };
    static WORKER: RefCell<Option<Worker>> = const { RefCell::new(None) };
    /// Of which ledger the state is.
    static SUBJECT: RefCell<String> = const { RefCell::new(String::new()) };
    /// The number of the last one that was started or ended.
    static NEWEST: Cell<u64> = const { Cell::new(0) };
}

/// The state of this page's verification.
pub fn state() -> ArcRwSignal<State> {
    STATE.with_borrow_mut(|state| state.get_or_insert_with(|| ArcRwSignal::new(State::Idle)).clone())
}

/// Forgets what came of the verification of another ledger, which somebody saw who has logged out since.
pub fn belong() {
    let name = name();
    if SUBJECT.with_borrow(|subject| *subject != name) {
        cancel();
        SUBJECT.set(name);
    }
}

/// What was proven the last time, of the ledger that is seen.
pub async fn last() -> Option<Kept> {
    let name = name();
    let kept = kept::get(&[&name]).await.ok()?.pop().flatten()?;
    serde_json::from_slice(kept.as_bytes()).ok()
}

/// Starts.
pub fn start(extent: Extent) {
    belong();
    stop();
    let number = NEWEST.get();
    let since = format::now();
    state().set(State::Running {
        progress: Progress::default(),
        since,
    });
    let (name, ledger) = (name(), ledger());
    api::spawn(async move {
        let names = [name.clone(), state_of(&name)];
        let found = kept::get(&[&names[0], &names[1]]).await.unwrap_or_default();
        // It was ended, or started once more, before it began.
        if NEWEST.get() != number {
            return;
        }
        let mut found = found.into_iter();
        let before: Option<Kept> = found
            .next()
            .flatten()
            .and_then(|kept| serde_json::from_slice(kept.as_bytes()).ok());
        let known = found.next().flatten().filter(|_| extent == Extent::New);
        let job = Job {
            ledger,
            kept: before.clone(),
            state: known,
        };
        let hear = move |said| {
            // What one says that was ended meanwhile is nothing to anybody.
            if NEWEST.get() == number {
                hear(said, since, &name, before.as_ref());
            }
        };
        let failed = move || {
            stop();
            state().set(State::Failed(not_started(
                "The verifier could not be started. Reload the page.",
            )));
        };
        match work(&Task::Ledger(job), hear, failed) {
            Some(worker) => WORKER.set(Some(worker)),
            None => state().set(State::Failed(not_started(
                "This browser does not let pages work in the background. Verify with the command-line tool instead: vinzy audit verify.",
            ))),
        }
    });
}

/// Ends it, whatever it has found so far.
pub fn cancel() {
    stop();
    state().set(State::Idle);
}

fn stop() {
    NEWEST.set(NEWEST.get() + 1);
    WORKER.with_borrow_mut(|worker| {
        if let Some(worker) = worker.take() {
            worker.terminate();
        }
    });
}

/// Whether a checkpoint is signed with a key.
pub fn check_checkpoint(note: String, key: String, told: impl FnOnce(Checked) + 'static) {
    check(Task::Checkpoint { note, key }, told);
}

/// Whether a receipt holds.
pub fn check_receipt(receipt: &Receipt, told: impl FnOnce(Checked) + 'static) {
    let receipt = serde_json::to_string(receipt).unwrap_or_default();
    check(Task::Receipt { receipt }, told);
}

/// Has a worker of its own look at something small: what it takes to check signatures is not part of the page.
fn check(task: Task, told: impl FnOnce(Checked) + 'static) {
    let told = Rc::new(Cell::new(Some(told)));
    let worker = Rc::new(Cell::new(None::<Worker>));
    let ending = Rc::clone(&worker);
    let tell = move |checked| {
        // Pages come and go: each would leave one behind.
        if let Some(worker) = ending.take() {
            worker.terminate();
        }
        if let Some(told) = told.take() {
            told(checked);
        }
    };
    let not_checked = || Checked {
        problem: Some("the verifier could not be started".to_owned()),
        ..Checked::default()
    };
    let of_answer = tell.clone();
    let hear = move |said| {
        if let Said::Checked(checked) = said {
            of_answer(checked);
        }
    };
    let of_failure = tell.clone();
    match work(&task, hear, move || of_failure(not_checked())) {
        Some(started) => worker.set(Some(started)),
        None => tell(not_checked()),
    }
}

fn not_started(detail: &str) -> Failure {
    Failure {
        detail: detail.to_owned(),
        ..Failure::default()
    }
}

fn work(task: &Task, mut hear: impl FnMut(Said) + 'static, failed: impl FnMut() + 'static) -> Option<Worker> {
    let script = document().document_element()?.get_attribute("data-verifier")?;
    let options = WorkerOptions::new();
    options.set_type(WorkerType::Module);
    let worker = Worker::new_with_options(&script, &options).ok()?;
    let heard = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let said = event.data().as_string().unwrap_or_default();
        if let Ok(said) = serde_json::from_slice(said.as_bytes()) {
            hear(said);
        }
    });
    worker.set_onmessage(Some(heard.as_ref().unchecked_ref()));
    let failed = Closure::<dyn FnMut()>::new(failed);
    worker.set_onerror(Some(failed.as_ref().unchecked_ref()));
    // They live as long as the page: they are small, and nothing that somebody starts a thousand times.
    heard.forget();
    failed.forget();
    worker
        .post_message(&serde_json::to_string(task).ok()?.into())
        .ok()?;
    Some(worker)
}

fn hear(said: Said, since: f64, name: &str, before: Option<&Kept>) {
    let before = before.cloned();
    match said {
        Said::Progress(progress) => state().set(State::Running { progress, since }),
        Said::Proven(proven) => {
            stop();
            keep(name.to_owned(), proven, before);
        }
        Said::Broken(broken) => {
            stop();
            state().set(State::Broken { broken, before });
        }
        Said::Failed(failure) => {
            stop();
            if failure.status == 401 {
                session::ended();
            }
            state().set(State::Failed(failure));
        }
        Said::Checked(_) => {}
    }
}

/// Keeps what was proven for the next time.
fn keep(name: String, mut proven: Proven, before: Option<Kept>) {
    let fresh = Kept {
        note: proven.note.clone(),
        key: proven.key.clone(),
        origin: proven.origin.clone(),
        size: proven.size,
        verified_at: format::days_from_now(0.0),
    };
    let known = proven.state.take();
    api::spawn(async move {
        let fresh = serde_json::to_string(&fresh).unwrap_or_default();
        let texts = [(&*name, Some(&*fresh)), (&*state_of(&name), known.as_deref())];
        let is_kept = kept::put(&texts).await.is_ok();
        state().set(State::Proven {
            proven,
            before,
            is_kept,
        });
    });
}

/// Forgets what was proven: the next verification trusts whatever it finds. For a ledger that was set back on purpose.
pub async fn forget() {
    let name = name();
    // What is not kept need not be forgotten.
    let _ = kept::put(&[(&name, None), (&state_of(&name), None)]).await;
    state().set(State::Idle);
}

/// Address of the ledger that is seen.
fn ledger() -> String {
    let path = place::api(&format!("/t/{}", encoded(&session::tenant())));
    let origin = window().location().origin().unwrap_or_default();
    format!("{origin}{path}")
}

/// Under what name its last verification is kept. Browsers keep apart what belongs to different servers; of one server
/// each ledger has its own.
fn name() -> String {
    format!("verified {}", place::api(&format!("/t/{}", session::tenant())))
}

fn state_of(name: &str) -> String {
    format!("{name} state")
}
