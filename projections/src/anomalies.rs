//! The read model of anomalies.

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;
use vinzy_events::anomaly::{Anomaly, AnomalyEvent, AnomalyResolved, AnomalyState, Found, Severity};
use vinzy_events::{AnomalyId, EventId, LicenseId, Timestamp};

use crate::event_log::{signed, unsigned};
use crate::rows::{Placed, Recorded, RowModel};
use crate::usage::decimal;
use crate::{Page, PageRequest};

/// Name of the projection.
pub const NAME: &str = "anomalies";

/// An anomaly as lists show it.
#[derive(Debug, Clone, PartialEq)]
pub struct AnomalyRow {
    /// What is true of it.
    pub state: AnomalyState,
    /// Where it was found, which orders lists and is their cursor.
    pub created_position: u64,
}

pub(crate) struct Anomalies;

type Row = Placed<Anomaly>;

macro_rules! anomaly_state {
    ($row:expr) => {
        AnomalyState {
            detected: Found {
                anomaly_id: $row.anomaly_id.into(),
                license_id: $row.license_id.into(),
                anomaly_type: $row.anomaly_type,
                severity: severity(&$row.severity)?,
                metric: $row.metric,
                observed_value: decimal(&$row.observed_value)?,
                baseline_mean: decimal(&$row.baseline_mean)?,
                baseline_stddev: decimal(&$row.baseline_stddev)?,
                z_score: decimal(&$row.z_score)?,
                usage_event_id: $row.usage_event_id.map(EventId::from),
                detected_at: Timestamp::from_chrono($row.detected_at),
            },
            resolved: $row
                .resolved_by
                .zip($row.resolved_at)
                .map(|(resolved_by, at)| AnomalyResolved {
                    resolved_by,
                    resolved_at: Timestamp::from_chrono(at),
                }),
        }
    };
}

impl RowModel for Anomalies {
    const NAME: &'static str = NAME;
    const STREAM_TYPES: &'static [&'static str] = &["anomaly"];
    const TABLES: &'static [&'static str] = &["anomalies"];
    type Event = AnomalyEvent;
    type Row = Row;

    fn row_id(stream_id: &str) -> Option<Uuid> {
        let (_, anomaly_id) = stream_id.split_once('/')?;
        Uuid::parse_str(anomaly_id).ok()
    }

    fn fold(row: Option<Row>, recorded: Recorded<AnomalyEvent>) -> Option<Row> {
        Row::fold(row, recorded, |_| true)
    }

    async fn load(conn: &mut PgConnection, ledger_id: &str, ids: &[Uuid]) -> sqlx::Result<Vec<(Uuid, Row)>> {
        let rows = sqlx::query!(
            r#"SELECT anomaly_id, license_id, anomaly_type, severity, metric,
                      observed_value::text AS "observed_value!", baseline_mean::text AS "baseline_mean!",
                      baseline_stddev::text AS "baseline_stddev!", z_score::text AS "z_score!",
                      usage_event_id, detected_at, resolved_by, resolved_at, created_position
               FROM anomalies WHERE ledger_id = $1 AND anomaly_id = ANY($2)"#,
            ledger_id,
            ids,
        )
        .fetch_all(conn)
        .await?;
        rows.into_iter()
            .map(|row| Ok((row.anomaly_id, Row::at(row.created_position, anomaly_state!(row)))))
            .collect()
    }

    async fn save(conn: &mut PgConnection, ledger_id: &str, rows: &[(Uuid, Row)]) -> sqlx::Result<()> {
        for (id, row) in rows {
            let Some(AnomalyState { detected, resolved }) = row.aggregate.state() else {
                continue;
            };
            sqlx::query!(
                "INSERT INTO anomalies (ledger_id, anomaly_id, license_id, anomaly_type, severity, metric,
                                        observed_value, baseline_mean, baseline_stddev, z_score,
                                        usage_event_id, detected_at, resolved_by, resolved_at,
                                        created_position)
                 VALUES ($1, $2, $3, $4, $5, $6, $7::text::numeric, $8::text::numeric, $9::text::numeric,
                         $10::text::numeric, $11, $12, $13, $14, $15)
                 ON CONFLICT (ledger_id, anomaly_id) DO UPDATE
                 SET resolved_by = excluded.resolved_by, resolved_at = excluded.resolved_at",
                ledger_id,
                id,
                detected.license_id.as_uuid(),
                detected.anomaly_type,
                detected.severity.as_str(),
                detected.metric,
                detected.observed_value.to_string(),
                detected.baseline_mean.to_string(),
                detected.baseline_stddev.to_string(),
                detected.z_score.to_string(),
                detected.usage_event_id.map(EventId::as_uuid),
                detected.detected_at.to_chrono(),
                resolved.as_ref().map(|resolved| resolved.resolved_by.as_str()),
                resolved.as_ref().map(|resolved| resolved.resolved_at.to_chrono()),
                signed(row.created_position),
            )
            .execute(&mut *conn)
            .await?;
        }
        Ok(())
    }

    /// Anomalies stay.
    async fn remove(_: &mut PgConnection, _: &str, _: &[Uuid]) -> sqlx::Result<()> {
        Ok(())
    }
}

