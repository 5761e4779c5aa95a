//! What is said of API keys.

use leptos::prelude::*;
use vinzy_client::access::{ApiKey, NewApiKey};

use crate::components::{Badge, Moment, Secret, Tone};
use crate::format;
use crate::session::{self, State};

/// A new key's secret to show.
pub fn secret(new: &NewApiKey) -> Secret {
    Secret {
        what: "API key".to_owned(),
        text: new.api_key.clone(),
        about: format!(
            "The secret of \u{201c}{}\u{201d}. Programs send it as the header X-Vinzy-Api-Key; people log in to the dashboard with it.",
            new.key.name
        ),
        file: format!("api-key-{}.txt", new.key.id),
    }
}

/// Whether it is the key that this session was begun with.
pub fn is_own(key: &ApiKey) -> bool {
    match &*session::state().read_untracked() {
        State::In(session) => session.api_key_id.as_deref() == Some(key.id.as_str()),
        _ => false,
    }
}

/// What the key that this session was begun with is called.
pub fn own_name() -> String {
    match &*session::state().read_untracked() {
        State::In(session) => session.name.clone(),
        _ => String::new(),
    }
}

/// When a key ends.
pub fn end(key: &ApiKey) -> AnyView {
    let Some(at) = key.expires_at.clone() else {
        return "never".into_any();
    };
    let is_over = format::millis(&at).is_some_and(|at| at <= format::now());
    view! {
        <span class="two-lines">
            <Moment at />
            {is_over.then(|| view! { <Badge label="expired" tone=Tone::Over /> })}
        </span>
    }
    .into_any()
}
