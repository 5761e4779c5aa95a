//! The read model of machines.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;
use vinzy_events::license::{ActivationCreated, ActivationHeartbeat, ActivationImported, LicenseEvent};
use vinzy_events::{LicenseId, MachineId, Timestamp};

use crate::event_log::{signed, unsigned};
use crate::projection::BoxFuture;
use crate::rows::{json_object, json_text, poison, unreadable};
use crate::{ApplyError, Page, PageRequest, Projection, StoredEvent};

/// Name of the projection.
pub const NAME: &str = "machines";

/// A machine as lists show it.
#[derive(Debug, Clone, PartialEq)]
pub struct MachineRow {
    /// Its id.
    pub id: MachineId,
    /// The license it has a seat of.
    pub license_id: LicenseId,
    /// What it is known by.
    pub fingerprint: String,
    /// Its name.
    pub hostname: String,
    /// Its operating system.
    pub platform: String,
    /// The application's version as of the last heartbeat that said it.
    pub version: Option<String>,
    /// The application's own data about it.
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// When it took its seat.
    pub activated_at: Timestamp,
    /// Its last heartbeat that was noted.
    pub last_heartbeat_at: Option<Timestamp>,
    /// Where it was activated, which orders lists and is their cursor.
    pub created_position: u64,
}

pub(crate) struct Machines;

impl Projection for Machines {
    fn name(&self) -> &'static str {
        NAME
    }

    fn stream_types(&self) -> &'static [&'static str] {
        &["license"]
    }

    fn tables(&self) -> &'static [&'static str] {
        &["machines"]
    }

    fn apply<'a>(
        &'a self,
        conn: &'a mut PgConnection,
        ledger_id: &'a str,
        events: &'a [StoredEvent],
    ) -> BoxFuture<'a, Result<usize, ApplyError>> {
        Box::pin(async move {
            let changes = Changes::of(events)?;
            changes.write(conn, ledger_id).await?;
            Ok(events.len())
        })
    }
}

/// What a batch changes. A machine that leaves for good never comes back under its id, so removals can be
/// written last.
#[derive(Default)]
struct Changes {
    created: BTreeMap<Uuid, Created>,
    beats: BTreeMap<Uuid, Beat>,
    removed: BTreeSet<Uuid>,
    deleted_licenses: BTreeSet<Uuid>,
}

struct Created {
    license_id: Uuid,
    position: u64,
    event: ActivationCreated,
}

/// The last heartbeat of a batch, with the last version that any of it said. Of an imported machine the version can be
/// known without one.
struct Beat {
    at: Option<Timestamp>,
    version: Option<String>,
}

impl Changes {
    fn of(events: &[StoredEvent]) -> Result<Self, ApplyError> {
        let mut changes = Self::default();
        for stored in events {
            // Most of a license's events say nothing of machines and need not be read.
            let concerns =
                stored.event_type.starts_with("activation.") || stored.event_type == "license.deleted";
            if !concerns {
                continue;
            }
            let event = stored.decode().map_err(|source| poison(stored, source))?;
            let license_id = stored.license_id.ok_or_else(|| unreadable(stored))?;
            changes.note(license_id, stored.position, event);
        }
        Ok(changes)
    }

    fn note(&mut self, license_id: Uuid, position: u64, event: LicenseEvent) {
        match event {
            LicenseEvent::ActivationCreated(event) => {
                let created = Created {
                    license_id,
                    position,
                    event,
                };
                self.created.insert(created.event.machine_id.as_uuid(), created);
            }
            LicenseEvent::ActivationImported(machine) => self.take_over(license_id, position, *machine),
            LicenseEvent::Heartbeat(ActivationHeartbeat {
                machine_id,
                version,
                at,
                ..
            }) => {
                let known = self.beats.remove(&machine_id.as_uuid());
                let version = version.or(known.and_then(|beat| beat.version));
                let at = Some(at);
                self.beats.insert(machine_id.as_uuid(), Beat { at, version });
            }
            LicenseEvent::ActivationRemoved(event) => {
                self.removed.insert(event.machine_id.as_uuid());
            }
            LicenseEvent::Deleted(_) => {
                self.deleted_licenses.insert(license_id);
            }
            _ => {}
        }
    }

    /// One whose seat is free is history only.
    fn take_over(&mut self, license_id: Uuid, position: u64, machine: ActivationImported) {
        if machine.removed_at.is_some() {
            return;
        }
        let id = machine.machine_id.as_uuid();
        let beat = Beat {
            at: machine.last_heartbeat_at,
            version: machine.version,
        };
        let event = ActivationCreated {
            machine_id: machine.machine_id,
            fingerprint: machine.fingerprint,
            hostname: machine.hostname,
            platform: machine.platform,
            metadata: machine.metadata,
            activated_at: machine.activated_at,
        };
        let created = Created {
            license_id,
            position,
            event,
        };
        self.created.insert(id, created);
        self.beats.insert(id, beat);
    }

