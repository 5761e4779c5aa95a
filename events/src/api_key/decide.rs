//! What an API key answers to a command.

use super::{
    ApiKey, ApiKeyCommand, ApiKeyCreated, ApiKeyError, ApiKeyEvent, ApiKeyRevoked, ApiKeyRotated,
    ApiKeyState, ApiKeyUpdated, CreateApiKey, Secret, UpdateApiKey,
};
use crate::Timestamp;
use crate::stream::{StreamAggregate, aggregate_by_decision};

aggregate_by_decision!(ApiKey, "api_key", ApiKeyCommand, ApiKeyEvent, ApiKeyError);

impl StreamAggregate for ApiKey {
    fn decide(&self, command: ApiKeyCommand, at: Timestamp) -> Result<Vec<ApiKeyEvent>, ApiKeyError> {
        match command {
            ApiKeyCommand::Create(content) => self.create(content, at),
            ApiKeyCommand::Update(changes) => self.update(changes, at),
            ApiKeyCommand::Rotate {
                secret,
                overlap_seconds,
            } => self.rotate(secret, overlap_seconds, at),
            ApiKeyCommand::Import(key) => match self.state() {
                Some(_) => Err(ApiKeyError::AlreadyExists),
                None => Ok(vec![ApiKeyEvent::Imported(key)]),
            },
            ApiKeyCommand::Revoke => {
                self.existing()?;
                Ok(vec![ApiKeyEvent::Revoked(ApiKeyRevoked { revoked_at: at })])
            }
        }
    }
}

impl ApiKey {
    fn existing(&self) -> Result<&ApiKeyState, ApiKeyError> {
        self.live().ok_or(ApiKeyError::NotFound)
    }

    fn create(&self, content: CreateApiKey, at: Timestamp) -> Result<Vec<ApiKeyEvent>, ApiKeyError> {
        if self.state().is_some() {
            return Err(ApiKeyError::AlreadyExists);
        }
        in_future(content.expires_at, at)?;
        Ok(vec![ApiKeyEvent::Created(ApiKeyCreated {
            name: content.name,
            scopes: content.scopes,
            expires_at: content.expires_at,
            key_digest: content.secret.digest,
            hint: content.secret.hint,
            created_at: at,
        })])
    }

    fn update(&self, changes: UpdateApiKey, at: Timestamp) -> Result<Vec<ApiKeyEvent>, ApiKeyError> {
        let state = self.existing()?;
        let change = ApiKeyUpdated {
            name: changes.name.filter(|new| *new != state.name),
            scopes: changes.scopes.filter(|new| *new != state.scopes),
            expires_at: changes.expires_at.filter(|new| *new != state.expires_at),
        };
        if change == ApiKeyUpdated::default() {
            return Ok(vec![]);
        }
        in_future(change.expires_at.flatten(), at)?;
        Ok(vec![ApiKeyEvent::Updated(change)])
    }

    fn rotate(
        &self,
        secret: Secret,
        overlap_seconds: u32,
        at: Timestamp,
    ) -> Result<Vec<ApiKeyEvent>, ApiKeyError> {
        let state = self.existing()?;
        if state.expires_at.is_some_and(|expiry| expiry <= at) {
            return Err(ApiKeyError::Expired);
        }
        let previous_valid_until = at.plus_seconds(overlap_seconds).unwrap_or(at);
        Ok(vec![ApiKeyEvent::Rotated(ApiKeyRotated {
            key_digest: secret.digest,
            hint: secret.hint,
            previous_valid_until,
            rotated_at: at,
        })])
    }
}