/// Which anomalies to list; `None` does not filter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Under which license.
    pub license_id: Option<LicenseId>,
    /// How severe.
    pub severity: Option<Severity>,
    /// Of what.
    pub metric: Option<String>,
    /// Whether somebody has dealt with it.
    pub resolved: Option<bool>,
}

/// Anomalies, newest first.
pub async fn list(
    pool: &PgPool,
    ledger_id: &str,
    filter: &Filter,
    page: PageRequest,
) -> sqlx::Result<Page<AnomalyRow>> {
    let license_id = filter.license_id.map(LicenseId::as_uuid);
    let severity_name = filter.severity.map(Severity::as_str);
    let rows = sqlx::query!(
        r#"SELECT anomaly_id, license_id, anomaly_type, severity, metric,
                  observed_value::text AS "observed_value!", baseline_mean::text AS "baseline_mean!",
                  baseline_stddev::text AS "baseline_stddev!", z_score::text AS "z_score!",
                  usage_event_id, detected_at, resolved_by, resolved_at, created_position
           FROM anomalies
           WHERE ledger_id = $1 AND created_position < $2
             AND ($3::uuid IS NULL OR license_id = $3)
             AND ($4::text IS NULL OR severity = $4)
             AND ($5::text IS NULL OR metric = $5)
             AND ($6::boolean IS NULL OR (resolved_at IS NOT NULL) = $6)
           ORDER BY created_position DESC
           OFFSET $7 LIMIT $8"#,
        ledger_id,
        page.before(),
        license_id,
        severity_name,
        filter.metric,
        filter.resolved,
        page.offset(),
        page.limit(),
    )
    .fetch_all(pool)
    .await?;
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM anomalies
           WHERE ledger_id = $1
             AND ($2::uuid IS NULL OR license_id = $2)
             AND ($3::text IS NULL OR severity = $3)
             AND ($4::text IS NULL OR metric = $4)
             AND ($5::boolean IS NULL OR (resolved_at IS NOT NULL) = $5)"#,
        ledger_id,
        license_id,
        severity_name,
        filter.metric,
        filter.resolved,
    )
    .fetch_one(pool)
    .await?;
    let rows = rows
        .into_iter()
        .map(|row| {
            Ok(AnomalyRow {
                created_position: unsigned(row.created_position),
                state: anomaly_state!(row),
            })
        })
        .collect::<sqlx::Result<Vec<_>>>()?;
    Ok(Page::of(rows, &page, unsigned(total), |row| row.created_position))
}

/// What is true of an anomaly.
pub async fn get(
    pool: &PgPool,
    ledger_id: &str,
    anomaly_id: AnomalyId,
) -> sqlx::Result<Option<AnomalyState>> {
    let row = sqlx::query!(
        r#"SELECT anomaly_id, license_id, anomaly_type, severity, metric,
                  observed_value::text AS "observed_value!", baseline_mean::text AS "baseline_mean!",
                  baseline_stddev::text AS "baseline_stddev!", z_score::text AS "z_score!",
                  usage_event_id, detected_at, resolved_by, resolved_at
           FROM anomalies WHERE ledger_id = $1 AND anomaly_id = $2"#,
        ledger_id,
        anomaly_id.as_uuid(),
    )
    .fetch_optional(pool)
    .await?;
    row.map(|row| Ok(anomaly_state!(row))).transpose()
}

/// How many anomalies of each severity nobody has dealt with; a severity of which there is none is left out.
pub async fn count_open(pool: &PgPool, ledger_id: &str) -> sqlx::Result<Vec<(Severity, u64)>> {
    let rows = sqlx::query!(
        r#"SELECT severity, count(*) AS "count!" FROM anomalies
           WHERE ledger_id = $1 AND resolved_at IS NULL
           GROUP BY severity"#,
        ledger_id,
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| Ok((severity(&row.severity)?, unsigned(row.count))))
        .collect()
}

/// The license of an anomaly.
pub async fn license_of(
    pool: &PgPool,
    ledger_id: &str,
    anomaly_id: AnomalyId,
) -> sqlx::Result<Option<LicenseId>> {
    let license_id = sqlx::query_scalar!(
        "SELECT license_id FROM anomalies WHERE ledger_id = $1 AND anomaly_id = $2",
        ledger_id,
        anomaly_id.as_uuid(),
    )
    .fetch_optional(pool)
    .await?;
    Ok(license_id.map(LicenseId::from))
}

fn severity(text: &str) -> sqlx::Result<Severity> {
    Severity::parse(text).ok_or_else(|| sqlx::Error::Decode(format!("unknown severity {text:?}").into()))
}
