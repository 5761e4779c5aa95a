//! The read model of what happens in a ledger, day by day: how much, not to whom.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use sqlx::{PgConnection, PgPool};
use vinzy_events::license::LicenseEvent;
use vinzy_events::meter::{Counted, MeterEvent};
use vinzy_events::{Decimal, Timestamp};

use crate::event_log::{signed, unsigned};
use crate::projection::BoxFuture;
use crate::rows::poison;
use crate::usage::{Bucket, Point, decimal};
use crate::{ApplyError, Projection, StoredEvent};

/// Name of the projection.
pub const NAME: &str = "activity";

/// What happened on a day, as the ledger noted it then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// When the day begins, in UTC.
    pub starts_at: Timestamp,
    /// Licenses issued.
    pub licenses_created: u64,
    /// Seats taken.
    pub activations: u64,
    /// Seats given up or taken away.
    pub deactivations: u64,
    /// Validations.
    pub validations: u64,
}

/// The use of a metric by all licenses.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricUse {
    /// Of what.
    pub metric: String,
    /// How much in all; at most [`Decimal::max`], which is as much as readers of JSON can read.
    pub total: Decimal,
    /// How often it was recorded.
    pub record_count: u64,
    /// The days that hold anything, oldest first.
    pub points: Vec<Point>,
}

pub(crate) struct Activity;

impl Projection for Activity {
    fn name(&self) -> &'static str {
        NAME
    }

    fn stream_types(&self) -> &'static [&'static str] {
        &["license", "meter"]
    }

    fn tables(&self) -> &'static [&'static str] {
        &["activity_days", "activity_usage"]
    }

    fn apply<'a>(
        &'a self,
        conn: &'a mut PgConnection,
        ledger_id: &'a str,
        events: &'a [StoredEvent],
    ) -> BoxFuture<'a, Result<usize, ApplyError>> {
        Box::pin(async move {
            let sums = Sums::of(events)?;
            sums.write_days(conn, ledger_id).await?;
            sums.write_usage(conn, ledger_id).await?;
            Ok(events.len())
        })
    }
}

/// What a batch adds, summed up before it is written: a handful of rows, however many events.
#[derive(Default)]
struct Sums {
    days: BTreeMap<Timestamp, Counts>,
    usage: BTreeMap<(Timestamp, String), Used>,
}

#[derive(Default)]
struct Counts {
    licenses_created: u64,
    activations: u64,
    deactivations: u64,
    validations: u64,
}

#[derive(Default)]
struct Used {
    total: Decimal,
    record_count: u64,
}

impl Sums {
    fn of(events: &[StoredEvent]) -> Result<Self, ApplyError> {
        let mut sums = Self::default();
        for event in events {
            match event.event_type.as_str() {
                "license.imported" | "activation.imported" => sums.add_imported(event)?,
                "license.created" => sums.day_of(event).licenses_created += 1,
                "activation.created" => sums.day_of(event).activations += 1,
                "activation.removed" => sums.day_of(event).deactivations += 1,
                "license.validated" => sums.add_validations(event)?,
                "usage.recorded" | "usage.imported" => sums.add_usage(event)?,
                _ => {}
            }
        }
        Ok(sums)
    }

    fn day_of(&mut self, event: &StoredEvent) -> &mut Counts {
        self.day(event.recorded_at)
    }

    fn day(&mut self, at: Timestamp) -> &mut Counts {
        self.days.entry(Bucket::Day.start(at)).or_default()
    }

