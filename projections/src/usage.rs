//! The read model of usage: totals per meter, and the same by hour and by day.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;
use vinzy_events::meter::{Counted, MeterEvent};
use vinzy_events::{Decimal, LicenseId, Timestamp};

use crate::event_log::unsigned;
use crate::projection::BoxFuture;
use crate::rows::poison;
use crate::{ApplyError, Page, PageRequest, Projection, Start, StoredEvent};

/// Name of the projection.
pub const NAME: &str = "usage";

/// The use of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct UsageTotal {
    /// Of what.
    pub metric: String,
    /// How much in all.
    pub total: Decimal,
    /// How often it was recorded.
    pub record_count: u64,
    /// The first record.
    pub first_recorded_at: Timestamp,
    /// The last record.
    pub last_recorded_at: Timestamp,
}

/// How finely a series is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bucket {
    /// By the hour.
    Hour,
    /// By the day, in UTC.
    Day,
}

impl Bucket {
    /// The name: `hour` or `day`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// The bucket with a name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Hour, Self::Day]
            .into_iter()
            .find(|bucket| bucket.as_str() == name)
    }

    /// How long one is.
    pub const fn length(self) -> TimeDelta {
        match self {
            Self::Hour => TimeDelta::hours(1),
            Self::Day => TimeDelta::days(1),
        }
    }

    /// When the bucket that contains `at` begins.
    pub fn start(self, at: Timestamp) -> Timestamp {
        let at = at.to_chrono();
        Timestamp::from_chrono(at.duration_trunc(self.length()).unwrap_or(at))
    }
}

/// The use of a metric in one bucket.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// When the bucket begins.
    pub starts_at: Timestamp,
    /// How much.
    pub total: Decimal,
    /// How often it was recorded.
    pub record_count: u64,
}

pub(crate) struct Usage;

impl Projection for Usage {
    fn name(&self) -> &'static str {
        NAME
    }

    fn stream_types(&self) -> &'static [&'static str] {
        &["meter"]
    }

    fn tables(&self) -> &'static [&'static str] {
        &["usage_totals", "usage_buckets"]
    }

    fn apply<'a>(
        &'a self,
        conn: &'a mut PgConnection,
        ledger_id: &'a str,
        events: &'a [StoredEvent],
    ) -> BoxFuture<'a, Result<usize, ApplyError>> {
        Box::pin(async move {
            let sums = Sums::of(events)?;
            if !sums.meters.is_empty() {
                sums.write(conn, ledger_id).await?;
            }
            Ok(events.len())
        })
    }
}

/// What a batch adds, summed up before it is written.
#[derive(Default)]
struct Sums {
    meters: BTreeMap<(Uuid, String), Sum>,
    buckets: BTreeMap<(Uuid, String, Bucket, Timestamp), Sum>,
}

#[derive(Clone)]
struct Sum {
    total: Decimal,
    count: i64,
    first_at: Timestamp,
    last_at: Timestamp,
}

impl Sum {
    fn nothing(at: Timestamp) -> Self {
        Self {
            total: Decimal::default(),
            count: 0,
            first_at: at,
            last_at: at,
        }
    }

    fn add(&mut self, value: &Decimal, at: Timestamp) {
        self.total = &self.total + value;
        self.count += 1;
        // Usually the later one; what was imported can be older.
        self.first_at = self.first_at.min(at);
        self.last_at = self.last_at.max(at);
    }
}

impl Sums {
    fn of(events: &[StoredEvent]) -> Result<Self, ApplyError> {
        let mut sums = Self::default();
        for stored in events {
            let event: MeterEvent = stored.decode().map_err(|source| poison(stored, source))?;
            sums.add(event.into());
        }
        Ok(sums)
    }

    fn add(&mut self, event: Counted) {
        let Counted {
            license_id,
            metric,
            value,
            recorded_at: at,
            ..
        } = event;
        let license_id = license_id.as_uuid();
        for bucket in [Bucket::Hour, Bucket::Day] {
            let place = (license_id, metric.clone(), bucket, bucket.start(at));
            let sum = self.buckets.entry(place).or_insert_with(|| Sum::nothing(at));
            sum.add(&value, at);
        }
        let sum = self
            .meters
            .entry((license_id, metric))
            .or_insert_with(|| Sum::nothing(at));
        sum.add(&value, at);
    }

