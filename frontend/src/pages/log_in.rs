//! Logging in.

use leptos::prelude::*;
use vinzy_client::calls;

use crate::app::Mark;
use crate::components::{Button, Kind, Refused, TextField};
use crate::fetch::Deed;
use crate::session::{self, State};

/// Asks for an API key. The address stays what it is: whoever logs in is where they wanted to be.
#[component]
pub fn LogIn(
    /// Somebody was logged in, until a moment ago.
    ended: bool,
) -> impl IntoView {
    let key = RwSignal::new(String::new());
    let deed = Deed::new();
    document().set_title("Log in · Vinzy-Engine");
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let call = calls::session::create(key.get_untracked().trim());
        deed.run(call, |session| session::state().set(State::In(session)));
    };
    view! {
        <main class="alone">
            <form class="form log-in" on:submit=submit>
                <Mark />
                <h1>"Log in"</h1>
                {ended
                    .then(|| {
                        view! {
                            <p class="notice" role="status">
                                "Your session has ended. Log in, and you are back where you were."
                            </p>
                        }
                    })}
                <TextField
                    label="API key"
                    value=key
                    kind="password"
                    autocomplete="current-password"
                    hint="The server printed it at its first start, and keeps it in secrets.toml. What the key may do, you may do here."
                    required=true
                    first=true
                />
                <Refused problem=deed.problem />
                <Button kind=Kind::Primary label="Log in" submit=true busy=deed.busy />
            </form>
        </main>
    }
}
