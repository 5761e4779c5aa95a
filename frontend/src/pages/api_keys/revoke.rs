//! An API key's end.

use leptos::prelude::*;
use vinzy_client::access::ApiKey;
use vinzy_client::calls;

use super::list::Task;
use super::words;
use crate::components::Confirm;
use crate::fetch::Deed;

/// The dialogs: for the key of this very session, its name has to be typed first.
#[component]
pub fn Revocation(
    task: RwSignal<Option<Task>>,
    #[prop(into)] close: Callback<()>,
    #[prop(into)] revoked: Callback<()>,
) -> impl IntoView {
    let of = move |wanted: bool| {
        Signal::derive(move || {
            task.with(|task| match task {
                Some(Task::Revoke(key)) if words::is_own(key) == wanted => Some(key.clone()),
                _ => None,
            })
        })
    };
    let (others, own) = (of(false), of(true));
    let (of_others, of_own) = (Deed::new(), Deed::new());
    let revoke = move |key: Signal<Option<ApiKey>>, deed: Deed| {
        move |()| {
            if let Some(key) = key.get_untracked() {
                deed.run(calls::api_keys::delete(&key.id), move |()| revoked.run(()));
            }
        }
    };
    view! {
        <Confirm
            title=title(others)
            open=Signal::derive(move || others.with(Option::is_some))
            close
            label="Revoke API key"
            danger=true
            deed=of_others
            confirm=revoke(others, of_others)
        >
            <p>
                "From now on it opens nothing, and whoever is logged in with it is logged out. What it did keeps its name. There is no way back."
            </p>
        </Confirm>
        <Confirm
            title=title(own)
            open=Signal::derive(move || own.with(Option::is_some))
            close
            label="Revoke API key"
            danger=true
            deed=of_own
            confirm=revoke(own, of_own)
            typed=words::own_name()
        >
            <p>
                "You are logged in with this very key: you will be logged out, and it will not let you in again. Make sure that there is another one with the scope admin."
            </p>
        </Confirm>
    }
}

fn title(key: Signal<Option<ApiKey>>) -> Signal<String> {
    Signal::derive(move || {
        key.with(|key| key.as_ref().map(|key| format!("Revoke {}?", key.name)))
            .unwrap_or_default()
    })
}
