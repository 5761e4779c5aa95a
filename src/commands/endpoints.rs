//! Commands to webhook endpoints. Each settles, in the transaction of its event, which secrets sign.

use sqlx::PgPool;
use vinzy_events::endpoint::{
    CreateEndpoint, DisableReason, Endpoint, EndpointCommand, EndpointError, EndpointState, EventPattern,
    UpdateEndpoint,
};
use vinzy_events::webhook::SigningSecret;
use vinzy_events::{EndpointId, SecretId};

use std::collections::BTreeSet;

use super::{CommandError, Context, LedgerError, Order, Outcome, StreamPoint};
use crate::app::App;
use crate::ledger::{Attempt, Ledgers, Needs, Operation, SealedSecret};
use crate::webhooks::secrets;

/// What a new endpoint shall be.
#[derive(Debug, Clone)]
pub struct NewEndpoint {
    /// Where events are sent.
    pub url: String,
    /// Free text.
    pub description: String,
    /// Which events; empty is all.
    pub event_types: BTreeSet<EventPattern>,
    /// How often a delivery is tried again; `None` is as often as the schedule has it.
    pub max_retries: Option<u32>,
    /// How long an answer may take, in seconds.
    pub timeout_seconds: u32,
    /// What signs; made if none is given.
    pub secret: Option<SigningSecret>,
}

/// An endpoint with its secret, which is shown now and never again.
pub struct Shown {
    /// Its id.
    pub id: EndpointId,
    /// What is true of it.
    pub state: EndpointState,
    /// Its secret.
    pub secret: SigningSecret,
}

/// Sets up an endpoint. The same order again gives the endpoint as it was then, with its secret as long as that signs.
pub async fn create(app: &App, order: Order, new: NewEndpoint) -> Result<Shown, CommandError> {
    let id = EndpointId::new(app.clock.now(), app.entropy.bytes());
    let (secret, sealed) = secret_of(app, &order, id, new.secret);
    let command = EndpointCommand::Create(CreateEndpoint {
        url: new.url,
        description: new.description,
        event_types: new.event_types,
        max_retries: new.max_retries,
        timeout_seconds: new.timeout_seconds,
        secret_id: sealed.secret_id,
    });
    shown(app, order, (id, command), secret, sealed).await
}

/// Gives an endpoint a new secret, made if none is given; the old one signs for `overlap_seconds` more. Repeating the
/// order is safe as with [`create`].
pub async fn rotate(
    app: &App,
    order: Order,
    id: EndpointId,
    secret: Option<SigningSecret>,
    overlap_seconds: u32,
) -> Result<Shown, CommandError> {
    let (secret, sealed) = secret_of(app, &order, id, secret);
    let command = EndpointCommand::RotateSecret {
        secret_id: sealed.secret_id,
        overlap_seconds,
    };
    shown(app, order, (id, command), secret, sealed).await
}

/// Changes an endpoint and gives it as it is then.
pub async fn update(
    app: &App,
    order: Order,
    id: EndpointId,
    changes: UpdateEndpoint,
) -> Result<EndpointState, CommandError> {
    let ledger_id = order.ledger_id.clone();
    match order
        .execute(app, Change::of(id, EndpointCommand::Update(changes)))
        .await?
    {
        Outcome::Done((_, endpoint)) => live(&endpoint),
        Outcome::Replayed(point) => live(&as_of(app, &ledger_id, &point).await?),
    }
}

/// Removes an endpoint, with its secrets.
pub async fn delete(app: &App, order: Order, id: EndpointId) -> Result<(), CommandError> {
    order
        .execute(app, Change::of(id, EndpointCommand::Delete))
        .await?;
    Ok(())
}

/// Disables an endpoint on behalf of whoever sends.
pub async fn disable(
    ledgers: &Ledgers,
    ledger_id: &str,
    context: Context,
    id: EndpointId,
    reason: DisableReason,
) -> Result<(), CommandError> {
    let change = Change::of(id, EndpointCommand::Disable { reason });
    match ledgers.execute(ledger_id, change, context, None).await {
        // It was removed meanwhile.
        Err(CommandError::Endpoint(EndpointError::NotFound)) => Ok(()),
        done => done.map(|_| ()),
    }
}