    async fn write(self, conn: &mut PgConnection, ledger_id: &str) -> sqlx::Result<()> {
        if !self.created.is_empty() {
            insert(conn, ledger_id, &self.created).await?;
        }
        if !self.beats.is_empty() {
            beat(conn, ledger_id, &self.beats).await?;
        }
        if !self.removed.is_empty() || !self.deleted_licenses.is_empty() {
            sqlx::query!(
                "DELETE FROM machines
                 WHERE ledger_id = $1 AND (machine_id = ANY($2) OR license_id = ANY($3))",
                ledger_id,
                &self.removed.into_iter().collect::<Vec<_>>(),
                &self.deleted_licenses.into_iter().collect::<Vec<_>>(),
            )
            .execute(conn)
            .await?;
        }
        Ok(())
    }
}

async fn insert(
    conn: &mut PgConnection,
    ledger_id: &str,
    created: &BTreeMap<Uuid, Created>,
) -> sqlx::Result<()> {
    let column = |of: fn(&ActivationCreated) -> &str| -> Vec<String> {
        created.values().map(|one| of(&one.event).to_owned()).collect()
    };
    sqlx::query!(
        "INSERT INTO machines (ledger_id, machine_id, license_id, fingerprint, hostname, platform, metadata,
                               activated_at, created_position)
         SELECT $1, x.machine_id, x.license_id, x.fingerprint, x.hostname, x.platform, x.metadata::json,
                x.activated_at, x.created_position
         FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[],
                     $9::bigint[])
              AS x(machine_id, license_id, fingerprint, hostname, platform, metadata, activated_at,
                   created_position)",
        ledger_id,
        &created.keys().copied().collect::<Vec<_>>(),
        &created.values().map(|one| one.license_id).collect::<Vec<_>>(),
        &column(|event| &event.fingerprint),
        &column(|event| &event.hostname),
        &column(|event| &event.platform),
        &created
            .values()
            .map(|one| json_text(&one.event.metadata))
            .collect::<Vec<_>>(),
        &created
            .values()
            .map(|one| one.event.activated_at.to_chrono())
            .collect::<Vec<_>>(),
        &created
            .values()
            .map(|one| signed(one.position))
            .collect::<Vec<_>>(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn beat(conn: &mut PgConnection, ledger_id: &str, beats: &BTreeMap<Uuid, Beat>) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE machines m
         SET last_heartbeat_at = coalesce(x.at, m.last_heartbeat_at), version = coalesce(x.version, m.version)
         FROM unnest($2::uuid[], $3::timestamptz[], $4::text[]) AS x(machine_id, at, version)
         WHERE m.ledger_id = $1 AND m.machine_id = x.machine_id",
        ledger_id,
        &beats.keys().copied().collect::<Vec<_>>(),
        &beats
            .values()
            .map(|beat| beat.at.map(Timestamp::to_chrono))
            .collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
        &beats
            .values()
            .map(|beat| beat.version.clone())
            .collect::<Vec<_>>() as &[Option<String>],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A license's machines in order of activation; only the one with `fingerprint`, when that is given.
pub async fn list(
    pool: &PgPool,
    ledger_id: &str,
    license_id: LicenseId,
    fingerprint: Option<&str>,
    page: PageRequest,
) -> sqlx::Result<Page<MachineRow>> {
    let rows = sqlx::query!(
        "SELECT machine_id, fingerprint, hostname, platform, version, metadata, activated_at,
                last_heartbeat_at, created_position
         FROM machines
         WHERE ledger_id = $1 AND license_id = $2 AND created_position > $3
           AND ($4::text IS NULL OR fingerprint = $4)
         ORDER BY created_position
         OFFSET $5 LIMIT $6",
        ledger_id,
        license_id.as_uuid(),
        page.after(),
        fingerprint,
        page.offset(),
        page.limit(),
    )
    .fetch_all(pool)
    .await?;
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM machines
           WHERE ledger_id = $1 AND license_id = $2 AND ($3::text IS NULL OR fingerprint = $3)"#,
        ledger_id,
        license_id.as_uuid(),
        fingerprint,
    )
    .fetch_one(pool)
    .await?;
    let rows = rows
        .into_iter()
        .map(|row| MachineRow {
            id: row.machine_id.into(),
            license_id,
            fingerprint: row.fingerprint,
            hostname: row.hostname,
            platform: row.platform,
            version: row.version,
            metadata: json_object(row.metadata),
            activated_at: Timestamp::from_chrono(row.activated_at),
            last_heartbeat_at: row.last_heartbeat_at.map(Timestamp::from_chrono),
            created_position: unsigned(row.created_position),
        })
        .collect();
    Ok(Page::of(rows, &page, unsigned(total), |row: &MachineRow| {
        row.created_position
    }))
}
