//! What came of a verification.

use leptos::prelude::*;

use super::checkpoint::signed_by;
use crate::components::Icon;
use crate::components::copy::download;
use crate::components::{Ago, Button, Copy, Detail, Details, Id, LinkButton, Moment, Section};
use crate::verification::{Broken, Failure, Kept, Kind, Proven};
use crate::{format, place};

/// All is well.
#[component]
pub fn Success(proven: Proven, before: Option<Kept>, is_kept: bool) -> impl IntoView {
    let note = proven.note.clone();
    let read = proven.size - proven.from;
    let what = if proven.from == 0 {
        format!(
            "All {} are whole, in their order, and built on one another.",
            format::counted(proven.size, "event", "events")
        )
    } else {
        format!(
            "The first {} are those of last time, and {} after them are whole, in their order, and built on one another.",
            format::counted(proven.from, "event", "events"),
            format::count(read),
        )
    };
    let continues = before.map(|before| {
        view! {
            <Detail name="Continues">
                {format!("what this browser saw: {}, ", format::counted(before.size, "event", "events"))}
                <Ago at=before.verified_at />
            </Detail>
        }
    });
    let handed_over = (proven.keys > 1).then(|| {
        view! {
            <Detail name="Signing keys">
                {format!("{} by turns; each signed which one comes next", proven.keys)}
            </Detail>
        }
    });
    view! {
        <section class="verdict good" role="status">
            <Icon icon=icondata::LuShieldCheck />
            <div>
                <h2>"The ledger is proven"</h2>
                <p>{what}</p>
            </div>
        </section>
        <Section title="What was proven">
            <Details>
                <Detail name="Events">{format::count(proven.size)}</Detail>
                <Detail name="Newest event">
                    {proven
                        .last_recorded_at
                        .map_or_else(
                            || view! { "None since last time" }.into_any(),
                            |at| view! { <Moment at /> }.into_any(),
                        )}
                </Detail>
                <Detail name="Root hash">
                    <Id id=proven.root what="Root hash" />
                </Detail>
                <Detail name="Signed by">{signed_by(proven.key)}</Detail>
                {continues}
                {handed_over}
                <Detail name="Read and checked">{speed(read, proven.milliseconds, proven.busy_milliseconds)}</Detail>
            </Details>
            <p class="about after">
                {if is_kept {
                    "The checkpoint is kept in this browser: next time the ledger must continue it. Keep a copy elsewhere, too, and compare the key with one that you were told."
                } else {
                    "This browser does not let pages keep anything: download the checkpoint, so that you can prove later that history only grew."
                }}
            </p>
            <div class="actions after">
                <Button
                    icon=icondata::LuDownload
                    label="Download checkpoint"
                    press=move |()| download("checkpoint", "text/plain", &note)
                />
            </div>
        </Section>
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate need not be exact")]
fn speed(events: u64, milliseconds: f64, busy: f64) -> String {
    let seconds = (milliseconds / 1000.0).max(0.001);
    let rate = events as f64 / seconds;
    let checking = events as f64 / (busy / 1000.0).max(0.000_1);
    format!(
        "{} in {seconds:.1} s: {} a second, of which checking alone does {}",
        format::counted(events, "event", "events"),
        format::short(rate),
        format::short(checking)
    )
}

/// Something is wrong with the ledger.
#[component]
pub fn Damage(broken: Broken, before: Option<Kept>) -> impl IntoView {
    let title = title(&broken);
    let meaning = match broken.kind {
        Kind::Event => {
            "Somebody changed what was recorded, or storage failed. An honest server cannot show this."
        }
        Kind::History => {
            "What was proven before is not part of this ledger any more. Either a backup was restored, or somebody wrote history anew."
        }
        Kind::Checkpoint => {
            "What vouches for this ledger does not hold. Nothing on this server should be taken as proven."
        }
    };
    let event = broken.position.filter(|_| broken.kind == Kind::Event);
    let event = event.map(|position| {
        let href = place::at(&format!("/ledger/{position}"));
        view! { <LinkButton label=format!("Look at event {}", format::count(position)) href /> }
    });
    let text = report(&broken, before.as_ref());
    let saved = text.clone();
    view! {
        <section class="verdict bad" role="alert">
            <Icon icon=icondata::LuShieldAlert />
            <div>
                <h2>{title}</h2>
                <p>{meaning}</p>
            </div>
        </section>
        <Section title="What is wrong">
            <p class="finding">{crate::text::capitalized(&broken.problem)} "."</p>
            <Details>
                {broken.position.map(|position| view! { <Detail name="At position">{format::count(position)}</Detail> })}
                <Detail name="Good before that">{format::counted(broken.good, "event", "events")}</Detail>
                {before
                    .map(|before| {
                        view! {
                            <Detail name="This browser had proven">
                                {format!("{}, ", format::counted(before.size, "event", "events"))}
                                <Ago at=before.verified_at />
                            </Detail>
                        }
                    })}
            </Details>
        </Section>
        <Section title="What to do">
            <ol class="steps-list">
                <li>"Keep the evidence: it holds both checkpoints, as they were signed."</li>
                <li>"Change nothing on the server, and make a copy of its database and its data directory."</li>
                <li>
                    "Run " <code>"vinzy verify"</code>
                    " on the server: it names the first damaged event, with the database's own columns."
                </li>
                <li>"Ask whoever runs the server whether a backup was restored. If nobody knows of one, treat it as tampering."</li>
            </ol>
            <div class="actions after">
                <Button
                    icon=icondata::LuDownload
                    label="Download the evidence"
                    press=move |()| download("ledger-evidence.txt", "text/plain", &saved)
                />
                {event}
                <Copy text what="Evidence" />
            </div>
        </Section>
    }
}

fn title(broken: &Broken) -> String {
    match (broken.kind, broken.position) {
        (Kind::Event, Some(position)) => format!("Event {} is not what it was", format::count(position)),
        (Kind::Event, None) => "An event is not what it was".to_owned(),
        (Kind::History, _) => "This is not the history that was there before".to_owned(),
        (Kind::Checkpoint, _) => "The ledger's checkpoint does not hold".to_owned(),
    }
}

/// The evidence as a text of its own.
fn report(broken: &Broken, before: Option<&Kept>) -> String {
    let mut text = format!(
        "The ledger at {} did not verify on {}.\n\n{}\n{}.\nEvents that were good before that: {}\n",
        place::api("/"),
        format::days_from_now(0.0),
        title(broken),
        crate::text::capitalized(&broken.problem),
        broken.good
    );
    if let Some(note) = &broken.note {
        text += &format!("\nThe checkpoint that the server shows:\n\n{note}");
    }
    if let Some(before) = before {
        text += &format!(
            "\nThe checkpoint that this browser verified on {}:\n\n{}\nIts key: {}\n",
            before.verified_at, before.note, before.key
        );
    }
    text
}

/// It could not be found out.
#[component]
pub fn Failed(failure: Failure) -> impl IntoView {
    let request_id = failure.request_id;
    view! {
        <section class="verdict unknown" role="alert">
            <Icon icon=icondata::LuTriangleAlert />
            <div>
                <h2>"The verification could not be finished"</h2>
                <p>{failure.detail}</p>
                {(!request_id.is_empty())
                    .then(|| {
                        view! {
                            <p class="request-id">
                                "Request " <code>{request_id.clone()}</code> <Copy text=request_id what="Request id" />
                            </p>
                        }
                    })}
                <p>"Nothing is proven by that, neither that the ledger is in order nor that it is not."</p>
            </div>
        </section>
    }
}