/// The endpoint with an id, as of now.
pub async fn get(app: &App, ledger_id: &str, id: EndpointId) -> Result<EndpointState, CommandError> {
    let store = app.ledgers.store(ledger_id);
    live(&store.load::<Endpoint>(&id.to_string()).await?.aggregate)
}

fn secret_of(
    app: &App,
    order: &Order,
    id: EndpointId,
    given: Option<SigningSecret>,
) -> (SigningSecret, SealedSecret) {
    let secret = given.unwrap_or_else(|| SigningSecret::from_entropy(app.entropy.bytes()));
    let secret_id = SecretId::new(app.clock.now(), app.entropy.bytes());
    let place = (&*order.ledger_id, id, secret_id);
    let sealed = secrets::seal(&app.master_keys, &app.entropy, place, &secret);
    (secret, sealed)
}

async fn shown(
    app: &App,
    order: Order,
    (id, command): (EndpointId, EndpointCommand),
    secret: SigningSecret,
    sealed: SealedSecret,
) -> Result<Shown, CommandError> {
    let ledger_id = order.ledger_id.clone();
    let change = Change {
        id,
        command,
        new: Some(sealed),
    };
    match order.execute(app, change).await? {
        Outcome::Done((id, endpoint)) => Ok(Shown {
            id,
            state: live(&endpoint)?,
            secret,
        }),
        Outcome::Replayed(point) => {
            let id = point.stream_id.parse().map_err(|_| LedgerError::Unreadable)?;
            let state = live(&as_of(app, &ledger_id, &point).await?)?;
            let sealed = stored(&app.pool, &ledger_id, id, state.secret_id).await?;
            let sealed = sealed.ok_or(CommandError::SigningSecretGone)?;
            let secret = secrets::open(&app.master_keys, (&ledger_id, id), &sealed)
                .map_err(|_| CommandError::SigningSecretGone)?;
            Ok(Shown { id, state, secret })
        }
    }
}

async fn stored(
    pool: &PgPool,
    ledger_id: &str,
    id: EndpointId,
    secret_id: SecretId,
) -> sqlx::Result<Option<SealedSecret>> {
    let row = sqlx::query!(
        "SELECT wrapped_key, ciphertext FROM endpoint_secrets
         WHERE ledger_id = $1 AND endpoint_id = $2 AND secret_id = $3",
        ledger_id,
        id.as_uuid(),
        secret_id.as_uuid(),
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| SealedSecret {
        secret_id,
        wrapped_key: row.wrapped_key,
        ciphertext: row.ciphertext,
    }))
}

async fn as_of(app: &App, ledger_id: &str, point: &StreamPoint) -> Result<Endpoint, CommandError> {
    Ok(app.ledgers.store(ledger_id).load_as_of::<Endpoint>(point).await?)
}

fn live(endpoint: &Endpoint) -> Result<EndpointState, CommandError> {
    endpoint
        .live()
        .cloned()
        .ok_or(CommandError::Endpoint(EndpointError::NotFound))
}

#[derive(Clone)]
struct Change {
    id: EndpointId,
    command: EndpointCommand,
    new: Option<SealedSecret>,
}

impl Change {
    const fn of(id: EndpointId, command: EndpointCommand) -> Self {
        Self {
            id,
            command,
            new: None,
        }
    }
}

impl Operation for Change {
    type Output = (EndpointId, Endpoint);
    type Error = CommandError;

    fn needs(&self, needs: &mut Needs) {
        needs.stream::<Endpoint>(self.id);
    }

    fn run(self, attempt: &mut Attempt<'_>) -> Result<Self::Output, CommandError> {
        let settles = self.new.is_some() || matches!(self.command, EndpointCommand::Delete);
        let endpoint = attempt.decide::<Endpoint>(self.id, self.command)?.aggregate;
        if settles {
            let signing = endpoint.live().map_or_else(Vec::new, |state| {
                let previous = state.previous.iter();
                let previous = previous.map(|previous| (previous.secret_id, Some(previous.valid_until)));
                std::iter::once((state.secret_id, None)).chain(previous).collect()
            });
            attempt.set_endpoint_secrets(self.id, signing, self.new);
        }
        Ok((self.id, endpoint))
    }
}
