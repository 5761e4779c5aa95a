//! An API key as its events have made it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::ApiKeyEvent;
use crate::Timestamp;
use crate::access::Scope;
use crate::key::KeyDigest;
use crate::stream::replace;

/// The API key aggregate: nothing before its creation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ApiKey {
    state: Option<ApiKeyState>,
}

/// What is true of an API key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApiKeyState {
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// When it ends; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// SHA-256 of its secret.
    pub key_digest: KeyDigest,
    /// First characters of its secret.
    pub hint: String,
    /// The secret of before, while it may still open.
    pub previous: Option<PreviousSecret>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last got a new secret.
    pub rotated_at: Option<Timestamp>,
    /// When it was ended.
    pub revoked_at: Option<Timestamp>,
}

/// A secret that was replaced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PreviousSecret {
    /// SHA-256 of it.
    pub key_digest: KeyDigest,
    /// Until when it opens.
    pub valid_until: Timestamp,
}

impl From<ApiKeyState> for ApiKey {
    /// The aggregate whose events led to `state`, as a read model or a snapshot holds it.
    fn from(state: ApiKeyState) -> Self {
        Self { state: Some(state) }
    }
}

impl ApiKey {
    /// The state, also of a revoked key; `None` before its creation.
    pub const fn state(&self) -> Option<&ApiKeyState> {
        self.state.as_ref()
    }

    /// The state of a key that was not revoked.
    pub fn live(&self) -> Option<&ApiKeyState> {
        self.state().filter(|state| state.revoked_at.is_none())
    }

    /// Follows one event. Projections use the same function.
    pub fn evolve(&mut self, event: ApiKeyEvent) {
        match (event, &mut self.state) {
            (ApiKeyEvent::Created(event), state) => {
                *state = Some(ApiKeyState {
                    name: event.name,
                    scopes: event.scopes,
                    expires_at: event.expires_at,
                    key_digest: event.key_digest,
                    hint: event.hint,
                    previous: None,
                    created_at: event.created_at,
                    rotated_at: None,
                    revoked_at: None,
                });
            }
            (ApiKeyEvent::Imported(event), state) => {
                *state = Some(ApiKeyState {
                    name: event.name,
                    scopes: event.scopes,
                    expires_at: None,
                    key_digest: event.key_digest,
                    // How its secret begins is not known.
                    hint: String::new(),
                    previous: None,
                    created_at: event.created_at,
                    rotated_at: None,
                    revoked_at: None,
                });
            }
            (ApiKeyEvent::Updated(event), Some(state)) => {
                replace(&mut state.name, event.name);
                replace(&mut state.scopes, event.scopes);
                replace(&mut state.expires_at, event.expires_at);
            }
            (ApiKeyEvent::Rotated(event), Some(state)) => {
                let key_digest = std::mem::replace(&mut state.key_digest, event.key_digest);
                state.hint = event.hint;
                state.previous = (event.previous_valid_until > event.rotated_at).then_some(PreviousSecret {
                    key_digest,
                    valid_until: event.previous_valid_until,
                });
                state.rotated_at = Some(event.rotated_at);
            }
            (ApiKeyEvent::Revoked(event), Some(state)) => state.revoked_at = Some(event.revoked_at),
            // A fact about a key that was never made: there is nothing to change.
            (_, None) => {}
        }
    }
}
