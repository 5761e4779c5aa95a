//! Commands to tenants. Their streams stand in the server's own ledger; each tenant's ledger is opened with it.

use std::collections::BTreeSet;
use std::sync::Arc;

use vinzy_events::TenantId;
use vinzy_events::access::Scope;
use vinzy_events::tenant::{
    CreateTenant, Tenant, TenantCommand, TenantError, TenantSlug, TenantState, UpdateTenant,
};

use super::api_keys::{self, NewApiKey, Shown};
use super::{CommandError, Order, Outcome, StreamPoint, TENANT_SLUG};
use crate::app::App;
use crate::ledger::{Attempt, LedgerError, Needs, Operation};

/// What a tenant's first API key is called.
const FIRST_KEY: &str = "default";
/// Sets the idempotency keys of the operator's orders in a tenant's ledger apart from the tenant's own, which hold no
/// control characters.
const OPERATOR: &str = "operator\u{1f}";

/// A new tenant with its first API key.
pub struct TakenIn {
    /// Its id.
    pub id: TenantId,
    /// What is true of it.
    pub state: TenantState,
    /// A key that may do everything in it.
    pub key: Shown,
}

/// Takes in a tenant: opens its ledger and makes its first API key. The same order again gives the same, and finishes
/// what a crash has left undone.
pub async fn create(app: &App, order: Order, content: CreateTenant) -> Result<TakenIn, CommandError> {
    let id = TenantId::new(app.clock.now(), app.entropy.bytes());
    let ledger_id = order.ledger_id.clone();
    let (id, state) = match order.clone().execute(app, Create { id, content }).await? {
        Outcome::Done(created) => created,
        Outcome::Replayed(point) => as_of(app, &ledger_id, &point).await?,
    };
    let new = NewApiKey {
        name: FIRST_KEY.to_owned(),
        scopes: BTreeSet::from([Scope::Admin]),
        expires_at: None,
    };
    let key = make_key(app, order, &state, new).await?;
    Ok(TakenIn { id, state, key })
}

/// Makes an API key of a tenant on the operator's behalf: when all its own are lost, for instance.
pub async fn create_key(
    app: &App,
    order: Order,
    id: TenantId,
    new: NewApiKey,
) -> Result<Shown, CommandError> {
    let state = get(app, &order.ledger_id, id).await?;
    make_key(app, order, &state, new).await
}

async fn make_key(
    app: &App,
    order: Order,
    state: &TenantState,
    new: NewApiKey,
) -> Result<Shown, CommandError> {
    app.open_ledger(state.slug.as_str()).await?;
    let idempotency = order.idempotency.map(|mut idempotency| {
        idempotency.key.insert_str(0, OPERATOR);
        idempotency
    });
    let order = Order {
        ledger_id: Arc::from(state.slug.as_str()),
        context: order.context,
        idempotency,
    };
    api_keys::create(app, order, new).await
}

/// Changes a tenant and gives it as it is then.
pub async fn update(
    app: &App,
    order: Order,
    id: TenantId,
    changes: UpdateTenant,
) -> Result<TenantState, CommandError> {
    let ledger_id = order.ledger_id.clone();
    let command = TenantCommand::Update(changes);
    match order.execute(app, Change { id, command }).await? {
        Outcome::Done(tenant) => live(&tenant),
        Outcome::Replayed(point) => Ok(as_of(app, &ledger_id, &point).await?.1),
    }
}

/// Shuts a tenant out: once this returns, its API keys open nothing on any node, and its license keys nothing on this
/// one, nor within a second on others. Its ledger stays.
pub async fn close(app: &App, order: Order, id: TenantId) -> Result<(), CommandError> {
    let command = TenantCommand::Close;
    order.execute(app, Change { id, command }).await?;
    Ok(())
}

/// The tenant with an id, as of now.
pub async fn get(app: &App, ledger_id: &str, id: TenantId) -> Result<TenantState, CommandError> {
    let store = app.ledgers.store(ledger_id);
    live(&store.load::<Tenant>(&id.to_string()).await?.aggregate)
}

async fn as_of(
    app: &App,
    ledger_id: &str,
    point: &StreamPoint,
) -> Result<(TenantId, TenantState), CommandError> {
    let tenant = app.ledgers.store(ledger_id).load_as_of::<Tenant>(point).await?;
    let id = point.stream_id.parse().map_err(|_| LedgerError::Unreadable)?;
    Ok((id, live(&tenant)?))
}

fn live(tenant: &Tenant) -> Result<TenantState, CommandError> {
    tenant
        .live()
        .cloned()
        .ok_or(CommandError::Tenant(TenantError::NotFound))
}

/// Takes in a tenant under a slug that no other has or had: its ledger has that name for good.
#[derive(Clone)]
struct Create {
    id: TenantId,
    content: CreateTenant,
}

impl Operation for Create {
    type Output = (TenantId, TenantState);
    type Error = CommandError;

    fn needs(&self, needs: &mut Needs) {
        needs.claim(TENANT_SLUG, self.content.slug.as_str());
    }

    fn run(self, attempt: &mut Attempt<'_>) -> Result<Self::Output, CommandError> {
        let slug: TenantSlug = self.content.slug.clone();
        attempt
            .claim(TENANT_SLUG, slug.as_str(), self.id)
            .map_err(|_| CommandError::TenantSlugTaken(slug))?;
        let tenant = attempt.decide::<Tenant>(self.id, TenantCommand::Create(self.content))?;
        Ok((self.id, live(&tenant.aggregate)?))
    }
}

#[derive(Clone)]
struct Change {
    id: TenantId,
    command: TenantCommand,
}

impl Operation for Change {
    type Output = Tenant;
    type Error = CommandError;

    fn needs(&self, needs: &mut Needs) {
        needs.stream::<Tenant>(self.id);
    }

    fn run(self, attempt: &mut Attempt<'_>) -> Result<Tenant, CommandError> {
        let tenant = attempt.decide::<Tenant>(self.id, self.command)?.aggregate;
        if let Some(closed) = tenant.state().filter(|state| state.closed_at.is_some()) {
            attempt.close_ledger(closed.slug.as_str());
        }
        Ok(tenant)
    }
}
