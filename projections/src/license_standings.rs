//! The read model of how licenses stand, and nothing else of them: narrow rows that only change when that does, so that
//! even many are counted fast. The rows of `licenses` are rewritten with every seat that is taken.

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;
use vinzy_events::Timestamp;
use vinzy_events::license::{LicenseEvent, Standing};

use crate::event_log::unsigned;
use crate::licenses::standing;
use crate::rows::{Recorded, RowModel};

/// Name of the projection.
pub const NAME: &str = "license_standings";

/// Licenses by status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// In force.
    pub active: u64,
    /// Of these, those that end soon.
    pub expiring: u64,
    /// Suspended, and not expired.
    pub suspended: u64,
    /// Revoked.
    pub revoked: u64,
    /// Past their end, and not revoked.
    pub expired: u64,
}

pub(crate) struct LicenseStandings;

pub(crate) struct Row {
    standing: Standing,
    expires_at: Option<Timestamp>,
    /// Whether the table has something else.
    changed: bool,
}

impl Row {
    fn stand(&mut self, standing: Standing) {
        self.standing = standing;
        self.changed = true;
    }

    fn expire(&mut self, at: Option<Timestamp>) {
        self.expires_at = at;
        self.changed = true;
    }
}

impl RowModel for LicenseStandings {
    const NAME: &'static str = NAME;
    const STREAM_TYPES: &'static [&'static str] = &["license"];
    const TABLES: &'static [&'static str] = &["overview_licenses"];
    type Event = LicenseEvent;
    type Row = Row;

    fn fold(row: Option<Row>, recorded: Recorded<LicenseEvent>) -> Option<Row> {
        if let LicenseEvent::Created(created) = recorded.event {
            return Some(Row {
                standing: Standing::Active,
                expires_at: created.expires_at,
                changed: true,
            });
        }
        if let LicenseEvent::Imported(imported) = recorded.event {
            return imported.deleted_at.is_none().then_some(Row {
                standing: imported.standing,
                expires_at: imported.expires_at,
                changed: true,
            });
        }
        let mut row = row?;
        match recorded.event {
            LicenseEvent::Suspended(_) => row.stand(Standing::Suspended),
            LicenseEvent::Reinstated(_) => row.stand(Standing::Active),
            LicenseEvent::Revoked(_) => row.stand(Standing::Revoked),
            LicenseEvent::Renewed(renewed) => row.expire(renewed.expires_at),
            LicenseEvent::Updated(updated) => {
                if let Some(at) = updated.expires_at {
                    row.expire(at);
                }
            }
            LicenseEvent::Deleted(_) => return None,
            LicenseEvent::Created(_)
            | LicenseEvent::Imported(_)
            | LicenseEvent::ActivationImported(_)
            | LicenseEvent::HistoryImported(_)
            | LicenseEvent::ActivationCreated(_)
            | LicenseEvent::ActivationRemoved(_)
            | LicenseEvent::Heartbeat(_)
            | LicenseEvent::Validated(_) => {}
        }
        Some(row)
    }

    async fn load(conn: &mut PgConnection, ledger_id: &str, ids: &[Uuid]) -> sqlx::Result<Vec<(Uuid, Row)>> {
        let rows = sqlx::query!(
            "SELECT license_id, standing, expires_at FROM overview_licenses
             WHERE ledger_id = $1 AND license_id = ANY($2)",
            ledger_id,
            ids,
        )
        .fetch_all(conn)
        .await?;
        rows.into_iter()
            .map(|row| {
                let known = Row {
                    standing: standing(&row.standing)?,
                    expires_at: row.expires_at.map(Timestamp::from_chrono),
                    changed: false,
                };
                Ok((row.license_id, known))
            })
            .collect()
    }

    async fn save(conn: &mut PgConnection, ledger_id: &str, rows: &[(Uuid, Row)]) -> sqlx::Result<()> {
        let (mut ids, mut standings, mut ends) = (vec![], vec![], vec![]);
        for (id, row) in rows.iter().filter(|(_, row)| row.changed) {
            ids.push(*id);
            standings.push(row.standing.as_str());
            ends.push(row.expires_at.map(Timestamp::to_chrono));
        }
        if ids.is_empty() {
            return Ok(());
        }
        sqlx::query!(
            "INSERT INTO overview_licenses (ledger_id, license_id, standing, expires_at)
             SELECT $1, x.license_id, x.standing, x.expires_at
             FROM unnest($2::uuid[], $3::text[], $4::timestamptz[]) AS x(license_id, standing, expires_at)
             ON CONFLICT (ledger_id, license_id) DO UPDATE
             SET standing = excluded.standing, expires_at = excluded.expires_at",
            ledger_id,
            &ids,
            &standings as &[&str],
            &ends as &[Option<chrono::DateTime<chrono::Utc>>],
        )
        .execute(conn)
        .await?;
        Ok(())
    }

    async fn remove(conn: &mut PgConnection, ledger_id: &str, ids: &[Uuid]) -> sqlx::Result<()> {
        sqlx::query!(
            "DELETE FROM overview_licenses WHERE ledger_id = $1 AND license_id = ANY($2)",
            ledger_id,
            ids
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}

/// How many licenses have which status at `at`, and how many that are active then have ended by `soon`. Reads an index
/// only: `overview_licenses_idx` holds what decides.
pub async fn count(pool: &PgPool, ledger_id: &str, at: Timestamp, soon: Timestamp) -> sqlx::Result<Counts> {
    let row = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE standing = 'active' AND NOT ended) AS "active!",
                  count(*) FILTER (WHERE standing = 'active' AND NOT ended AND expires_at <= $3) AS "expiring!",
                  count(*) FILTER (WHERE standing = 'suspended' AND NOT ended) AS "suspended!",
                  count(*) FILTER (WHERE standing = 'revoked') AS "revoked!",
                  count(*) FILTER (WHERE standing <> 'revoked' AND ended) AS "expired!"
           FROM (SELECT standing, expires_at, coalesce(expires_at <= $2, false) AS ended
                 FROM overview_licenses WHERE ledger_id = $1) l"#,
        ledger_id,
        at.to_chrono(),
        soon.to_chrono(),
    )
    .fetch_one(pool)
    .await?;
    Ok(Counts {
        active: unsigned(row.active),
        expiring: unsigned(row.expiring),
        suspended: unsigned(row.suspended),
        revoked: unsigned(row.revoked),
        expired: unsigned(row.expired),
    })
}
