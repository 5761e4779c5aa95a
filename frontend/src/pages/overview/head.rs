//! Where the ledger stands, and how far it is proven.

use leptos::prelude::*;
use vinzy_client::overview::LedgerHead;

use crate::components::{Ago, Detail, Details, LinkButton, Section};
use crate::pages::ledger::LastHere;
use crate::{format, place, session};

/// The ledger's head.
#[component]
pub fn Head(head: LedgerHead) -> impl IntoView {
    let may = session::may();
    let signed = match (head.checkpoint_size, head.checkpoint_at) {
        (Some(size), Some(at)) => view! {
            <span>{signed_up_to(size, head.size)} ", " <Ago at /></span>
        }
        .into_any(),
        _ => view! { <span>"No checkpoint yet"</span> }.into_any(),
    };
    let actions = move || {
        may.verify
            .then(|| view! { <LinkButton icon=icondata::LuShieldCheck label="Verify" href=place::at("/ledger/verify") /> })
    };
    view! {
        <Section
            title="Ledger"
            about="Everything above is derived from it. The server signs how far it goes; your browser can check that by itself."
            actions
        >
            <Details>
                <Detail name="Events">
                    {if may.verify {
                        view! { <a href=place::at("/ledger")>{format::count(head.size)}</a> }.into_any()
                    } else {
                        view! { <span>{format::count(head.size)}</span> }.into_any()
                    }}
                </Detail>
                <Detail name="Signed by the server">{signed}</Detail>
                {may.verify
                    .then(|| {
                        view! {
                            <Detail name="Verified in this browser">
                                <LastHere />
                            </Detail>
                        }
                    })}
                <Detail name="Name">
                    <code>{head.origin}</code>
                </Detail>
            </Details>
        </Section>
    }
}

fn signed_up_to(size: u64, head: u64) -> String {
    let position = format!("up to position {}", format::count(size.saturating_sub(1)));
    match head.saturating_sub(size) {
        0 => position,
        newer => format!("{position}; {} newer", format::count(newer)),
    }
}
