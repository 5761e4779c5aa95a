//! `GET /anomalies/{anomaly_id}/context`

use axum::Json;
use axum::extract::State;
use vinzy_client::anomalies as wire;
use vinzy_events::AnomalyId;
use vinzy_events::anomaly::detection::WINDOW;
use vinzy_events::meter::{Counted, MeterEvent};
use vinzy_projections::event_log::{DecodeError, events_around};
use vinzy_projections::{StoredEvent, anomalies};

use crate::app::App;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::{Identified, PathId};
use crate::http::usage::amount;

/// Values after the one that stands out, at most.
const AFTER: u32 = 10;

/// Show an anomaly among the values around it.
///
/// The values are those of its meter in the order of the ledger: the up to 30 with which it was compared, itself, and
/// up to 10 that came later. There are none of an anomaly that was imported.
#[utoipa::path(
    get, path = "/anomalies/{anomaly_id}/context", tag = "Anomalies", operation_id = "getAnomalyContext",
    params(("anomaly_id" = String, Path, format = "uuid")),
    responses((status = 200, description = "The anomaly with the values around it", body = wire::AnomalyContext))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<AnomalyId>,
) -> Result<Json<wire::AnomalyContext>, Problem> {
    let ledger_id = &caller.ledger_id;
    let rows = super::in_step(&app, ledger_id).await?;
    let anomaly = anomalies::get(rows, ledger_id, id)
        .await?
        .ok_or_else(AnomalyId::not_found)?;
    let Some(cause) = anomaly.detected.usage_event_id else {
        // It was found elsewhere, among values that nobody can name any more.
        return Ok(Json(wire::AnomalyContext {
            anomaly: super::wire(anomaly),
            values: vec![],
        }));
    };
    let window = u32::try_from(WINDOW).unwrap_or(u32::MAX);
    let mut conn = app.pool.acquire().await?;
    let events = events_around(&mut conn, ledger_id, cause, window, AFTER).await?;
    let mut role = "baseline";
    let mut values = Vec::with_capacity(events.len());
    for event in &events {
        let observed = event.event_id == cause.as_uuid();
        let role_of_this = if observed { "observed" } else { role };
        values.push(value(event, role_of_this)?);
        if observed {
            role = "after";
        }
    }
    Ok(Json(wire::AnomalyContext {
        anomaly: super::wire(anomaly),
        values,
    }))
}

fn value(event: &StoredEvent, role: &str) -> Result<wire::AnomalyValue, DecodeError> {
    let event_of_meter: MeterEvent = event.decode()?;
    let usage = Counted::from(event_of_meter);
    Ok(wire::AnomalyValue {
        role: role.to_owned(),
        value: amount(&usage.value),
        recorded_at: usage.recorded_at.to_string(),
        position: event.position,
    })
}
