//! `GET /usage/{license_id}/series`

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use chrono::TimeDelta;
use vinzy_client::usage as wire;
use vinzy_events::{Decimal, LicenseId, Timestamp};
use vinzy_projections::usage::{self, Bucket, Point};

use super::amount;
use crate::app::App;
use crate::commands::licenses;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::{PathId, Query};

/// Buckets of a series at most.
const MAX_POINTS: i64 = 2_000;
/// Buckets of a series when nothing is said.
const DEFAULT_HOURS: i32 = 48;
const DEFAULT_DAYS: i32 = 90;

/// Show the use of a metric over time.
///
/// Every bucket that overlaps `from` to `to` is there, also those without use: at most 2,000. Left out, `to` is
/// the end of the bucket of now, and `from` is 48 hours or 90 days before `to`.
#[utoipa::path(
    get, path = "/usage/{license_id}/series", tag = "Usage", operation_id = "getUsageSeries",
    params(
        ("license_id" = String, Path, format = "uuid"),
        ("metric" = String, Query, min_length = 1, description = "Of what."),
        ("bucket" = Option<String>, Query, pattern = "^(hour|day)?$", description = "`hour` (if left out) or `day`, in UTC."),
        ("from" = Option<String>, Query, format = "date-time", description = "From when."),
        ("to" = Option<String>, Query, format = "date-time", description = "Until when."),
    ),
    responses((status = 200, description = "The series", body = wire::UsageSeries))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<LicenseId>,
    mut query: Query,
) -> Result<Json<wire::UsageSeries>, Problem> {
    let metric = query.get("metric").map(str::to_owned);
    let bucket = query.parse("bucket", "must be hour or day", Bucket::parse);
    let time = |text: &str| text.parse::<Timestamp>().ok();
    let must = "must be an RFC 3339 time such as 2030-01-01T00:00:00Z";
    let from = query.parse("from", must, time);
    let to = query.parse("to", must, time);
    query.finish()?;
    let metric = metric.ok_or_else(|| Problem::field("metric", "is required"))?;
    let bucket = bucket.unwrap_or(Bucket::Hour);
    let to = to.unwrap_or_else(|| later(bucket.start(app.clock.now()), bucket.length()));
    let starts = starts(bucket, from, to)?;

    let ledger_id = &caller.ledger_id;
    licenses::get(&app, ledger_id, id).await?;
    let rows = app.in_step(usage::NAME, ledger_id).await?;
    let (first, last) = (starts[0], starts[starts.len() - 1]);
    let end = later(last, bucket.length());
    let points = usage::series(rows, ledger_id, id, &metric, bucket, first..end).await?;
    Ok(Json(wire::UsageSeries {
        metric,
        bucket: bucket.as_str().to_owned(),
        from: first.to_string(),
        to: end.to_string(),
        points: filled(&starts, points),
    }))
}

/// When the buckets begin that overlap `from..to`: at least one.
fn starts(bucket: Bucket, from: Option<Timestamp>, to: Timestamp) -> Result<Vec<Timestamp>, Problem> {
    let length = bucket.length();
    let default = match bucket {
        Bucket::Hour => DEFAULT_HOURS,
        Bucket::Day => DEFAULT_DAYS,
    };
    let from = from.unwrap_or_else(|| later(to, -(length * default)));
    if from >= to {
        return Err(Problem::field("from", "must lie before to"));
    }
    let first = bucket.start(from);
    let micros = |delta: TimeDelta| delta.num_microseconds().unwrap_or(i64::MAX);
    let span = micros(to.to_chrono() - first.to_chrono());
    let count = (span - 1) / micros(length) + 1;
    if count > MAX_POINTS {
        let problem = format!("must be at most {MAX_POINTS} buckets before to");
        return Err(Problem::field("from", problem));
    }
    Ok(
        std::iter::successors(Some(first), |start| Some(later(*start, length)))
            .take(usize::try_from(count).unwrap_or(0))
            .collect(),
    )
}

/// Times beyond the supported years stay at their edge.
fn later(at: Timestamp, by: TimeDelta) -> Timestamp {
    let micros = at.as_micros().saturating_add(by.num_microseconds().unwrap_or(0));
    Timestamp::from_micros(micros).unwrap_or(if by < TimeDelta::zero() {
        Timestamp::UNIX_EPOCH
    } else {
        at
    })
}

/// The buckets that begin at `starts`, also those without use.
pub(in crate::http) fn filled(starts: &[Timestamp], points: Vec<Point>) -> Vec<wire::UsagePoint> {
    let mut known: HashMap<Timestamp, Point> =
        points.into_iter().map(|point| (point.starts_at, point)).collect();
    starts
        .iter()
        .map(|start| {
            let point = known.remove(start);
            let (total, record_count) =
                point.map_or((Decimal::default(), 0), |point| (point.total, point.record_count));
            wire::UsagePoint {
                starts_at: start.to_string(),
                total_value: amount(&total),
                record_count,
            }
        })
        .collect()
}