    /// Amounts go as text: that says any number exactly.
    async fn write(&self, conn: &mut PgConnection, ledger_id: &str) -> sqlx::Result<()> {
        let meters = &self.meters;
        sqlx::query!(
            "INSERT INTO usage_totals AS t (ledger_id, license_id, metric, total, record_count,
                                            first_recorded_at, last_recorded_at)
             SELECT $1, x.license_id, x.metric, trim_scale(x.total::numeric), x.record_count, x.first_at,
                    x.last_at
             FROM unnest($2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::timestamptz[], $7::timestamptz[])
                  AS x(license_id, metric, total, record_count, first_at, last_at)
             ON CONFLICT (ledger_id, license_id, metric) DO UPDATE
             SET total = trim_scale(t.total + excluded.total),
                 record_count = t.record_count + excluded.record_count,
                 first_recorded_at = least(t.first_recorded_at, excluded.first_recorded_at),
                 last_recorded_at = greatest(t.last_recorded_at, excluded.last_recorded_at)",
            ledger_id,
            &meters.keys().map(|(license_id, _)| *license_id).collect::<Vec<_>>(),
            &meters.keys().map(|(_, metric)| metric.clone()).collect::<Vec<_>>(),
            &meters.values().map(|sum| sum.total.to_string()).collect::<Vec<_>>(),
            &meters.values().map(|sum| sum.count).collect::<Vec<_>>(),
            &meters
                .values()
                .map(|sum| sum.first_at.to_chrono())
                .collect::<Vec<_>>(),
            &meters
                .values()
                .map(|sum| sum.last_at.to_chrono())
                .collect::<Vec<_>>(),
        )
        .execute(&mut *conn)
        .await?;
        let buckets = &self.buckets;
        sqlx::query!(
            "INSERT INTO usage_buckets AS b (ledger_id, license_id, metric, bucket, starts_at, total,
                                             record_count)
             SELECT $1, x.license_id, x.metric, x.bucket, x.starts_at, trim_scale(x.total::numeric),
                    x.record_count
             FROM unnest($2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::bigint[])
                  AS x(license_id, metric, bucket, starts_at, total, record_count)
             ON CONFLICT (ledger_id, license_id, metric, bucket, starts_at) DO UPDATE
             SET total = trim_scale(b.total + excluded.total),
                 record_count = b.record_count + excluded.record_count",
            ledger_id,
            &buckets.keys().map(|key| key.0).collect::<Vec<_>>(),
            &buckets.keys().map(|key| key.1.clone()).collect::<Vec<_>>(),
            &buckets
                .keys()
                .map(|key| key.2.as_str().to_owned())
                .collect::<Vec<_>>(),
            &buckets.keys().map(|key| key.3.to_chrono()).collect::<Vec<_>>(),
            &buckets
                .values()
                .map(|sum| sum.total.to_string())
                .collect::<Vec<_>>(),
            &buckets.values().map(|sum| sum.count).collect::<Vec<_>>(),
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}

/// What a license has used of every metric, sorted by metric.
pub async fn totals(
    pool: &PgPool,
    ledger_id: &str,
    license_id: LicenseId,
    page: &PageRequest<String>,
) -> sqlx::Result<Page<UsageTotal, String>> {
    let after = match &page.start {
        Start::After(metric) => Some(metric.as_str()),
        Start::Offset(_) => None,
    };
    let rows = sqlx::query!(
        r#"SELECT metric, total::text AS "total!", record_count, first_recorded_at, last_recorded_at
           FROM usage_totals
           WHERE ledger_id = $1 AND license_id = $2 AND ($3::text IS NULL OR metric > $3)
           ORDER BY metric
           OFFSET $4 LIMIT $5"#,
        ledger_id,
        license_id.as_uuid(),
        after,
        page.offset(),
        page.limit(),
    )
    .fetch_all(pool)
    .await?;
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM usage_totals WHERE ledger_id = $1 AND license_id = $2"#,
        ledger_id,
        license_id.as_uuid(),
    )
    .fetch_one(pool)
    .await?;
    let rows = rows
        .into_iter()
        .map(|row| {
            Ok(UsageTotal {
                metric: row.metric,
                total: decimal(&row.total)?,
                record_count: unsigned(row.record_count),
                first_recorded_at: Timestamp::from_chrono(row.first_recorded_at),
                last_recorded_at: Timestamp::from_chrono(row.last_recorded_at),
            })
        })
        .collect::<sqlx::Result<Vec<_>>>()?;
    Ok(Page::of(rows, page, unsigned(count), |row: &UsageTotal| {
        row.metric.clone()
    }))
}

