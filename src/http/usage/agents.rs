//! `GET /usage/agents/{license_id}`

use axum::Json;
use axum::extract::State;
use vinzy_client::usage as wire;
use vinzy_events::LicenseId;
use vinzy_events::agent::aggregate_agent_usage;
use vinzy_projections::usage;

use super::amount;
use crate::app::App;
use crate::commands::licenses;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::PathId;

/// List what the agents of a license have used.
///
/// Metrics named `agent.{CODE}.{sub}`, by agent and by what is counted: `{"CTO": {"tokens": 123.5}}`.
#[utoipa::path(
    get, path = "/usage/agents/{license_id}", tag = "Usage", operation_id = "listAgentUsage",
    params(("license_id" = String, Path, format = "uuid")),
    responses((status = 200, description = "Totals by agent", body = std::collections::BTreeMap<String, std::collections::BTreeMap<String, f64>>))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<LicenseId>,
) -> Result<Json<wire::AgentUsage>, Problem> {
    let ledger_id = &caller.ledger_id;
    licenses::get(&app, ledger_id, id).await?;
    let rows = app.in_step(usage::NAME, ledger_id).await?;
    let totals = usage::totals_of(rows, ledger_id, id, "agent.").await?;
    let totals = totals
        .iter()
        .map(|(metric, total)| (metric.as_str(), total.clone()));
    let agents = aggregate_agent_usage(totals).into_iter().map(|(code, subs)| {
        let subs = subs
            .into_iter()
            .map(|(sub, total)| (sub, amount(&total)))
            .collect();
        (code, subs)
    });
    Ok(Json(agents.collect()))
}