    /// What was imported counts where it happened, not where it was imported.
    fn add_imported(&mut self, stored: &StoredEvent) -> Result<(), ApplyError> {
        match stored.decode().map_err(|source| poison(stored, source))? {
            LicenseEvent::Imported(license) => self.day(license.created_at).licenses_created += 1,
            LicenseEvent::ActivationImported(machine) => {
                self.day(machine.activated_at).activations += 1;
                if let Some(at) = machine.removed_at {
                    self.day(at).deactivations += 1;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn add_validations(&mut self, stored: &StoredEvent) -> Result<(), ApplyError> {
        let event = stored.decode().map_err(|source| poison(stored, source))?;
        if let LicenseEvent::Validated(validated) = event {
            self.day_of(stored).validations += validated.count;
        }
        Ok(())
    }

    /// By the time that decides on the periods of limits, so that the sums are those of the buckets of usage.
    fn add_usage(&mut self, stored: &StoredEvent) -> Result<(), ApplyError> {
        let event: MeterEvent = stored.decode().map_err(|source| poison(stored, source))?;
        let usage = Counted::from(event);
        let place = (Bucket::Day.start(usage.recorded_at), usage.metric);
        let used = self.usage.entry(place).or_default();
        used.total = &used.total + &usage.value;
        used.record_count += 1;
        Ok(())
    }

    async fn write_days(&self, conn: &mut PgConnection, ledger_id: &str) -> sqlx::Result<()> {
        if self.days.is_empty() {
            return Ok(());
        }
        let column = |of: fn(&Counts) -> u64| -> Vec<i64> {
            self.days.values().map(|counts| signed(of(counts))).collect()
        };
        sqlx::query!(
            "INSERT INTO activity_days AS d (ledger_id, starts_at, licenses_created, activations, deactivations,
                                             validations)
             SELECT $1, x.starts_at, x.licenses_created, x.activations, x.deactivations, x.validations
             FROM unnest($2::timestamptz[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
                  AS x(starts_at, licenses_created, activations, deactivations, validations)
             ON CONFLICT (ledger_id, starts_at) DO UPDATE
             SET licenses_created = d.licenses_created + excluded.licenses_created,
                 activations = d.activations + excluded.activations,
                 deactivations = d.deactivations + excluded.deactivations,
                 validations = d.validations + excluded.validations",
            ledger_id,
            &self.days.keys().map(|day| day.to_chrono()).collect::<Vec<_>>(),
            &column(|counts| counts.licenses_created),
            &column(|counts| counts.activations),
            &column(|counts| counts.deactivations),
            &column(|counts| counts.validations),
        )
        .execute(conn)
        .await?;
        Ok(())
    }

    /// Amounts go as text: that says any number exactly.
    async fn write_usage(&self, conn: &mut PgConnection, ledger_id: &str) -> sqlx::Result<()> {
        if self.usage.is_empty() {
            return Ok(());
        }
        let (places, used) = (self.usage.keys(), self.usage.values());
        sqlx::query!(
            "INSERT INTO activity_usage AS u (ledger_id, starts_at, metric, total, record_count)
             SELECT $1, x.starts_at, x.metric, trim_scale(x.total::numeric), x.record_count
             FROM unnest($2::timestamptz[], $3::text[], $4::text[], $5::bigint[])
                  AS x(starts_at, metric, total, record_count)
             ON CONFLICT (ledger_id, starts_at, metric) DO UPDATE
             SET total = trim_scale(u.total + excluded.total),
                 record_count = u.record_count + excluded.record_count",
            ledger_id,
            &places.clone().map(|(day, _)| day.to_chrono()).collect::<Vec<_>>(),
            &places.map(|(_, metric)| metric.clone()).collect::<Vec<_>>(),
            &used
                .clone()
                .map(|used| used.total.to_string())
                .collect::<Vec<_>>(),
            &used.map(|used| signed(used.record_count)).collect::<Vec<_>>(),
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}

/// The days that begin within `span` and on which anything happened, oldest first.
pub async fn days(pool: &PgPool, ledger_id: &str, span: &Range<Timestamp>) -> sqlx::Result<Vec<Day>> {
    let rows = sqlx::query!(
        "SELECT starts_at, licenses_created, activations, deactivations, validations
         FROM activity_days
         WHERE ledger_id = $1 AND starts_at >= $2 AND starts_at < $3
         ORDER BY starts_at",
        ledger_id,
        span.start.to_chrono(),
        span.end.to_chrono(),
    )
    .fetch_all(pool)
    .await?;
    let days = rows.into_iter().map(|row| Day {
        starts_at: Timestamp::from_chrono(row.starts_at),
        licenses_created: unsigned(row.licenses_created),
        activations: unsigned(row.activations),
        deactivations: unsigned(row.deactivations),
        validations: unsigned(row.validations),
    });
    Ok(days.collect())
}

/// The metrics that were recorded most often on days that begin within `span`, the most frequent first, and of those
/// that are equally frequent the first by name: at most so many.
pub async fn metrics(
    pool: &PgPool,
    ledger_id: &str,
    span: &Range<Timestamp>,
    limit: u32,
) -> sqlx::Result<Vec<MetricUse>> {
    let rows = sqlx::query!(
        r#"SELECT metric, sum(total)::text AS "total!", sum(record_count)::bigint AS "record_count!"
           FROM activity_usage
           WHERE ledger_id = $1 AND starts_at >= $2 AND starts_at < $3
           GROUP BY metric
           ORDER BY 3 DESC, metric
           LIMIT $4"#,
        ledger_id,
        span.start.to_chrono(),
        span.end.to_chrono(),
        i64::from(limit),
    )
    .fetch_all(pool)
    .await?;
    let names: Vec<String> = rows.iter().map(|row| row.metric.clone()).collect();
    let mut points = points(pool, ledger_id, span, &names).await?;
    rows.into_iter()
        .map(|row| {
            Ok(MetricUse {
                total: readable(&row.total)?,
                record_count: unsigned(row.record_count),
                points: points.remove(&row.metric).unwrap_or_default(),
                metric: row.metric,
            })
        })
        .collect()
}

async fn points(
    pool: &PgPool,
    ledger_id: &str,
    span: &Range<Timestamp>,
    metrics: &[String],
) -> sqlx::Result<HashMap<String, Vec<Point>>> {
    let rows = sqlx::query!(
        r#"SELECT metric, starts_at, total::text AS "total!", record_count
           FROM activity_usage
           WHERE ledger_id = $1 AND starts_at >= $2 AND starts_at < $3 AND metric = ANY($4)
           ORDER BY starts_at"#,
        ledger_id,
        span.start.to_chrono(),
        span.end.to_chrono(),
        metrics,
    )
    .fetch_all(pool)
    .await?;
    let mut points: HashMap<String, Vec<Point>> = HashMap::new();
    for row in rows {
        points.entry(row.metric).or_default().push(Point {
            starts_at: Timestamp::from_chrono(row.starts_at),
            total: readable(&row.total)?,
            record_count: unsigned(row.record_count),
        });
    }
    Ok(points)
}

/// No meter goes past what readers can read, but several together may.
fn readable(total: &str) -> sqlx::Result<Decimal> {
    let total = decimal(total)?;
    Ok(if total.is_too_large() {
        Decimal::max()
    } else {
        total
    })
}
