//! Asking and doing: [`Fetch`] keeps what the server said, [`Deed`] changes something once.

use std::any::Any;
use std::marker::PhantomData;
use std::sync::Arc;

use leptos::prelude::*;
use uuid::Uuid;
use vinzy_client::call::{Answer, Call};
use vinzy_client::service::Problem;

use crate::api::{self, Outgoing, Sending};

/// What the server said to a question, which is asked again whenever the question changes.
///
/// While a new answer is on its way the last one stays, unless the question is about something else altogether (another
/// path, whatever its query).
///
/// Answers are held without their type, so that all questions share the code that follows them: there is less to fetch.
pub struct Fetch<T: 'static> {
    answer: RwSignal<Held>,
    /// Whether an answer is on its way.
    pub waiting: RwSignal<bool>,
    again: Trigger,
    of: PhantomData<fn() -> T>,
}

/// What was answered.
type Value = Arc<dyn Any + Send + Sync>;

/// The newest answer; `None` before the first.
type Held = Option<Result<Value, Problem>>;

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
    let asked = move || {
        let call = question()?;
        Some(Asked {
            path: call.path.clone(),
            outgoing: Outgoing::of(&call),
            read: Box::new(move |answer| call.read(&answer).map(|value| Arc::new(value) as _)),
        })
    };
    let (answer, waiting, again) = (RwSignal::new(None), RwSignal::new(false), Trigger::new());
    follow(Box::new(asked), answer, waiting, again);
    Fetch {
        answer,
        waiting,
        again,
        of: PhantomData,
    }
}

/// A question, without the type of its answer: all share the code that follows them, so that there is less to fetch.
struct Asked {
    path: String,
    outgoing: Outgoing,
    read: Box<dyn FnOnce(Answer) -> Result<Value, Box<Problem>>>,
}

fn follow(
    question: Box<dyn Fn() -> Option<Asked>>,
    held: RwSignal<Held>,
    waiting: RwSignal<bool>,
    again: Trigger,
) {
    let newest = StoredValue::new(0_u64);
    let about = StoredValue::new(String::new());
    Effect::new(move |_| {
        again.track();
        let asked = question();
        let number = newest.get_value() + 1;
        newest.set_value(number);
        let path = asked.as_ref().map_or("", |asked| &asked.path);
        let subject = path.split('?').next().unwrap_or_default();
        if about.with_value(|about| about != subject) {
            about.set_value(subject.to_owned());
            held.set(None);
        }
        let Some(asked) = asked else {
            waiting.set(false);
            return;
        };
        waiting.set(true);
        api::spawn(async move {
            let answer = asked.outgoing.send().await;
            // The component may be gone, or the question another one by now.
            if newest.try_get_value() == Some(number) {
                held.set(Some(match answer {
                    Ok(answer) => (asked.read)(answer).map_err(|problem| *problem),
                    Err(problem) => Err(problem),
                }));
                waiting.set(false);
            }
        });
    });
}

impl<T: Clone + Send + Sync + 'static> Fetch<T> {
    /// Asks once more.
    pub fn again(self) {
        self.again.notify();
    }

    /// Looks at the newest answer; there is none before the first.
    pub fn with<R>(self, look: impl FnOnce(Option<Result<&T, &Problem>>) -> R) -> R {
        self.answer.with(|held| look(typed(held)))
    }

    /// As [`Fetch::with`], without following it.
    pub fn with_untracked<R>(self, look: impl FnOnce(Option<Result<&T, &Problem>>) -> R) -> R {
        self.answer.with_untracked(|held| look(typed(held)))
    }

    /// The newest answer.
    pub fn outcome(self) -> Option<Result<T, Box<Problem>>> {
        self.with(|answer| Some(answer?.cloned().map_err(|problem| Box::new(problem.clone()))))
    }

    /// What was answered, if it was no refusal.
    pub fn get(self) -> Option<T> {
        self.with(|answer| answer?.ok().cloned())
    }

    /// As [`Fetch::get`], without following it.
    pub fn get_untracked(self) -> Option<T> {
        self.with_untracked(|answer| answer?.ok().cloned())
    }

    /// What was refused.
    pub fn problem(self) -> Option<Problem> {
        self.with(|answer| answer?.err().cloned())
    }

    /// Puts an answer in place that is known from elsewhere, such as from the change that made it so.
    pub fn put(self, value: T) {
        self.answer.set(Some(Ok(Arc::new(value))));
    }
}

fn typed<T: 'static>(held: &Held) -> Option<Result<&T, &Problem>> {
    let answer = held.as_ref()?.as_ref();
    Some(answer.map(|value| {
        value
            .downcast_ref()
            .expect("a fetch holds answers of its own type")
    }))
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
    undecided: StoredValue<Option<(Outgoing, String)>>,
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
        let outgoing = Outgoing::of(&call);
        self.start(
            outgoing,
            Box::new(move |answer| {
                let value = call.read(&answer)?;
                // Before what follows, which may take this deed's component away.
                self.busy.try_set(false);
                done(value);
                Ok(())
            }),
        );
    }

    fn start(self, outgoing: Outgoing, done: Box<dyn FnOnce(Answer) -> Result<(), Box<Problem>>>) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        self.problem.set(None);
        api::spawn(async move {
            let problem = match self.deliver(outgoing).await {
                Ok(answer) => done(answer).err().map(|problem| *problem),
                Err(problem) => Some(problem),
            };
            if problem.is_some() {
                self.problem.try_set(problem);
                self.busy.try_set(false);
            }
        });
    }

    /// Tries it, whatever else is on its way. For deeds of many parts.
    ///
    /// # Errors
    /// As [`api::send`].
    pub async fn attempt<T>(self, call: &Call<T>) -> Result<T, Problem> {
        let answer = self.deliver(Outgoing::of(call)).await?;
        call.read(&answer).map_err(|problem| *problem)
    }

    fn deliver(self, mut outgoing: Outgoing) -> Sending {
        Box::pin(async move {
            let kept = self.undecided.try_get_value().flatten();
            let key = kept
                .filter(|(of, _)| *of == outgoing)
                .map_or_else(|| Uuid::new_v4().to_string(), |(_, key)| key);
            self.undecided
                .try_set_value(Some((outgoing.clone(), key.clone())));
            outgoing.idempotency_key = matches!(outgoing.method, "POST" | "PATCH").then_some(key);
            let outcome = outgoing.send().await;
            if outcome.as_ref().is_ok_and(|answer| answer.status < 500) {
                self.undecided.try_set_value(None);
            }
            outcome
        })
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
