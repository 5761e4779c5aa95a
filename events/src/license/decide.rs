//! What a license answers to a command: refusals first, then facts.

use super::{
    Activate, ActivationCreated, ActivationHeartbeat, ActivationImported, ActivationRemoved, CreateLicense,
    HEARTBEAT_SECONDS, License, LicenseCommand, LicenseCreated, LicenseDeleted, LicenseError, LicenseEvent,
    LicenseReinstated, LicenseRenewed, LicenseRevoked, LicenseState, LicenseStatus, LicenseSuspended,
    LicenseUpdated, LicenseValidated, Standing, StatusChange, UpdateLicense,
};
use crate::stream::{StreamAggregate, aggregate_by_decision};
use crate::{MachineId, Timestamp};

aggregate_by_decision!(License, "license", LicenseCommand, LicenseEvent, LicenseError);

type Decision = Result<Vec<LicenseEvent>, LicenseError>;

impl StreamAggregate for License {
    fn decide(&self, command: LicenseCommand, at: Timestamp) -> Decision {
        match command {
            LicenseCommand::Create(content) => self.create(*content, at),
            LicenseCommand::Import(license) => match self.state() {
                Some(_) => Err(LicenseError::AlreadyExists),
                None => Ok(vec![LicenseEvent::Imported(license)]),
            },
            LicenseCommand::ImportMachine(machine) => self.import_machine(machine, at),
            LicenseCommand::ImportHistory(entry) => {
                // Also of a deleted license: its history outlives it.
                self.state().ok_or(LicenseError::NotFound)?;
                Ok(vec![LicenseEvent::HistoryImported(entry)])
            }
            LicenseCommand::Update(changes) => self.update(*changes),
            LicenseCommand::Suspend { reason } => self.suspend(reason),
            LicenseCommand::Reinstate { reason } => self.reinstate(reason),
            LicenseCommand::Renew { expires_at } => self.renew(expires_at, at),
            LicenseCommand::Extend { days } => self.extend(days, at),
            LicenseCommand::Revoke { reason } => self.revoke(reason),
            LicenseCommand::Delete => {
                self.found()?;
                Ok(vec![LicenseEvent::Deleted(LicenseDeleted {})])
            }
            LicenseCommand::Activate(machine) => self.activate(*machine, at),
            LicenseCommand::Deactivate { fingerprint } => self.deactivate(&fingerprint),
            LicenseCommand::RemoveMachine { machine_id } => self.remove_machine(machine_id),
            LicenseCommand::Heartbeat { fingerprint, version } => self.heartbeat(fingerprint, version, at),
            LicenseCommand::RecordValidations {
                outcomes,
                first_at,
                last_at,
            } => {
                self.found()?;
                let count = outcomes.values().sum();
                Ok(vec![LicenseEvent::Validated(LicenseValidated {
                    count,
                    outcomes,
                    first_at,
                    last_at,
                })])
            }
        }
    }

    fn size(&self) -> usize {
        1 + self.machines().count() as usize
    }
}

impl License {
    fn found(&self) -> Result<&LicenseState, LicenseError> {
        self.live().ok_or(LicenseError::NotFound)
    }

    fn not_revoked(&self) -> Result<&LicenseState, LicenseError> {
        let state = self.found()?;
        if state.standing == Standing::Revoked {
            return Err(LicenseError::Revoked);
        }
        Ok(state)
    }

    /// The license, if it may be used at `at`.
    pub fn in_force(&self, at: Timestamp) -> Result<&LicenseState, LicenseError> {
        let state = self.found()?;
        match state.status(at) {
            LicenseStatus::Active => Ok(state),
            LicenseStatus::Suspended => Err(LicenseError::Suspended),
            LicenseStatus::Revoked => Err(LicenseError::Revoked),
            LicenseStatus::Expired => Err(LicenseError::Expired),
        }
    }

    fn activate(&self, machine: Activate, at: Timestamp) -> Decision {
        let state = self.in_force(at)?;
        if self.machines().find(&machine.fingerprint).is_some() {
            return Ok(vec![]);
        }
        if let Some(limit) = state.machines_limit
            && self.machines().count() >= limit
        {
            return Err(LicenseError::MachineLimitReached { limit });
        }
        Ok(vec![LicenseEvent::ActivationCreated(ActivationCreated {
            machine_id: machine.machine_id,
            fingerprint: machine.fingerprint,
            hostname: machine.hostname,
            platform: machine.platform,
            metadata: machine.metadata,
            activated_at: at,
        })])
    }

    /// Whatever the limit: it was granted elsewhere. A seat that is taken meanwhile, or of a license that is deleted, is
    /// none any more.
    fn import_machine(&self, mut machine: Box<ActivationImported>, at: Timestamp) -> Decision {
        let state = self.state().ok_or(LicenseError::NotFound)?;
        if state.deleted || self.machines().find(&machine.fingerprint).is_some() {
            machine.removed_at.get_or_insert(at);
        }
        Ok(vec![LicenseEvent::ActivationImported(machine)])
    }

