//! Short words about what was just done.

use std::cell::Cell;
use std::time::Duration;

use leptos::prelude::*;
use vinzy_client::service::Problem;

use super::icon::Icon;
use super::state::words;

/// How long they stay.
const STAY: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Toast {
    number: u64,
    text: String,
    is_bad: bool,
}

thread_local! {
    static TOASTS: ArcRwSignal<Vec<Toast>> = ArcRwSignal::new(vec![]);
    static LAST: Cell<u64> = const { Cell::new(0) };
}

/// Says that something was done.
pub fn toast(text: impl Into<String>) {
    push(text.into(), false);
}

/// Says that something was not done where there is no better place to say it.
pub fn toast_problem(problem: &Problem) {
    push(words(problem), true);
}

fn push(text: String, is_bad: bool) {
    let number = LAST.get() + 1;
    LAST.set(number);
    let toasts = TOASTS.with(Clone::clone);
    toasts.update(|toasts| toasts.push(Toast { number, text, is_bad }));
    let gone = move || toasts.update(|toasts| toasts.retain(|toast| toast.number != number));
    set_timeout(gone, if is_bad { STAY * 2 } else { STAY });
}

/// Where they appear.
#[component]
pub fn Toasts() -> impl IntoView {
    let toasts = TOASTS.with(Clone::clone);
    view! {
        <div class="toasts" role="status" aria-live="polite">
            <For each=move || toasts.get() key=|toast| toast.number let:toast>
                <p class="toast" class:bad=toast.is_bad>
                    <Icon icon=if toast.is_bad { icondata::LuTriangleAlert } else { icondata::LuCheck } />
                    {toast.text}
                </p>
            </For>
        </div>
    }
}
