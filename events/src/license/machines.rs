//! The machines that a license is activated on.

use std::sync::Arc;

use imbl::OrdMap;
use serde::{Deserialize, Serialize};

use super::ActivationImported;
use crate::{MachineId, Timestamp};

/// Machines by fingerprint. Copies share what they have in common, down to the single machine: a decision over
/// a license with many machines costs no more than over one with few.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Machines(OrdMap<Arc<str>, Arc<Machine>>);

/// What a license knows of a machine. Its host name and the like stand in the event that activated it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Its id.
    pub machine_id: MachineId,
    /// The last heartbeat that was noted.
    pub last_heartbeat_at: Option<Timestamp>,
    /// The application's version as of then.
    pub version: Option<String>,
}

impl Machines {
    /// How many there are.
    pub fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// The machine with a fingerprint.
    pub fn find(&self, fingerprint: &str) -> Option<&Machine> {
        self.0.get(fingerprint).map(Arc::as_ref)
    }

    /// The fingerprint of the machine with an id.
    pub fn fingerprint_of(&self, machine_id: MachineId) -> Option<&str> {
        self.0
            .iter()
            .find(|(_, machine)| machine.machine_id == machine_id)
            .map(|(fingerprint, _)| fingerprint.as_ref())
    }

    pub(super) fn add(&mut self, fingerprint: String, machine_id: MachineId) {
        let machine = Machine {
            machine_id,
            last_heartbeat_at: None,
            version: None,
        };
        self.0.insert(fingerprint.into(), Arc::new(machine));
    }

    /// A machine with what was known of it elsewhere.
    pub(super) fn take_over(&mut self, machine: ActivationImported) {
        let known = Machine {
            machine_id: machine.machine_id,
            last_heartbeat_at: machine.last_heartbeat_at,
            version: machine.version,
        };
        self.0.insert(machine.fingerprint.into(), Arc::new(known));
    }

    pub(super) fn remove(&mut self, fingerprint: &str) {
        self.0.remove(fingerprint);
    }

    pub(super) fn beat(&mut self, fingerprint: &str, at: Timestamp, version: Option<String>) {
        if let Some(machine) = self.0.get_mut(fingerprint) {
            let machine = Arc::make_mut(machine);
            machine.last_heartbeat_at = Some(at);
            if version.is_some() {
                machine.version = version;
            }
        }
    }
}
