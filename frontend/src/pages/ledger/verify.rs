//! The ledger verified in this browser: what will be proven, how far it is, and what came of it.

use leptos::prelude::*;

use super::outcome::{Damage, Failed, Success};
use crate::components::Icon;
use crate::components::{Ago, Button, Kind, Page, Section};
use crate::verification::{self, Extent, Kept, Progress, State};
use crate::{api, format, place};

/// The page.
#[component]
pub fn Verify() -> impl IntoView {
    verification::belong();
    let state = verification::state();
    // While it runs its figures change, and nothing else: the button that ends it stays the same one.
    let running = state.clone();
    let progress = Signal::derive(move || match running.get() {
        State::Running { progress, .. } => progress,
        _ => Progress::default(),
    });
    let since = state.clone();
    let since = Signal::derive(move || match since.get() {
        State::Running { since, .. } => since,
        _ => format::now(),
    });
    let phases = state.clone();
    let phase = Memo::new(move |_| match phases.get() {
        State::Running { .. } => State::Running {
            progress: Progress::default(),
            since: 0.0,
        },
        other => other,
    });
    let kept = RwSignal::new(None::<Kept>);
    // After each verification there is something else to go on from.
    let shown = state.clone();
    Effect::new(move |_| {
        if !matches!(shown.get(), State::Running { .. }) {
            api::spawn(async move {
                let last = verification::last().await;
                kept.try_set(last);
            });
        }
    });
    view! {
        <Page
            title="Verify the ledger"
            about="Your browser reads the ledger and checks it by itself. It believes nothing that the server says about it."
            above=(place::at("/ledger"), "Ledger")
        >
            {move || match phase.get() {
                State::Idle => view! { <Explained /> <Start kept /> }.into_any(),
                State::Running { .. } => view! { <Running progress since /> }.into_any(),
                State::Proven { proven, before, is_kept } => {
                    view! { <Success proven before is_kept /> <Start kept /> }.into_any()
                }
                State::Broken { broken, before } => view! { <Damage broken before /> <Start kept /> }.into_any(),
                State::Failed(failure) => view! { <Failed failure /> <Start kept /> }.into_any(),
            }}
        </Page>
    }
}

/// What will be proven.
#[component]
fn Explained() -> impl IntoView {
    const CLAIMS: [(&str, &str); 4] = [
        (
            "No event was changed",
            "Each one's bytes are hashed here, and the hash is the one that the ledger's other parts name.",
        ),
        (
            "None is missing, none was slipped in",
            "Each event was built on the one before it, and the numbers of each stream have no gap.",
        ),
        (
            "The server vouches for exactly this history",
            "One hash over all events is what the ledger's key has signed. Where the key was changed, the old one signed the new one.",
        ),
        (
            "History only grew",
            "If this browser verified the ledger before, it kept the signed checkpoint: the ledger must continue it.",
        ),
    ];
    let claims = CLAIMS.map(|(title, about)| {
        view! {
            <li>
                <Icon icon=icondata::LuShieldCheck />
                <div>
                    <h3>{title}</h3>
                    <p>{about}</p>
                </div>
            </li>
        }
    });
    view! {
        <Section title="What will be proven">
            <ul class="claims">{claims}</ul>
        </Section>
    }
}

/// The ways to begin.
#[component]
fn Start(kept: RwSignal<Option<Kept>>) -> impl IntoView {
    let forgetting = move |()| {
        api::spawn(async move {
            verification::forget().await;
            kept.try_set(None);
        });
    };
    view! {
        <div class="start">
            <div class="actions">
                <Button
                    kind=Kind::Primary
                    icon=icondata::LuShieldCheck
                    label="Verify everything"
                    press=|()| verification::start(Extent::Whole)
                />
                <Show when=move || kept.with(Option::is_some)>
                    <Button label="Verify what is new" press=|()| verification::start(Extent::New) />
                </Show>
            </div>
            {move || {
                kept.get()
                    .map(|kept| {
                        view! {
                            <p class="about">
                                "This browser last verified "
                                {format::counted(kept.size, "event", "events")} ", "
                                <Ago at=kept.verified_at />
                                ". \u{201c}What is new\u{201d} proves that those are unchanged as far as the server's hashes go, and reads only the events after them; \u{201c}everything\u{201d} reads each event again. "
                                <button type="button" class="link" on:click=move |_| forgetting(())>
                                    "Forget it"
                                </button>
                            </p>
                        }
                    })
            }}
        </div>
    }
}

/// How far it is.
#[component]
fn Running(progress: Signal<Progress>, since: Signal<f64>) -> impl IntoView {
    let done = Memo::new(move |_| progress.with(|progress| progress.checked.saturating_sub(progress.from)));
    let all = Memo::new(move |_| progress.with(|progress| progress.size.saturating_sub(progress.from)));
    let rate = Memo::new(move |_| per_second(done.get(), format::now() - since.get()));
    let words = move || match progress.get() {
        Progress {
            pause_seconds: Some(seconds),
            ..
        } => format!("The server asks for a pause of {seconds} s. It goes on by itself."),
        Progress { size: 0, .. } => "Reading the checkpoint\u{2026}".to_owned(),
        _ => remaining(all.get().saturating_sub(done.get()), rate.get()),
    };
    let speed = move || {
        let rate = rate.get();
        (rate > 0.0).then(|| format!("{} a second", format::short(rate)))
    };
    view! {
        <Section title="Verifying">
            <div class="running">
                <progress
                    max=move || all.get().max(1).to_string()
                    value=move || done.get().to_string()
                    aria-label="Events verified"
                ></progress>
                <p class="numeric-line">
                    <strong>{move || format::count(progress.get().checked)}</strong>
                    {move || format!(" of {}", format::counted(progress.get().size, "event", "events"))}
                    <span>{speed}</span>
                </p>
                <p role="status">{words}</p>
                <p class="about">"You can go to other pages meanwhile; it goes on."</p>
                <div class="actions">
                    <Button label="Cancel" press=|()| verification::cancel() />
                </div>
            </div>
        </Section>
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate need not be exact")]
fn per_second(done: u64, milliseconds: f64) -> f64 {
    if milliseconds < 200.0 {
        return 0.0;
    }
    done as f64 / milliseconds * 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "an estimate need not be exact")]
fn remaining(events: u64, rate: f64) -> String {
    if rate <= 0.0 {
        return "Just begun".to_owned();
    }
    let seconds = events as f64 / rate;
    if seconds < 1.5 {
        "Almost done".to_owned()
    } else if seconds < 90.0 {
        format!("About {seconds:.0} s to go")
    } else {
        format!("About {:.0} min to go", seconds / 60.0)
    }
}
