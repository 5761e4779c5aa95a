//! What is done to the license in one step: suspend, reinstate, revoke, delete.

use leptos::prelude::*;
use vinzy_client::call::Call;
use vinzy_client::calls;
use vinzy_client::licenses::{License, Reason};

use super::{Here, Task};
use crate::components::{Confirm, TextField, toast};
use crate::fetch::Deed;
use crate::place::use_go;

/// What stands in the ledger for good must not name anybody.
const REASON: &str = "Up to 500 characters, or none. It stands in the ledger for good: name no person.";

type Ask = fn(&str, &Reason) -> Call<License>;

/// The dialogs.
#[component]
pub fn Steps(here: Here) -> impl IntoView {
    view! {
        <Step
            here
            task=Task::Suspend
            title="Suspend this license?"
            label="Suspend license"
            done="License suspended"
            ask=calls::licenses::suspend
        >
            <p>"Applications with its key are refused until it is reinstated. Leases that were handed out already hold until they end."</p>
        </Step>
        <Step
            here
            task=Task::Reinstate
            title="Reinstate this license?"
            label="Reinstate license"
            done="License reinstated"
            ask=calls::licenses::reinstate
        >
            <p>"Applications with its key are let in again, as before it was suspended."</p>
        </Step>
        <Step
            here
            task=Task::Revoke
            title="Revoke this license for good?"
            label="Revoke license"
            done="License revoked"
            ask=calls::licenses::revoke
            typed="revoke"
        >
            <p>"Applications with its key are refused from now on. Nothing brings a revoked license back: to hold it back for a while, suspend it."</p>
        </Step>
        <Deletion here />
    }
}

/// A step that can have a reason. With `typed`, there is no way back from it.
#[component]
fn Step(
    here: Here,
    task: Task,
    title: &'static str,
    label: &'static str,
    done: &'static str,
    ask: Ask,
    #[prop(optional)] typed: &'static str,
    children: ChildrenFn,
) -> impl IntoView {
    let deed = Deed::new();
    let reason = RwSignal::new(String::new());
    let open = Signal::derive(move || here.task.get() == Some(task));
    Effect::new(move |_| {
        if open.get() {
            reason.set(String::new());
        }
    });
    let confirm = move |()| {
        let reason = Reason {
            reason: Some(reason.get_untracked().trim().to_owned()).filter(|reason| !reason.is_empty()),
        };
        deed.run(ask(&here.id.get_untracked(), &reason), move |license| {
            toast(done);
            here.task.set(None);
            here.put(license);
        });
    };
    let children = StoredValue::new(children);
    let close = Callback::new(move |()| here.task.set(None));
    let body = move || {
        view! {
            {children.with_value(|children| children())}
            <TextField label="Reason" value=reason hint=REASON error=deed.error("reason") first=true />
        }
    };
    if typed.is_empty() {
        view! { <Confirm title open close label deed confirm>{body()}</Confirm> }.into_any()
    } else {
        view! { <Confirm title open close label danger=true typed deed confirm>{body()}</Confirm> }.into_any()
    }
}

#[component]
fn Deletion(here: Here) -> impl IntoView {
    let deed = Deed::new();
    let go = StoredValue::new_local(use_go());
    let delete = move |()| {
        deed.run(calls::licenses::delete(&here.id.get_untracked()), move |()| {
            toast("License deleted");
            here.task.set(None);
            go.with_value(|go| go.instead("/licenses"));
        });
    };
    view! {
        <Confirm
            title="Delete this license?"
            open=Signal::derive(move || here.task.get() == Some(Task::Delete))
            close=move |()| here.task.set(None)
            label="Delete license"
            danger=true
            typed="delete"
            deed
            confirm=delete
        >
            <p>"It goes from all lists, and its key is not known any more. Its history stays in the ledger, and its page still shows it."</p>
        </Confirm>
    }
}
