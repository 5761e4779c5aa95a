//! Moves the license's end.

use leptos::prelude::*;
use vinzy_client::calls;
use vinzy_client::licenses::{License, RenewLicense};

use super::{Here, Task};
use crate::components::{Buttons, Choice, ChoiceField, Dialog, NumberField, TimeField, toast};
use crate::fetch::Deed;
use crate::format;

const DAY: f64 = 86_400_000.0;

/// The dialog.
#[component]
pub fn Renew(here: Here) -> impl IntoView {
    let open = Signal::derive(move || here.task.get() == Some(Task::Renew));
    let close = Callback::new(move |()| here.task.set(None));
    view! {
        <Dialog title="Renew license" open close>
            {move || here.license.get().map(|license| view! { <Fields here license close /> })}
        </Dialog>
    }
}

#[component]
fn Fields(here: Here, license: License, #[prop(into)] close: Callback<()>) -> impl IntoView {
    // To what never ends, no days can be added.
    let begin = if license.expires_at.is_some() {
        "days"
    } else {
        "date"
    };
    let how = RwSignal::new(begin.to_owned());
    let days = RwSignal::new("365".to_owned());
    let date = RwSignal::new(String::new());
    let deed = Deed::new();
    let ends = StoredValue::new(license.expires_at.clone());
    let renewal = Signal::derive(move || match how.get().as_str() {
        "days" => number(&days.get()).map(|days| RenewLicense {
            days_valid: Some(days),
            expires_at: None,
        }),
        "date" => format::from_field(&date.get()).map(|at| RenewLicense {
            days_valid: None,
            expires_at: Some(Some(at)),
        }),
        _ => Some(RenewLicense {
            days_valid: None,
            expires_at: Some(None),
        }),
    });
    let outcome = move || {
        let ends = ends.get_value();
        match renewal.get()? {
            RenewLicense {
                days_valid: Some(days),
                ..
            } => Some(format!(
                "New end: {}",
                format::local_day(&after(ends.as_deref()?, days))
            )),
            RenewLicense {
                expires_at: Some(None),
                ..
            } => Some("It will never end.".to_owned()),
            _ => None,
        }
    };
    let now = ends.get_value().map_or_else(
        || "It never ends now.".to_owned(),
        |at| {
            format!(
                "It ends on {} ({}) now.",
                format::local_day(&at),
                format::relative(&at, format::now())
            )
        },
    );
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let Some(renewal) = renewal.get_untracked() else {
            return;
        };
        deed.run(calls::licenses::renew(&license.id, &renewal), move |license| {
            toast("License renewed");
            close.run(());
            here.put(license);
        });
    };
    let ways = vec![
        Choice::new("days", "Add days to its end"),
        Choice::new("date", "Until a date"),
        Choice::new("never", "Without an end"),
    ];
    let is = move |way: &'static str| move || how.with(|how| how == way);
    view! {
        <form class="form" on:submit=submit>
            <p>{now}</p>
            <ChoiceField label="How" value=how choices=ways />
            <Show when=is("days")>
                <NumberField
                    label="Days"
                    value=days
                    hint="Up to 36,500; added to now if the end has passed."
                    error=deed.error("days_valid")
                />
            </Show>
            <Show when=is("date")>
                <TimeField
                    label="New end"
                    value=date
                    hint="In your time zone; it must lie ahead."
                    error=deed.error("expires_at")
                />
            </Show>
            <p class="outcome">{outcome}</p>
            <Buttons
                label="Renew license"
                deed
                cancel=close
                disabled=Signal::derive(move || renewal.with(Option::is_none))
            />
        </form>
    }
}

fn number(days: &str) -> Option<u32> {
    days.trim().parse().ok().filter(|days| *days > 0)
}

/// So many days after an end, or after now when it has passed.
fn after(ends: &str, days: u32) -> String {
    let from = format::millis(ends).unwrap_or_default().max(format::now());
    let at = js_sys::Date::new(&(from + f64::from(days) * DAY).into());
    if at.get_time().is_nan() {
        String::new()
    } else {
        at.to_iso_string().into()
    }
}
