//! What belongs to licenses, and webhook endpoints.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use vinzy_events::endpoint::EndpointImported;
use vinzy_events::meter::meter_id;
use vinzy_events::webhook::SigningSecret;
use vinzy_events::{EndpointId, LicenseId, SecretId};

use super::{Importer, is_small, unknown_license};
use crate::commands::import::Import;
use crate::import::record::Record;
use crate::import::{ImportError, rows, tables};
use crate::ledger::SealedSecret;
use crate::webhooks::secrets;

impl Importer<'_> {
    pub(super) async fn machines(&mut self, records: Vec<Record<'_>>) -> Result<(), ImportError> {
        let table = tables::MACHINES.name;
        let decided = self.decide(records, |this, record| {
            let (license_id, ledger_id) = this.license_of(record)?;
            let mut machine = rows::machine(record)?;
            is_small(&machine)?;
            this.once(table, machine.machine_id.as_uuid())?;
            let license = this.licenses.get_mut(&license_id).ok_or_else(unknown_license)?;
            if let (None, Some(at)) = (machine.removed_at, license.deleted_at) {
                record.mended("its license is deleted: it is kept as history, without a seat");
                machine.removed_at = Some(at);
            }
            if machine.removed_at.is_none() {
                let seat = (license_id, machine.fingerprint.clone());
                if let Some(other) = this.seats.get(&seat) {
                    record.mended(format!(
                        "machine {other} of its license has the same fingerprint: it is kept as history, without a seat"
                    ));
                    machine.removed_at = Some(machine.last_heartbeat_at.unwrap_or(machine.activated_at));
                } else {
                    this.seats.insert(seat, machine.machine_id.as_uuid());
                    license.machines += 1;
                }
            }
            Ok(((license_id, machine), ledger_id))
        });
        let planned = decided.into_iter().map(|((license_id, machine), place)| {
            place.planned(
                table,
                Import::Machine(LicenseId::from(license_id), Box::new(machine)),
            )
        });
        self.execute(planned.collect()).await
    }

    pub(super) async fn usage(&mut self, records: Vec<Record<'_>>) -> Result<(), ImportError> {
        let table = tables::USAGE.name;
        let decided = self.decide(records, |this, record| {
            let (license_id, ledger_id) = this.license_of(record)?;
            let usage = rows::usage(record, LicenseId::from(license_id))?;
            is_small(&usage.metadata)?;
            this.record_once(table, record)?;
            Ok((usage, ledger_id))
        });
        let mut meters: HashMap<Arc<str>, HashSet<String>> = HashMap::new();
        for (usage, place) in &decided {
            let meter = meter_id(usage.license_id, &usage.metric);
            meters
                .entry(Arc::clone(&place.ledger_id))
                .or_default()
                .insert(meter);
        }
        let mut known = HashSet::new();
        if let Some(destination) = self.destination {
            for (ledger_id, ids) in meters {
                let ids: Vec<String> = ids.into_iter().collect();
                let begun = destination.beginnings(&ledger_id, "meter", &ids).await?;
                known.extend(begun.into_keys());
            }
        }
        let planned = decided.into_iter().map(|(usage, place)| {
            let exists = known.contains(&meter_id(usage.license_id, &usage.metric));
            place.planned(table, Import::Usage(Box::new(usage), exists))
        });
        self.execute(planned.collect()).await
    }

    pub(super) async fn anomalies(&mut self, records: Vec<Record<'_>>) -> Result<(), ImportError> {
        let table = tables::ANOMALIES.name;
        let decided = self.decide(records, |this, record| {
            let (license_id, ledger_id) = this.license_of(record)?;
            let anomaly = rows::anomaly(record, LicenseId::from(license_id))?;
            is_small(&anomaly)?;
            this.once(table, anomaly.anomaly_id.as_uuid())?;
            Ok((anomaly, ledger_id))
        });
        let planned = decided.into_iter();
        let planned =
            planned.map(|(anomaly, place)| place.planned(table, Import::Anomaly(Box::new(anomaly))));
        self.execute(planned.collect()).await
    }

    pub(super) async fn endpoints(&mut self, records: Vec<Record<'_>>) -> Result<(), ImportError> {
        let table = tables::ENDPOINTS.name;
        let decided = self.decide(records, |this, record| {
            let ledger_id = this
                .ledger_of_tenant(record)?
                .unwrap_or_else(|| this.default_ledger());
            let row = rows::endpoint(record)?;
            this.once(table, row.id)?;
            Ok((row, ledger_id))
        });
        let planned = decided.into_iter().map(|(row, place)| {
            let import = self.endpoint(row, &place.ledger_id);
            place.planned(table, import)
        });
        self.execute(planned.collect()).await
    }

    fn endpoint(&self, row: rows::EndpointRow, ledger_id: &str) -> Option<Import> {
        let id = EndpointId::from(row.id);
        let destination = self.destination?;
        let entropy = &destination.entropy;
        let secret = row
            .secret
            .unwrap_or_else(|| SigningSecret::from_entropy(entropy.bytes()));
        let secret_id = SecretId::new(destination.clock.now(), entropy.bytes());
        let sealed: SealedSecret =
            secrets::seal(&destination.masters, entropy, (ledger_id, id, secret_id), &secret);
        let imported = EndpointImported {
            url: row.url,
            description: row.description,
            event_types: row.event_types,
            status: row.status,
            max_retries: row.max_retries,
            timeout_seconds: row.timeout_seconds,
            secret_id,
            created_at: row.created_at,
            updated_at: row.updated_at,
        };
        Some(Import::Endpoint(id, Box::new(imported), sealed))
    }

    pub(super) async fn history(&mut self, records: Vec<Record<'_>>) -> Result<(), ImportError> {
        let table = tables::AUDIT.name;
        let decided = self.decide(records, |this, record| {
            let (license_id, ledger_id) = this.license_of(record)?;
            let entry = rows::history(record)?;
            is_small(&entry)?;
            this.record_once(table, record)?;
            Ok(((license_id, entry), ledger_id))
        });
        let planned = decided.into_iter().map(|((license_id, entry), place)| {
            place.planned(
                table,
                Import::History(LicenseId::from(license_id), Box::new(entry)),
            )
        });
        self.execute(planned.collect()).await
    }
}
