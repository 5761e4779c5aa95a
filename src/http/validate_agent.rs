//! `POST /validate/agent`, and the older `GET /validate/agent`

use axum::Json;
use axum::extract::State;
use vinzy_client::validation as wire;

use crate::app::App;
use crate::http::body::{Body, Fields, FromFields};
use crate::http::machines::KEY;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::query::Query;

/// Characters of an agent's code.
const AGENT_CODE: std::ops::RangeInclusive<usize> = 1..=100;

/// A license key, and the agent that wants to work.
pub struct ValidateAgent {
    key: String,
    agent_code: String,
}

/// Ask whether a license is entitled to an agent.
///
/// Answers 200 whatever the outcome: `valid` and `code` tell it. Codes: `OK`; `AGENT_NOT_ENTITLED` (unknown or
/// off); `LIMIT_EXCEEDED` (more tokens were used than its limit is now); and those of `/validate`.
#[utoipa::path(
    post, path = "/validate/agent", tag = "Validation", operation_id = "validateAgent",
    request_body = wire::ValidateAgentRequest,
    responses(
        (status = 200, description = "The outcome", body = wire::ValidateAgentResponse),
        (status = 503, description = "What this node knows is too old to answer from", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn handle(
    State(app): State<App>,
    body: Body<ValidateAgent>,
) -> Result<Json<wire::ValidateAgentResponse>, Problem> {
    answer(&app, body.content).await
}

/// Ask whether a license is entitled to an agent, the older way.
///
/// Use `POST`: a key in an address ends up in logs and histories.
#[utoipa::path(
    get, path = "/validate/agent", tag = "Validation", operation_id = "validateAgentDeprecated",
    params(
        ("key" = String, Query, min_length = 1, description = "The license key."),
        ("agent_code" = String, Query, min_length = 1, max_length = 100, description = "The agent's code."),
    ),
    responses((status = 200, description = "The outcome", body = wire::ValidateAgentResponse))
)]
#[deprecated(note = "keys do not belong into addresses; kept for older clients")]
pub async fn handle_get(
    State(app): State<App>,
    mut query: Query,
) -> Result<Json<wire::ValidateAgentResponse>, Problem> {
    let in_bounds = |text: &str| {
        AGENT_CODE
            .contains(&text.chars().count())
            .then(|| text.to_owned())
    };
    let agent_code = query.parse("agent_code", "must have 1 to 100 characters", in_bounds);
    let key = query.get("key").map(str::to_owned);
    query.finish()?;
    let key = key.ok_or_else(|| Problem::field("key", "is required"))?;
    let agent_code = agent_code.ok_or_else(|| Problem::field("agent_code", "is required"))?;
    answer(&app, ValidateAgent { key, agent_code }).await
}

async fn answer(app: &App, request: ValidateAgent) -> Result<Json<wire::ValidateAgentResponse>, Problem> {
    let now = app.clock.now();
    let outcome = app
        .validator
        .validate_agent(&request.key, &request.agent_code, now)
        .await?;
    if let Some((ledger_id, license_id)) = &outcome.license {
        app.validations
            .record(ledger_id, *license_id, outcome.code, now)
            .await?;
    }
    Ok(Json(outcome.response))
}

impl FromFields for ValidateAgent {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let key = fields.text("key", KEY);
        let agent_code = fields.text("agent_code", AGENT_CODE);
        Some(Self {
            key: key?,
            agent_code: agent_code?,
        })
    }
}