fn in_future(expires_at: Option<Timestamp>, at: Timestamp) -> Result<(), ApiKeyError> {
    if expires_at.is_some_and(|expiry| expiry <= at) {
        return Err(ApiKeyError::ExpiryNotInFuture);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use cqrs_es::test::TestFramework;

    use super::*;
    use crate::access::Scope;
    use crate::api_key::PreviousSecret;
    use crate::key::KeyDigest;

    type ApiKeyTest = TestFramework<ApiKey>;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn start() -> Timestamp {
        at("2026-01-01T00:00:00Z")
    }

    fn secret(text: &str) -> Secret {
        Secret {
            digest: KeyDigest::of(text),
            hint: text.into(),
        }
    }

    fn content(expires_at: Option<Timestamp>) -> CreateApiKey {
        CreateApiKey {
            name: "deploy".into(),
            scopes: BTreeSet::from([Scope::Issuer]),
            expires_at,
            secret: secret("one"),
        }
    }

    fn created(expires_at: Option<Timestamp>) -> ApiKeyEvent {
        ApiKeyEvent::Created(ApiKeyCreated {
            name: "deploy".into(),
            scopes: BTreeSet::from([Scope::Issuer]),
            expires_at,
            key_digest: KeyDigest::of("one"),
            hint: "one".into(),
            created_at: start(),
        })
    }

    fn rotated(until: &str) -> ApiKeyEvent {
        ApiKeyEvent::Rotated(ApiKeyRotated {
            key_digest: KeyDigest::of("two"),
            hint: "two".into(),
            previous_valid_until: at(until),
            rotated_at: start(),
        })
    }

    fn revoked() -> ApiKeyEvent {
        ApiKeyEvent::Revoked(ApiKeyRevoked { revoked_at: start() })
    }

    fn rotate(overlap_seconds: u32) -> ApiKeyCommand {
        ApiKeyCommand::Rotate {
            secret: secret("two"),
            overlap_seconds,
        }
    }

    #[test]
    fn a_new_key_is_made_once_and_ends_in_the_future() {
        ApiKeyTest::with(start())
            .given_no_previous_events()
            .when(ApiKeyCommand::Create(content(None)))
            .then_expect_events(vec![created(None)]);
        ApiKeyTest::with(start())
            .given(vec![created(None)])
            .when(ApiKeyCommand::Create(content(None)))
            .then_expect_error(ApiKeyError::AlreadyExists);
        ApiKeyTest::with(start())
            .given_no_previous_events()
            .when(ApiKeyCommand::Create(content(Some(start()))))
            .then_expect_error(ApiKeyError::ExpiryNotInFuture);
    }

    #[test]
    fn a_rotated_key_keeps_the_old_secret_for_the_overlap_only() {
        ApiKeyTest::with(start())
            .given(vec![created(None)])
            .when(rotate(60))
            .then_expect_events(vec![rotated("2026-01-01T00:01:00Z")]);
        let mut key = ApiKey::default();
        key.evolve(created(None));
        key.evolve(rotated("2026-01-01T00:01:00Z"));
        let previous = PreviousSecret {
            key_digest: KeyDigest::of("one"),
            valid_until: at("2026-01-01T00:01:00Z"),
        };
        assert_eq!(key.live().unwrap().previous, Some(previous));
        key.evolve(rotated("2026-01-01T00:00:00Z"));
        assert_eq!(key.live().unwrap().previous, None, "no overlap");
    }

    #[test]
    fn a_key_that_has_ended_gets_no_new_secret() {
        ApiKeyTest::with(at("2026-02-01T00:00:00Z"))
            .given(vec![created(Some(at("2026-01-02T00:00:00Z")))])
            .when(rotate(60))
            .then_expect_error(ApiKeyError::Expired);
    }

    #[test]
    fn a_revoked_key_takes_no_command() {
        let update = ApiKeyCommand::Update(UpdateApiKey::default());
        for command in [rotate(0), update, ApiKeyCommand::Revoke] {
            ApiKeyTest::with(start())
                .given(vec![created(None), revoked()])
                .when(command)
                .then_expect_error(ApiKeyError::NotFound);
        }
    }

    #[test]
    fn an_update_records_only_what_changed() {
        let update = |expires_at| {
            ApiKeyCommand::Update(UpdateApiKey {
                name: Some("deploy".into()),
                scopes: None,
                expires_at,
            })
        };
        ApiKeyTest::with(start())
            .given(vec![created(None)])
            .when(update(Some(None)))
            .then_expect_events(vec![]);
        let soon = at("2026-01-02T00:00:00Z");
        ApiKeyTest::with(start())
            .given(vec![created(None)])
            .when(update(Some(Some(soon))))
            .then_expect_events(vec![ApiKeyEvent::Updated(ApiKeyUpdated {
                expires_at: Some(Some(soon)),
                ..ApiKeyUpdated::default()
            })]);
    }
}
