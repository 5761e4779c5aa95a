//! `/api-keys`: who may ask, and what.

pub mod create;
pub mod delete;
pub mod get;
pub mod list;
pub mod rotate;
pub mod update;

use std::collections::BTreeSet;

use serde_json::Value;
use vinzy_client::access as wire;
use vinzy_events::access::Scope;
use vinzy_events::api_key::ApiKeyState;
use vinzy_events::{ApiKeyId, Timestamp};

use super::body::{Field, Fields, FromFields};
use crate::commands::api_keys::{NewApiKey, Shown};

/// Characters of a name.
const NAME: std::ops::RangeInclusive<usize> = 1..=100;

/// What a key may do, as a request says it.
struct Scopes(BTreeSet<Scope>);

impl Field for Scopes {
    fn read(value: Value) -> Result<Self, String> {
        let must = || {
            format!(
                "must be an array of at least one of {}",
                names(Scope::ALL).join(", ")
            )
        };
        let items = Vec::<Value>::read(value).map_err(|_| must())?;
        let scopes: Option<BTreeSet<Scope>> = items
            .iter()
            .map(|item| item.as_str().and_then(|name| name.parse().ok()))
            .collect();
        scopes
            .filter(|scopes| !scopes.is_empty())
            .map(Self)
            .ok_or_else(must)
    }
}

impl FromFields for NewApiKey {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let name = fields.name("name", NAME);
        let scopes = fields.required::<Scopes>("scopes");
        let expires_at = fields.optional("expires_at");
        Some(Self {
            name: name?,
            scopes: scopes?.0,
            expires_at,
        })
    }
}

/// Scopes as they are called on the wire.
pub(super) fn names(scopes: impl IntoIterator<Item = Scope>) -> Vec<String> {
    scopes
        .into_iter()
        .map(|scope| scope.as_str().to_owned())
        .collect()
}

fn wire(id: ApiKeyId, state: ApiKeyState, last_used_at: Option<Timestamp>, now: Timestamp) -> wire::ApiKey {
    let previous = state.previous.map(|previous| previous.valid_until);
    wire::ApiKey {
        id: id.to_string(),
        name: state.name,
        scopes: names(state.scopes),
        hint: state.hint,
        expires_at: state.expires_at.map(|at| at.to_string()),
        previous_valid_until: previous.filter(|until| now < *until).map(|at| at.to_string()),
        last_used_at: last_used_at.map(|at| at.to_string()),
        created_at: state.created_at.to_string(),
        rotated_at: state.rotated_at.map(|at| at.to_string()),
    }
}

/// A key that was just made, or got a new secret.
pub(super) fn shown(shown: Shown, now: Timestamp) -> wire::NewApiKey {
    wire::NewApiKey {
        key: wire(shown.id, shown.state, None, now),
        api_key: shown.secret,
    }
}
