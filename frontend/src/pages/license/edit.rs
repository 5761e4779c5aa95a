//! Changes what the license says.

use leptos::prelude::*;
use vinzy_client::Object;
use vinzy_client::calls;
use vinzy_client::licenses::{License, UpdateLicense};

use super::head::field_text;
use super::{Here, Task};
use crate::components::json::parse_object;
use crate::components::{
    Buttons, Dialog, FeaturesField, JsonField, NumberField, TextField, TimeField, toast,
};
use crate::fetch::Deed;
use crate::format;

/// The dialog.
#[component]
pub fn Edit(here: Here) -> impl IntoView {
    let open = Signal::derive(move || here.task.get() == Some(Task::Edit));
    let close = Callback::new(move |()| here.task.set(None));
    view! {
        <Dialog title="Edit license" open close wide=true>
            {move || here.license.get().map(|license| view! { <Fields here license close /> })}
        </Dialog>
    }
}

/// What is written in the fields.
#[derive(Clone, Copy)]
struct Draft {
    tier: RwSignal<String>,
    machines: RwSignal<String>,
    ends: RwSignal<String>,
    features: RwSignal<Object>,
    overrides: RwSignal<Object>,
    metadata: RwSignal<String>,
}

impl Draft {
    fn of(license: &License) -> Self {
        let limit = license.machines_limit.map(|limit| limit.to_string());
        Self {
            tier: RwSignal::new(license.tier.clone()),
            machines: RwSignal::new(limit.unwrap_or_default()),
            ends: RwSignal::new(ends_field(license)),
            features: RwSignal::new(license.features.clone()),
            overrides: RwSignal::new(license.entitlements.clone()),
            metadata: field_text(&license.metadata),
        }
    }

    /// What differs from the license: what was not touched here may be changed elsewhere meanwhile. `None` while
    /// something cannot be sent.
    fn change(self, license: &License) -> Option<UpdateLicense> {
        let limit = limit(&self.machines.get())?;
        let ends = self.ends.get();
        let metadata = parse_object(&self.metadata.get()).ok()?;
        let expires_at = (ends != ends_field(license)).then(|| format::from_field(&ends));
        Some(UpdateLicense {
            status: None,
            tier: Some(self.tier.get()).filter(|tier| *tier != license.tier),
            machines_limit: Some(limit).filter(|limit| *limit != license.machines_limit),
            expires_at,
            features: Some(self.features.get()).filter(|features| *features != license.features),
            entitlements: Some(self.overrides.get()).filter(|overrides| *overrides != license.entitlements),
            metadata: Some(metadata).filter(|metadata| *metadata != license.metadata),
        })
    }
}

fn ends_field(license: &License) -> String {
    license
        .expires_at
        .as_deref()
        .map(format::to_field)
        .unwrap_or_default()
}

/// Nothing is no limit; what is no number in range is nothing that can be sent.
#[expect(clippy::option_option, reason = "no limit is a limit, too")]
fn limit(text: &str) -> Option<Option<u32>> {
    match text.trim() {
        "" => Some(None),
        text => text.parse().ok().filter(|limit| *limit > 0).map(Some),
    }
}

#[component]
fn Fields(here: Here, license: License, #[prop(into)] close: Callback<()>) -> impl IntoView {
    let draft = Draft::of(&license);
    let deed = Deed::new();
    let license = StoredValue::new(license);
    let change = Signal::derive(move || license.with_value(|license| draft.change(license)));
    let wrong_limit = Signal::derive(move || {
        let is_wrong = limit(&draft.machines.get()).is_none();
        is_wrong
            .then(|| "must be a whole number of at least 1, or empty".to_owned())
            .or_else(|| deed.error("machines_limit").get())
    });
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let Some(change) = change.get_untracked() else {
            return;
        };
        let id = license.with_value(|license| license.id.clone());
        deed.run(calls::licenses::update(&id, &change), move |license| {
            toast("License saved");
            close.run(());
            here.put(license);
        });
    };
    view! {
        <form class="form" on:submit=submit>
            <div class="columns">
                <TextField label="Tier" value=draft.tier error=deed.error("tier") required=true first=true />
                <NumberField
                    label="Machines"
                    value=draft.machines
                    hint="At once. Empty: as many as there are."
                    placeholder="unlimited"
                    error=wrong_limit
                />
                <TimeField
                    label="Ends"
                    value=draft.ends
                    hint="In your time zone. Empty: never."
                    error=deed.error("expires_at")
                />
            </div>
            <FeaturesField
                label="Features of its own"
                value=draft.features
                hint="None: it has its product's features, also when those change. One or more: these alone are its base."
                error=deed.error("features")
            />
            <FeaturesField
                label="Overrides"
                value=draft.overrides
                hint="Go over the base, field by field: what an override leaves out stays as the base has it, the period of a limit too."
                error=deed.error("entitlements")
            />
            <JsonField
                label="Metadata"
                value=draft.metadata
                hint="Your own data, as a JSON object. Applications with the license key can read it."
                error=deed.error("metadata")
            />
            <Buttons
                label="Save"
                deed
                cancel=close
                disabled=Signal::derive(move || change.with(Option::is_none))
            />
        </form>
    }
}

#[cfg(test)]
mod tests {
    use super::limit;

    #[test]
    fn an_empty_limit_is_none_and_nonsense_is_not_sent() {
        assert_eq!(limit(" "), Some(None));
        assert_eq!(limit("12"), Some(Some(12)));
        for wrong in ["0", "-1", "1.5", "x", "99999999999"] {
            assert_eq!(limit(wrong), None, "{wrong}");
        }
    }
}
