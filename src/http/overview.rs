//! `GET /overview`

use std::collections::HashMap;
use std::iter::successors;
use std::ops::{Range, RangeInclusive};

use axum::Json;
use axum::extract::State;
use futures::try_join;
use vinzy_client::overview as wire;
use vinzy_events::Timestamp;
use vinzy_events::anomaly::Severity;
use vinzy_events::endpoint::EndpointStatus;
use vinzy_projections::activity::{self, Day, MetricUse};
use vinzy_projections::usage::Bucket;
use vinzy_projections::{anomalies, endpoints, license_standings};

use super::access::{ADMINISTER, Access};
use super::caller::Caller;
use super::problem::Problem;
use super::query::Query;
use super::usage::amount;
use super::usage::series::filled;
use crate::app::App;
use crate::audit::Standing;
use crate::processes::{anomaly_detection, webhook_outbox};
use crate::webhooks::health::health;

/// Days that can be shown.
const DAYS: RangeInclusive<u32> = 1..=366;
/// Days when nothing is said.
const DEFAULT_DAYS: u32 = 30;
/// Metrics that are shown.
const METRICS: u32 = 6;
/// Days within which a license ends that ends soon.
const SOON: u32 = 30;
/// Reading webhooks takes what their routes take.
const READ_WEBHOOKS: Access = ADMINISTER;

/// Show how it all stands, and what happened lately.
///
/// Counts are as of now. Days are those of UTC, the last one is today.
#[utoipa::path(
    get, path = "/overview", tag = "Overview", operation_id = "getOverview",
    params(
        ("days" = Option<u32>, Query, minimum = 1, maximum = 366, description = "How many days, with today; 30 if left out."),
    ),
    responses((status = 200, description = "The overview", body = wire::Overview))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    mut query: Query,
) -> Result<Json<wire::Overview>, Problem> {
    let in_range = |text: &str| text.parse().ok().filter(|days| DAYS.contains(days));
    let days = query.parse("days", "must be between 1 and 366", in_range);
    query.finish()?;
    let ledger_id = &*caller.ledger_id;
    let (standing, active, _) = try_join!(
        app.in_step(license_standings::NAME, ledger_id),
        app.in_step(activity::NAME, ledger_id),
        app.in_step(anomaly_detection::NAME, ledger_id),
    )?;
    // Only now are those in the ledger that the process has found.
    let found = app.in_step(anomalies::NAME, ledger_id).await?;

    let now = app.clock.now();
    let calendar = Calendar::until(now, days.unwrap_or(DEFAULT_DAYS));
    let soon = now.plus_days(SOON).unwrap_or(now);
    let licenses = license_standings::count(standing, ledger_id, now, soon).await?;
    let activity = activity::days(active, ledger_id, &calendar.span()).await?;
    let metrics = activity::metrics(active, ledger_id, &calendar.span(), METRICS).await?;
    let anomalies = anomalies::count_open(found, ledger_id).await?;
    let webhooks = if caller.may(READ_WEBHOOKS) {
        Some(webhook_health(&app, ledger_id, now).await?)
    } else {
        None
    };
    Ok(Json(wire::Overview {
        as_of: now.to_string(),
        licenses: license_counts(licenses),
        expiring_licenses: licenses.expiring,
        activity: calendar.activity(activity),
        usage: metrics.into_iter().map(|metric| calendar.usage(metric)).collect(),
        anomalies: anomaly_counts(anomalies),
        webhooks,
        ledger: ledger_head(app.signer.standing(ledger_id).await?),
    }))
}

/// When the days begin that are shown.
struct Calendar {
    starts: Vec<Timestamp>,
    end: Timestamp,
}

impl Calendar {
    /// So many days, the last of which is the one of `now`.
    fn until(now: Timestamp, days: u32) -> Self {
        let length = Bucket::Day.length();
        let today = Bucket::Day.start(now).to_chrono();
        let first = today - length * i32::try_from(days - 1).unwrap_or(0);
        let starts = successors(Some(first), |start| Some(*start + length));
        Self {
            starts: starts
                .take(usize::try_from(days).unwrap_or(0))
                .map(Timestamp::from_chrono)
                .collect(),
            end: Timestamp::from_chrono(today + length),
        }
    }

    fn span(&self) -> Range<Timestamp> {
        self.starts[0]..self.end
    }

    /// Every day, also those on which nothing happened.
    fn activity(&self, days: Vec<Day>) -> Vec<wire::DayOfActivity> {
        let known: HashMap<Timestamp, Day> = days.into_iter().map(|day| (day.starts_at, day)).collect();
        let day = |start: &Timestamp| {
            let day = known.get(start);
            let count = |of: fn(&Day) -> u64| day.map_or(0, of);
            wire::DayOfActivity {
                starts_at: start.to_string(),
                licenses_created: count(|day| day.licenses_created),
                activations: count(|day| day.activations),
                deactivations: count(|day| day.deactivations),
                validations: count(|day| day.validations),
            }
        };
        self.starts.iter().map(day).collect()
    }

    fn usage(&self, metric: MetricUse) -> wire::MetricUsage {
        wire::MetricUsage {
            metric: metric.metric,
            total_value: amount(&metric.total),
            record_count: metric.record_count,
            points: filled(&self.starts, metric.points),
        }
    }
}

const fn license_counts(counts: license_standings::Counts) -> wire::LicenseCounts {
    wire::LicenseCounts {
        active: counts.active,
        suspended: counts.suspended,
        revoked: counts.revoked,
        expired: counts.expired,
    }
}

fn anomaly_counts(open: Vec<(Severity, u64)>) -> wire::AnomalyCounts {
    let mut counts = wire::AnomalyCounts::default();
    for (severity, count) in open {
        match severity {
            Severity::Medium => counts.medium = count,
            Severity::High => counts.high = count,
            Severity::Critical => counts.critical = count,
        }
    }
    counts
}

async fn webhook_health(app: &App, ledger_id: &str, now: Timestamp) -> Result<wire::WebhookHealth, Problem> {
    let (rows, _) = try_join!(
        app.in_step(endpoints::NAME, ledger_id),
        app.in_step(webhook_outbox::NAME, ledger_id),
    )?;
    let health = health(&app.pool, ledger_id, now).await?;
    let mut webhooks = wire::WebhookHealth {
        pending: health.pending,
        failed: health.failed,
        delivered: health.delivered,
        oldest_pending_at: health.oldest_pending_at.map(|at| at.to_string()),
        ..wire::WebhookHealth::default()
    };
    for (status, count) in endpoints::count(rows, ledger_id).await? {
        match status {
            EndpointStatus::Active => webhooks.active = count,
            EndpointStatus::Paused => webhooks.paused = count,
            EndpointStatus::Disabled => webhooks.disabled = count,
        }
    }
    Ok(webhooks)
}

fn ledger_head(standing: Standing) -> wire::LedgerHead {
    wire::LedgerHead {
        origin: standing.origin,
        size: standing.size,
        checkpoint_size: standing.checkpoint_size,
        checkpoint_at: standing.checkpoint_at.map(|at| at.to_string()),
    }
}
