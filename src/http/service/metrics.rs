//! `GET /metrics`

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use tokio::sync::Mutex;
use vinzy_projections::statuses;

use crate::app::App;
use crate::database::within;
use crate::http::problem::Problem;
use crate::metrics::Now;

/// Get what was counted and measured, for Prometheus.
///
/// Requests and how long they took, by route; the ledgers' batches and queues; how far projections lag; connections
/// and memory. Shown to the admin's addresses only if `VINZY_ADMIN_IP_ALLOWLIST` names some, and for
/// `Authorization: Bearer` with `VINZY_METRICS_TOKEN` if there is one.
#[utoipa::path(
    get, path = "/metrics", tag = "Service", operation_id = "metrics",
    responses((status = 200, description = "Metrics in the OpenMetrics format", body = String, content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8"))
)]
pub async fn handle(State(app): State<App>) -> Result<impl IntoResponse, Problem> {
    let now = Now {
        ledger_queue: app.ledgers.waiting(),
        validations_pending: app.validations.pending(),
        event_readers: app.event_feed.readers(),
        staleness: app.validator.staleness(),
        // Without a database there is the more reason to show the rest.
        projections: projections(&app).await.unwrap_or_default(),
        database: (app.pool.size(), app.pool.num_idle()),
    };
    let text = app
        .metrics
        .text(&now)
        .map_err(|error| Problem::internal(&error))?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text))
}

/// How long an answer about the projections is good enough.
const FRESH: Duration = Duration::from_millis(250);

/// How long the database may take to say so: whoever asks whether this node is ready does not wait for long.
const PATIENCE: Duration = Duration::from_secs(2);

/// A projection's name, how many events it lacks in the ledger where it lacks most, and in how many it is parked.
pub(super) type Standing = (String, u64, u64);

/// Where the projections stood when somebody asked last; `None` for a database that could not be read. However many
/// ask, the database is asked four times a second.
#[derive(Default)]
pub struct Standings(Mutex<Option<(Instant, Option<Vec<Standing>>)>>);

/// Where the projections stand; `None` when the database cannot be read.
pub(super) async fn projections(app: &App) -> Option<Vec<Standing>> {
    let mut last = app.standings.0.lock().await;
    if let Some((at, standings)) = &*last
        && at.elapsed() < FRESH
    {
        return standings.clone();
    }
    let standings = within(PATIENCE, read(app)).await.ok();
    *last = Some((Instant::now(), standings.clone()));
    standings
}

async fn read(app: &App) -> sqlx::Result<Vec<Standing>> {
    let mut worst: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for status in statuses(&app.vital).await? {
        let (lag, parked) = worst.entry(status.projection).or_default();
        *lag = (*lag).max(status.size.saturating_sub(status.position));
        *parked += u64::from(status.parked_reason.is_some());
    }
    Ok(worst
        .into_iter()
        .map(|(name, (lag, parked))| (name, lag, parked))
        .collect())
}