/// What a license has used in all of some metrics; what was never used is not there.
pub async fn totals_by_metric(
    pool: &PgPool,
    ledger_id: &str,
    license_id: LicenseId,
    metrics: &[String],
) -> sqlx::Result<HashMap<String, Decimal>> {
    let rows = sqlx::query!(
        r#"SELECT metric, total::text AS "total!" FROM usage_totals
           WHERE ledger_id = $1 AND license_id = $2 AND metric = ANY($3)"#,
        ledger_id,
        license_id.as_uuid(),
        metrics,
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| Ok((row.metric, decimal(&row.total)?)))
        .collect()
}

/// What a license has used of the metrics whose names begin with `prefix`.
pub async fn totals_of(
    pool: &PgPool,
    ledger_id: &str,
    license_id: LicenseId,
    prefix: &str,
) -> sqlx::Result<Vec<(String, Decimal)>> {
    let rows = sqlx::query!(
        r#"SELECT metric, total::text AS "total!" FROM usage_totals
           WHERE ledger_id = $1 AND license_id = $2 AND starts_with(metric, $3)
           ORDER BY metric"#,
        ledger_id,
        license_id.as_uuid(),
        prefix,
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| Ok((row.metric, decimal(&row.total)?)))
        .collect()
}

/// What a license has used of metrics since the beginnings of days; what is missing is nothing.
pub async fn used_since(
    pool: &PgPool,
    ledger_id: &str,
    license_id: LicenseId,
    metrics: &[(String, Timestamp)],
) -> sqlx::Result<HashMap<(String, Timestamp), Decimal>> {
    let rows = sqlx::query!(
        r#"SELECT x.metric AS "metric!", x.since AS "since!", sum(b.total)::text AS "total!"
           FROM unnest($3::text[], $4::timestamptz[]) AS x(metric, since)
           JOIN usage_buckets b ON b.ledger_id = $1 AND b.license_id = $2 AND b.metric = x.metric
                               AND b.bucket = 'day' AND b.starts_at >= x.since
           GROUP BY x.metric, x.since"#,
        ledger_id,
        license_id.as_uuid(),
        &metrics
            .iter()
            .map(|(metric, _)| metric.clone())
            .collect::<Vec<_>>(),
        &metrics
            .iter()
            .map(|(_, since)| since.to_chrono())
            .collect::<Vec<DateTime<Utc>>>(),
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            let since = Timestamp::from_chrono(row.since);
            Ok(((row.metric, since), decimal(&row.total)?))
        })
        .collect()
}

/// The buckets of a metric that begin within `from..to` and hold anything, oldest first.
pub async fn series(
    pool: &PgPool,
    ledger_id: &str,
    license_id: LicenseId,
    metric: &str,
    bucket: Bucket,
    span: std::ops::Range<Timestamp>,
) -> sqlx::Result<Vec<Point>> {
    let rows = sqlx::query!(
        r#"SELECT starts_at, total::text AS "total!", record_count FROM usage_buckets
           WHERE ledger_id = $1 AND license_id = $2 AND metric = $3 AND bucket = $4
             AND starts_at >= $5 AND starts_at < $6
           ORDER BY starts_at"#,
        ledger_id,
        license_id.as_uuid(),
        metric,
        bucket.as_str(),
        span.start.to_chrono(),
        span.end.to_chrono(),
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Point {
                starts_at: Timestamp::from_chrono(row.starts_at),
                total: decimal(&row.total)?,
                record_count: unsigned(row.record_count),
            })
        })
        .collect()
}

pub(crate) fn decimal(text: &str) -> sqlx::Result<Decimal> {
    text.parse()
        .map_err(|error: vinzy_events::decimal::InvalidDecimal| sqlx::Error::Decode(Box::new(error)))
}
