//! Erasing a customer's personal data, and the certificate that it was done.

use leptos::prelude::*;
use vinzy_client::calls;
use vinzy_client::customers::{Customer, EraseCustomer, ErasureCertificate};

use crate::components::copy::download;
use crate::components::{
    Button, Confirm, Copy, Detail, Details, Id, Loaded, Moment, Section, TextField, toast,
};
use crate::fetch::{Deed, Fetch};
use crate::format;
use crate::place;
use crate::session;

/// Asks for the customer's address, or id where there is none, and erases them.
#[component]
pub fn Erasure(
    customer: Fetch<Customer>,
    open: RwSignal<bool>,
    #[prop(into)] erased: Callback<ErasureCertificate>,
) -> impl IntoView {
    // Made anew when it is about somebody else, not at each answer.
    let about = Memo::new(move |_| {
        let customer = customer.get().filter(|customer| customer.erased_at.is_none())?;
        let typed = if customer.email.is_empty() {
            &customer.id
        } else {
            &customer.email
        };
        Some((customer.id.clone(), typed.clone()))
    });
    move || {
        about
            .get()
            .map(|(id, typed)| view! { <Asked id typed open erased /> })
    }
}

#[component]
fn Asked(
    id: String,
    typed: String,
    open: RwSignal<bool>,
    erased: Callback<ErasureCertificate>,
) -> impl IntoView {
    let deed = Deed::new();
    let reason = RwSignal::new(String::new());
    let erase = move |()| {
        let reason = reason.get_untracked().trim().to_owned();
        let body = EraseCustomer {
            reason: (!reason.is_empty()).then_some(reason),
        };
        deed.run(calls::customers::erase(&id, &body), move |certificate| {
            toast("Personal data erased");
            erased.run(certificate);
        });
    };
    view! {
        <Confirm
            title="Erase this customer\u{2019}s personal data?"
            open
            close=move |()| open.set(false)
            label="Erase for good"
            danger=true
            typed
            deed
            confirm=erase
        >
            <p>
                "Name, e-mail, company and metadata are destroyed with the key that they are sealed with: on this server nobody can read them again, also not in the ledger\u{2019}s history. There is no way back."
            </p>
            <p>
                "Their licenses stay and go on working. The ledger keeps that they were erased, still verifies, and gives you a certificate. Backups that were made before still hold the data until you delete them."
            </p>
            <TextField
                label="Reason"
                value=reason
                hint="Stands in the ledger for good: name no person."
                placeholder="Art. 17 GDPR"
                error=deed.error("reason")
            />
        </Confirm>
    }
}

/// The certificate, to read and to keep.
#[component]
pub fn Certificate(certificate: Fetch<ErasureCertificate>) -> impl IntoView {
    if !session::may().read_audit {
        return ().into_any();
    }
    let keep = move || {
        view! {
            <Button
                icon=icondata::LuDownload
                label="Download certificate"
                press=move |()| {
                    if let Some(certificate) = untrack(|| certificate.get()) {
                        save(&certificate);
                    }
                }
            />
        }
    };
    view! {
        <Section
            title="Certificate of erasure"
            about="Proof that the personal data were destroyed: the ledger\u{2019}s event, and a signed checkpoint that covers it. Anybody can check it without this server."
            actions=keep
        >
            <Loaded fetch=certificate view=certified />
        </Section>
    }
    .into_any()
}

fn save(certificate: &ErasureCertificate) {
    let name = format!("erasure-{}.json", certificate.customer_id);
    let text = serde_json::to_string_pretty(certificate).unwrap_or_default();
    download(&name, "application/json", &format!("{text}\n"));
}

fn certified(certificate: ErasureCertificate) -> impl IntoView {
    let position = format::count(certificate.position);
    let event = if session::may().verify {
        let href = place::at(&format!("/ledger/{}", certificate.position));
        view! { <a href=href>{format!("Position {position}")}</a> }.into_any()
    } else {
        format!("Position {position}").into_any()
    };
    let keys = format!(
        "{}, which sealed {}",
        format::counted(certificate.destroyed_keys.len() as u64, "key", "keys"),
        format::counted(certificate.sealed_values, "value", "values")
    );
    let reason = certificate.reason.unwrap_or_else(|| "None given".to_owned());
    view! {
        <Details>
            <Detail name="Erased">
                <Moment at=certificate.erased_at />
            </Detail>
            <Detail name="Reason">{reason}</Detail>
            <Detail name="Destroyed">{keys}</Detail>
            <Detail name="Event in the ledger">{event}</Detail>
            <Detail name="Hash of the event">
                <Id id=certificate.event_hash what="Event hash" />
            </Detail>
            <Detail name="Ledger">
                <code>{certificate.ledger}</code>
            </Detail>
        </Details>
        <details class="checkpoint">
            <summary>"Signed checkpoint"</summary>
            <div class="json">
                <Copy text=certificate.checkpoint.clone() what="Checkpoint" />
                <pre tabindex="0">{certificate.checkpoint}</pre>
            </div>
        </details>
    }
}
