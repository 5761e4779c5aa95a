//! Commands to API keys. Each settles, in the transaction of its event, which secrets open the ledger.

use std::collections::BTreeSet;

use vinzy_events::access::Scope;
use vinzy_events::api_key::{ApiKey, ApiKeyCommand, ApiKeyError, ApiKeyState, CreateApiKey, UpdateApiKey};
use vinzy_events::{ApiKeyId, Timestamp};

use super::{CommandError, Order, Outcome, StreamPoint};
use crate::access::new_secret;
use crate::app::App;
use crate::ledger::{Attempt, Credential, Needs, Operation};

/// What a new API key shall be.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// What people call it.
    pub name: String,
    /// What it may do; never empty.
    pub scopes: BTreeSet<Scope>,
    /// When it ends; `None` is never.
    pub expires_at: Option<Timestamp>,
}

/// An API key with its secret, which is shown now and never again.
pub struct Shown {
    /// Its id.
    pub id: ApiKeyId,
    /// What is true of it.
    pub state: ApiKeyState,
    /// Its secret.
    pub secret: String,
}

/// Makes an API key. The same order again gives the key with the same secret: that is made again from the order, not
/// kept.
pub async fn create(app: &App, order: Order, new: NewApiKey) -> Result<Shown, CommandError> {
    let id = ApiKeyId::new(app.clock.now(), app.entropy.bytes());
    let (secret_text, secret) = secret_of(app, &order);
    let command = ApiKeyCommand::Create(CreateApiKey {
        name: new.name,
        scopes: new.scopes,
        expires_at: new.expires_at,
        secret,
    });
    shown(app, order, id, command, secret_text).await
}

/// Gives an API key a new secret; the old one opens for `overlap_seconds` more. Repeating the order is safe as with
/// [`create`].
pub async fn rotate(
    app: &App,
    order: Order,
    id: ApiKeyId,
    overlap_seconds: u32,
) -> Result<Shown, CommandError> {
    let (secret_text, secret) = secret_of(app, &order);
    let command = ApiKeyCommand::Rotate {
        secret,
        overlap_seconds,
    };
    shown(app, order, id, command, secret_text).await
}

/// Changes an API key and gives it as it is then.
pub async fn update(
    app: &App,
    order: Order,
    id: ApiKeyId,
    changes: UpdateApiKey,
) -> Result<ApiKeyState, CommandError> {
    let ledger_id = order.ledger_id.clone();
    let command = ApiKeyCommand::Update(changes);
    match order.execute(app, Change { id, command }).await? {
        Outcome::Done((_, key)) => live(&key),
        Outcome::Replayed(point) => live(&as_of(app, &ledger_id, &point).await?),
    }
}

/// Ends an API key: once this returns, its secrets open nothing on any node.
pub async fn revoke(app: &App, order: Order, id: ApiKeyId) -> Result<(), CommandError> {
    let command = ApiKeyCommand::Revoke;
    order.execute(app, Change { id, command }).await?;
    Ok(())
}

/// The API key with an id, as of now.
pub async fn get(app: &App, ledger_id: &str, id: ApiKeyId) -> Result<ApiKeyState, CommandError> {
    let store = app.ledgers.store(ledger_id);
    live(&store.load::<ApiKey>(&id.to_string()).await?.aggregate)
}

/// A repeatable order always leads to the same secret.
fn secret_of(app: &App, order: &Order) -> (String, vinzy_events::api_key::Secret) {
    new_secret(match &order.idempotency {
        Some(idempotency) => app.request_hasher.secret_entropy(&order.ledger_id, idempotency),
        None => app.entropy.bytes(),
    })
}

async fn shown(
    app: &App,
    order: Order,
    id: ApiKeyId,
    command: ApiKeyCommand,
    secret: String,
) -> Result<Shown, CommandError> {
    let ledger_id = order.ledger_id.clone();
    let (id, state) = match order.execute(app, Change { id, command }).await? {
        Outcome::Done((id, key)) => (id, live(&key)?),
        Outcome::Replayed(point) => {
            let id = point
                .stream_id
                .parse()
                .map_err(|_| super::LedgerError::Unreadable)?;
            (id, live(&as_of(app, &ledger_id, &point).await?)?)
        }
    };
    // Made again with other keys of the server's, it would be another.
    if state.key_digest != vinzy_events::key::KeyDigest::of(&secret) {
        return Err(CommandError::SecretGone);
    }
    Ok(Shown { id, state, secret })
}

async fn as_of(app: &App, ledger_id: &str, point: &StreamPoint) -> Result<ApiKey, CommandError> {
    Ok(app.ledgers.store(ledger_id).load_as_of::<ApiKey>(point).await?)
}

fn live(key: &ApiKey) -> Result<ApiKeyState, CommandError> {
    key.live()
        .cloned()
        .ok_or(CommandError::ApiKey(ApiKeyError::NotFound))
}

#[derive(Clone)]
struct Change {
    id: ApiKeyId,
    command: ApiKeyCommand,
}

impl Operation for Change {
    type Output = (ApiKeyId, ApiKey);
    type Error = CommandError;

    fn needs(&self, needs: &mut Needs) {
        needs.stream::<ApiKey>(self.id);
    }

    fn run(self, attempt: &mut Attempt<'_>) -> Result<Self::Output, CommandError> {
        let key = attempt.decide::<ApiKey>(self.id, self.command)?.aggregate;
        attempt.set_credentials(self.id, credentials(&key));
        Ok((self.id, key))
    }
}

/// The secrets of a key that open: none once it is revoked, two while a rotation's overlap lasts.
fn credentials(key: &ApiKey) -> Vec<Credential> {
    let Some(state) = key.live() else { return vec![] };
    let credential = |key_digest, valid_until| Credential {
        key_digest,
        name: state.name.clone(),
        scopes: state.scopes.iter().copied().collect(),
        valid_until,
    };
    let previous = state.previous.as_ref().map(|previous| {
        let until = state
            .expires_at
            .map_or(previous.valid_until, |end| end.min(previous.valid_until));
        credential(previous.key_digest, Some(until))
    });
    [credential(state.key_digest, state.expires_at)]
        .into_iter()
        .chain(previous)
        .collect()
}
