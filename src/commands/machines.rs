//! Commands to the machines of a license.

use std::sync::Arc;

use serde_json::{Map, Value};
use vinzy_events::license::{Activate, License, LicenseCommand, LicenseError, LicenseEvent, LicenseState};
use vinzy_events::{LicenseId, MachineId};

use super::licenses::Change;
use super::{CommandError, Order, Outcome};
use crate::app::App;
use crate::ledger::{Attempt, LedgerError, Needs, Operation};

/// A machine that wants a seat.
#[derive(Debug, Clone)]
pub struct NewMachine {
    /// What it is known by.
    pub fingerprint: String,
    /// Its name.
    pub hostname: String,
    /// Its operating system.
    pub platform: String,
    /// The application's own data about it.
    pub metadata: Map<String, Value>,
}

/// A machine with its seat.
pub struct Activated {
    /// Its id.
    pub machine_id: MachineId,
    /// Whether it had no seat before.
    pub is_new: bool,
    /// The license right after.
    pub license: Arc<LicenseState>,
    /// Seats that are taken right after.
    pub machines_used: u32,
}

impl Activated {
    fn of(license: &License, machine_id: MachineId, is_new: bool) -> Result<Self, CommandError> {
        Ok(Self {
            machine_id,
            is_new,
            license: license.shared().ok_or(LicenseError::NotFound)?,
            machines_used: license.machines().count(),
        })
    }
}

/// Gives a machine a seat of a license, unless it has one.
///
/// # Errors
/// [`LicenseError::MachineLimitReached`], or why the license is not in force.
pub async fn activate(
    app: &App,
    order: Order,
    id: LicenseId,
    machine: NewMachine,
) -> Result<Activated, CommandError> {
    let ledger_id = order.ledger_id.clone();
    let fingerprint = machine.fingerprint.clone();
    match order.execute(app, Activation { id, machine }).await? {
        Outcome::Done(activated) => Ok(activated),
        Outcome::Replayed(point) => {
            let store = app.ledgers.store(&ledger_id);
            let license = store.load_as_of::<License>(&point).await?;
            let machine = license.machines().find(&fingerprint);
            let machine_id = machine.ok_or(LedgerError::Unreadable)?.machine_id;
            let event = store.event::<License>(&point).await?;
            let is_new =
                matches!(event, LicenseEvent::ActivationCreated(event) if event.machine_id == machine_id);
            Activated::of(&license, machine_id, is_new)
        }
    }
}

/// Gives up the seat of the machine with a fingerprint. Whether it had one.
pub async fn deactivate(
    app: &App,
    order: Order,
    id: LicenseId,
    fingerprint: String,
) -> Result<bool, CommandError> {
    match change(app, order, id, LicenseCommand::Deactivate { fingerprint }).await {
        Ok(()) => Ok(true),
        Err(CommandError::License(LicenseError::MachineNotActivated)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Takes away the seat of the machine with an id.
pub async fn remove(
    app: &App,
    order: Order,
    id: LicenseId,
    machine_id: MachineId,
) -> Result<(), CommandError> {
    change(app, order, id, LicenseCommand::RemoveMachine { machine_id }).await
}

/// Notes that the machine with a fingerprint is alive.
pub async fn heartbeat(
    app: &App,
    order: Order,
    id: LicenseId,
    fingerprint: String,
    version: Option<String>,
) -> Result<(), CommandError> {
    change(app, order, id, LicenseCommand::Heartbeat { fingerprint, version }).await
}

/// What these led to is nothing but that they were done: a repeated one was done before.
async fn change(app: &App, order: Order, id: LicenseId, command: LicenseCommand) -> Result<(), CommandError> {
    order.execute(app, Change { id, command }).await?;
    Ok(())
}

#[derive(Clone)]
struct Activation {
    id: LicenseId,
    machine: NewMachine,
}

impl Operation for Activation {
    type Output = Activated;
    type Error = CommandError;

    fn needs(&self, needs: &mut Needs) {
        needs.stream::<License>(self.id);
    }

    fn run(self, attempt: &mut Attempt<'_>) -> Result<Activated, CommandError> {
        let proposed = MachineId::new(attempt.at(), attempt.entropy().bytes());
        let fingerprint = self.machine.fingerprint.clone();
        let command = LicenseCommand::Activate(Box::new(Activate {
            machine_id: proposed,
            fingerprint: self.machine.fingerprint,
            hostname: self.machine.hostname,
            platform: self.machine.platform,
            metadata: self.machine.metadata,
        }));
        let license = attempt.decide::<License>(self.id, command)?.aggregate;
        let machine = license.machines().find(&fingerprint);
        let machine_id = machine.ok_or(LicenseError::MachineNotActivated)?.machine_id;
        Activated::of(&license, machine_id, machine_id == proposed)
    }
}