    /// Also without being in force: whoever moves on must be able to give up the seat.
    fn deactivate(&self, fingerprint: &str) -> Decision {
        self.found()?;
        let machine = self
            .machines()
            .find(fingerprint)
            .ok_or(LicenseError::MachineNotActivated)?;
        Ok(vec![LicenseEvent::ActivationRemoved(ActivationRemoved {
            machine_id: machine.machine_id,
            fingerprint: fingerprint.to_owned(),
        })])
    }

    fn remove_machine(&self, machine_id: MachineId) -> Decision {
        self.found()?;
        let fingerprint = self
            .machines()
            .fingerprint_of(machine_id)
            .ok_or(LicenseError::MachineNotActivated)?;
        self.deactivate(fingerprint)
    }

    fn heartbeat(&self, fingerprint: String, version: Option<String>, at: Timestamp) -> Decision {
        self.in_force(at)?;
        let machine = self
            .machines()
            .find(&fingerprint)
            .ok_or(LicenseError::MachineNotActivated)?;
        let recent = machine
            .last_heartbeat_at
            .and_then(|last| last.plus_seconds(HEARTBEAT_SECONDS))
            .is_some_and(|due| at < due);
        if recent && (version.is_none() || version == machine.version) {
            return Ok(vec![]);
        }
        Ok(vec![LicenseEvent::Heartbeat(ActivationHeartbeat {
            machine_id: machine.machine_id,
            fingerprint,
            version,
            at,
        })])
    }

    fn create(&self, content: CreateLicense, at: Timestamp) -> Decision {
        if self.state().is_some() {
            return Err(LicenseError::AlreadyExists);
        }
        in_future(content.expires_at, at)?;
        Ok(vec![LicenseEvent::Created(LicenseCreated {
            product_id: content.product_id,
            product_code: content.product_code,
            customer_id: content.customer_id,
            tier: content.tier,
            machines_limit: content.machines_limit,
            expires_at: content.expires_at,
            features: content.features,
            entitlements: content.entitlements,
            metadata: content.metadata,
            key_digest: content.key_digest,
            key_version: content.key_version,
            created_at: at,
        })])
    }

    fn update(&self, changes: UpdateLicense) -> Decision {
        let state = self.found()?;
        let status = changes.status;
        let change = difference(state, changes);
        let mut events = match status {
            None => vec![],
            Some(StatusChange::Active) => self.reinstate(None)?,
            Some(StatusChange::Suspended) => self.suspend(None)?,
            Some(StatusChange::Revoked) => self.revoke(None)?,
        };
        if change != LicenseUpdated::default() {
            events.insert(0, LicenseEvent::Updated(change));
        }
        Ok(events)
    }

    fn suspend(&self, reason: Option<String>) -> Decision {
        match self.not_revoked()?.standing {
            Standing::Suspended => Ok(vec![]),
            _ => Ok(vec![LicenseEvent::Suspended(LicenseSuspended { reason })]),
        }
    }

    fn reinstate(&self, reason: Option<String>) -> Decision {
        match self.not_revoked()?.standing {
            Standing::Active => Ok(vec![]),
            _ => Ok(vec![LicenseEvent::Reinstated(LicenseReinstated { reason })]),
        }
    }

    fn renew(&self, expires_at: Option<Timestamp>, at: Timestamp) -> Decision {
        let state = self.not_revoked()?;
        in_future(expires_at, at)?;
        if state.expires_at == expires_at {
            return Ok(vec![]);
        }
        Ok(vec![LicenseEvent::Renewed(LicenseRenewed { expires_at })])
    }

    fn extend(&self, days: u32, at: Timestamp) -> Decision {
        let Some(expiry) = self.not_revoked()?.expires_at else {
            return Ok(vec![]);
        };
        // Past the year 9999 is never.
        let expires_at = expiry.max(at).plus_days(days);
        self.renew(expires_at, at)
    }

    fn revoke(&self, reason: Option<String>) -> Decision {
        match self.found()?.standing {
            Standing::Revoked => Ok(vec![]),
            _ => Ok(vec![LicenseEvent::Revoked(LicenseRevoked { reason })]),
        }
    }
}

fn in_future(expires_at: Option<Timestamp>, at: Timestamp) -> Result<(), LicenseError> {
    match expires_at {
        Some(expires_at) if expires_at <= at => Err(LicenseError::ExpiryNotInFuture { expires_at }),
        _ => Ok(()),
    }
}

fn difference(state: &LicenseState, changes: UpdateLicense) -> LicenseUpdated {
    LicenseUpdated {
        tier: changes.tier.filter(|new| *new != state.tier),
        machines_limit: changes.machines_limit.filter(|new| *new != state.machines_limit),
        expires_at: changes.expires_at.filter(|new| *new != state.expires_at),
        features: changes.features.filter(|new| *new != state.features),
        entitlements: changes.entitlements.filter(|new| *new != state.entitlements),
        metadata: changes.metadata.filter(|new| *new != state.metadata),
    }
}

#[cfg(test)]
mod tests;
