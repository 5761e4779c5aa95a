//! The newest signed checkpoint: what the server vouches for.

use leptos::prelude::*;
use vinzy_client::call::Call;
use vinzy_client::calls;
use vinzy_events::ledger::Checkpoint;

use crate::components::copy::download;
use crate::components::{Ago, Button, Copy, Detail, Details, Id, Kind, Loaded, Section};
use crate::fetch::fetch;
use crate::{format, place, session, verification};

/// What is known of the newest checkpoint.
#[component]
pub fn Newest() -> impl IntoView {
    let checkpoint = fetch(|| calls::audit::checkpoint(&session::tenant()));
    let key = fetch(|| -> Call<String> { calls::audit::verifier_key(&session::tenant()) });
    let view = move |note: String| {
        let Ok(claimed) = Checkpoint::claimed(&note) else {
            return view! { <p class="notice failed">"The server's checkpoint cannot be read."</p> }
                .into_any();
        };
        let saved = note.clone();
        let checked = RwSignal::new(None::<(bool, String)>);
        Effect::new(move |_| {
            let Some(key) = key.get().map(|key| key.trim().to_owned()) else {
                return;
            };
            verification::check_checkpoint(note.clone(), key.clone(), move |found| {
                checked.try_set(Some((found.problem.is_none(), key)));
            });
        });
        let signed = move || match checked.get() {
            Some((true, key)) => signed_by(key).into_any(),
            Some((false, _)) => {
                view! { <span class="error">"The signature does not verify with the ledger's key"</span> }
                    .into_any()
            }
            None => view! { "\u{2026}" }.into_any(),
        };
        view! {
            <Details>
                <Detail name="Covers">{format::counted(claimed.size, "event", "events")}</Detail>
                <Detail name="Root hash">
                    <Id id=claimed.root.to_string() what="Root hash" />
                </Detail>
                <Detail name="Signed by">{signed}</Detail>
                <Detail name="Verified in this browser">
                    <LastHere />
                </Detail>
            </Details>
            <div class="actions after">
                <Button
                    icon=icondata::LuDownload
                    label="Download checkpoint"
                    press=move |()| download("checkpoint", "text/plain", &saved)
                />
            </div>
        }
        .into_any()
    };
    view! {
        <Section
            title="Newest checkpoint"
            about="A signed statement of how many events there are, and one hash over all of them. Keep it: with it you can prove later that nothing was changed."
        >
            <Loaded fetch=checkpoint view />
        </Section>
    }
}

/// A key by its name and its id, whole to copy.
pub fn signed_by(whole: String) -> impl IntoView {
    let mut parts = whole.split('+').map(str::to_owned);
    let (name, id) = (parts.next(), parts.next());
    view! {
        <span class="id">
            <span title=whole.clone()>{name} " (key " <code>{id}</code> ")"</span>
            <Copy text=whole what="Verifier key" />
        </span>
    }
}

/// Up to where, and when, this browser verified the ledger.
#[component]
pub fn LastHere() -> impl IntoView {
    let last = RwSignal::new(None::<Option<verification::Kept>>);
    crate::api::spawn(async move {
        let found = verification::last().await;
        last.try_set(Some(found));
    });
    move || {
        match last.get() {
        None => view! { <span>"\u{2026}"</span> }.into_any(),
        Some(None) => view! { <a href=place::at("/ledger/verify")>"Never yet"</a> }.into_any(),
        Some(Some(kept)) => view! {
            <span>"up to " {format::counted(kept.size, "event", "events")} ", " <Ago at=kept.verified_at /></span>
        }
        .into_any(),
    }
    }
}

/// A button that fetches something and hands it to the browser as a file.
#[component]
pub fn Download<T: Clone + 'static>(
    #[prop(into)] label: String,
    call: Call<T>,
    #[prop(into)] name: String,
    /// What stands in the file.
    content: fn(&T) -> String,
) -> impl IntoView {
    let busy = RwSignal::new(false);
    let call = StoredValue::new_local(call);
    let press = move |()| {
        busy.set(true);
        let (call, name) = (call.get_value(), name.clone());
        crate::api::spawn(async move {
            match crate::api::send(&call).await {
                Ok(answer) => download(&name, "application/json", &content(&answer)),
                Err(problem) => crate::components::toast_problem(&problem),
            }
            busy.try_set(false);
        });
    };
    view! { <Button kind=Kind::Plain icon=icondata::LuDownload label busy press /> }
}
