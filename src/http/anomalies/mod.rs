//! `/anomalies`.

pub mod context;
pub mod list;
pub mod of_license;
pub mod resolve;

use serde_json::json;
use sqlx::PgPool;
use vinzy_client::anomalies as wire;
use vinzy_events::anomaly::{AnomalyState, Severity};
use vinzy_projections::anomalies::{self, Filter};

use super::problem::Problem;
use super::query::Query;
use super::usage::amount;
use crate::app::App;
use crate::processes::anomaly_detection;

/// Everything that was recorded until now has been looked at, and shows where this says.
async fn in_step<'a>(app: &'a App, ledger_id: &str) -> Result<&'a PgPool, Problem> {
    app.in_step(anomaly_detection::NAME, ledger_id).await?;
    Ok(app.in_step(anomalies::NAME, ledger_id).await?)
}

/// The filters that all lists of anomalies have.
fn filter(query: &mut Query) -> Filter {
    let flag = |text: &str| match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    };
    Filter {
        license_id: None,
        severity: query.parse("severity", "must be medium, high or critical", Severity::parse),
        metric: query.get("metric").map(str::to_owned),
        resolved: query.parse("resolved", "must be true or false", flag),
    }
}

fn wire(state: AnomalyState) -> wire::Anomaly {
    let AnomalyState { detected, resolved } = state;
    let mut detail = serde_json::Map::new();
    if let Some(cause) = detected.usage_event_id {
        detail.insert("usage_event_id".to_owned(), json!(cause.to_string()));
    }
    wire::Anomaly {
        id: detected.anomaly_id.to_string(),
        license_id: detected.license_id.to_string(),
        anomaly_type: detected.anomaly_type,
        severity: detected.severity.as_str().to_owned(),
        metric: detected.metric,
        z_score: amount(&detected.z_score),
        baseline_mean: amount(&detected.baseline_mean),
        baseline_stddev: amount(&detected.baseline_stddev),
        observed_value: amount(&detected.observed_value),
        detail,
        resolved: resolved.is_some(),
        resolved_at: resolved.as_ref().map(|resolved| resolved.resolved_at.to_string()),
        resolved_by: resolved.map(|resolved| resolved.resolved_by),
        created_at: detected.detected_at.to_string(),
    }
}
