//! Asking and doing: [`Fetch`] keeps what the server said, [`Deed`] changes something once.

use std::future::Future;

use leptos::prelude::*;
use uuid::Uuid;
use vinzy_client::call::Call;
use vinzy_client::service::Problem;

use crate::api;

/// What the server said to a question, which is asked again whenever the question changes.
///
/// While a new answer is on its way the last one stays, unless the question is about something else altogether (another
/// path, whatever its query).
pub struct Fetch<T: 'static> {
    /// The newest answer; `None` before the first.
    pub answer: RwSignal<Option<Result<T, Problem>>>,
    /// Whether an answer is on its way.
    pub waiting: RwSignal<bool>,
    again: Trigger,
}

impl<T: 'static> Clone for Fetch<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: 'static> Copy for Fetch<T> {}

/// Asks a question, and again when what it is made of changes.
pub fn fetch<T: Clone + Send + Sync + 'static>(question: impl Fn() -> Call<T> + 'static) -> Fetch<T> {
    fetch_if(move || Some(question()))
}

/// As [`fetch`]; while there is no question, there is no answer.
pub fn fetch_if<T: Clone + Send + Sync + 'static>(
    question: impl Fn() -> Option<Call<T>> + 'static,
) -> Fetch<T> {
    let fetch = Fetch {
        answer: RwSignal::new(None),
        waiting: RwSignal::new(false),
        again: Trigger::new(),
    };
    let newest = StoredValue::new(0_u64);
    let about = StoredValue::new(String::new());
    Effect::new(move |_| {
        fetch.again.track();
        let call = question();
        let number = newest.get_value() + 1;
        newest.set_value(number);
        let path = call.as_ref().map_or("", |call| &call.path);
        let subject = path.split('?').next().unwrap_or_default();
        if about.with_value(|about| about != subject) {
            about.set_value(subject.to_owned());
            fetch.answer.set(None);
        }
        let Some(call) = call else {
            fetch.waiting.set(false);
            return;
        };
        fetch.waiting.set(true);
        api::spawn(async move {
            let answer = api::send(&call, None).await;
            // The component may be gone, or the question another one by now.
            if newest.try_get_value() == Some(number) {
                fetch.answer.set(Some(answer));
                fetch.waiting.set(false);
            }
        });
    });
    fetch
}

impl<T: Clone + Send + Sync + 'static> Fetch<T> {
    /// Asks once more.
    pub fn again(self) {
        self.again.notify();
    }

    /// What was answered, if it was no refusal.
    pub fn get(self) -> Option<T> {
        self.answer.with(|answer| answer.as_ref()?.as_ref().ok().cloned())
    }

    /// What was refused.
    pub fn problem(self) -> Option<Problem> {
        self.answer
            .with(|answer| answer.as_ref()?.as_ref().err().cloned())
    }

    /// Puts an answer in place that is known from elsewhere, such as from the change that made it so.
    pub fn put(self, value: T) {
        self.answer.set(Some(Ok(value)));
    }
}

/// Something that changes the ledger, done once however often it is tried.
///
/// As long as nobody knows whether it was done (no answer, or the server failed), trying the same again carries the same
/// idempotency key: it cannot happen twice. Only one try is on its way at a time.
#[derive(Clone, Copy)]
pub struct Deed {
    /// Whether it is on its way.
    pub busy: RwSignal<bool>,
    /// Why it was not done, the last time.
    pub problem: RwSignal<Option<Problem>>,
    undecided: StoredValue<Option<(String, String)>>,
}

impl Default for Deed {
    fn default() -> Self {
        Self::new()
    }
}

impl Deed {
    /// Nothing done yet.
    pub fn new() -> Self {
        Self {
            busy: RwSignal::new(false),
            problem: RwSignal::new(None),
            undecided: StoredValue::new(None),
        }
    }

    /// Does it; `done` gets what came of it. Does nothing while a try is on its way.
    pub fn run<T: 'static>(self, call: Call<T>, done: impl FnOnce(T) + 'static) {
        self.run_then(call, move |value| {
            done(value);
            std::future::ready(())
        });
    }

    /// As [`Deed::run`], when what follows takes time, too.
    pub fn run_then<T: 'static, F: Future<Output = ()>>(
        self,
        call: Call<T>,
        done: impl FnOnce(T) -> F + 'static,
    ) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        self.problem.set(None);
        api::spawn(async move {
            match self.attempt(&call).await {
                Ok(value) => {
                    // Before what follows, which may take this deed's component away.
                    self.busy.try_set(false);
                    done(value).await;
                }
                Err(problem) => {
                    self.problem.try_set(Some(problem));
                    self.busy.try_set(false);
                }
            }
        });
    }

    /// Tries it, whatever else is on its way. For deeds of many parts.
    ///
    /// # Errors
    /// As [`api::send`].
    pub async fn attempt<T>(self, call: &Call<T>) -> Result<T, Problem> {
        let content = format!(
            "{} {} {}",
            call.method,
            call.path,
            call.body.as_ref().map(ToString::to_string).unwrap_or_default()
        );
        let kept = self.undecided.try_get_value().flatten();
        let key = kept
            .filter(|(of, _)| *of == content)
            .map_or_else(|| Uuid::new_v4().to_string(), |(_, key)| key);
        self.undecided.try_set_value(Some((content, key.clone())));
        let keyed = matches!(call.method, "POST" | "PATCH");
        let outcome = api::send(call, keyed.then_some(key.as_str())).await;
        let is_open = outcome
            .as_ref()
            .is_err_and(|problem| problem.status == 0 || problem.status >= 500);
        if !is_open {
            self.undecided.try_set_value(None);
        }
        outcome
    }

    /// Forgets what went wrong.
    pub fn clear(self) {
        self.problem.set(None);
    }

    /// What is wrong with a field, by its name on the wire; what is wrong inside of it counts, too.
    pub fn error(self, field: &'static str) -> Signal<Option<String>> {
        Signal::derive(move || {
            self.problem.with(|problem| {
                let errors = &problem.as_ref()?.errors;
                let inside = |of: &str| {
                    of.strip_prefix(field)
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                };
                errors
                    .iter()
                    .find(|error| inside(&error.field))
                    .map(|error| error.message.clone())
            })
        })
    }
}
