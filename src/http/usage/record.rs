//! `POST /usage/record`

use axum::Json;
use axum::extract::State;
use vinzy_client::usage as wire;

use super::{Use, VALUE, count, refused};
use crate::app::App;
use crate::http::body::{Body, Fields, FromFields};
use crate::http::caller::Visitor;
use crate::http::machines::KEY;
use crate::http::problem::{Problem, ProblemBody};

/// A license key, and use to be counted under it.
pub struct RecordUsage {
    key: String,
    content: Use,
}

/// Record usage.
///
/// Answers 200 whatever the outcome: `success` and `code` tell it. Codes: `RECORDED`; `LIMIT_EXCEEDED` (it would
/// pass a limit, and changed nothing); `NOT_FOUND`; `EXPIRED`; `SUSPENDED` (suspended or revoked). A metric with
/// the name of a feature is limited by its `limit`, per `period` if it has one, unless its `overage` is `allow`;
/// `agent.{CODE}.tokens` by the agent's `token_limit`. However many record at once, a limit is never passed.
/// What was recorded is on disk. With an `idempotency_key`, in the body or as header, the same record again
/// gives the first result and changes nothing, for ever; a refusal is not remembered.
#[utoipa::path(
    post, path = "/usage/record", tag = "Usage", operation_id = "recordUsage",
    params(("Idempotency-Key" = Option<String>, Header, max_length = 255, pattern = "^[!-~]([\\t -~]*[!-~])?$", description = "As `idempotency_key`, which goes before it.")),
    request_body = wire::RecordUsageRequest,
    responses(
        (status = 200, description = "The outcome", body = wire::RecordUsageResponse),
        (status = 409, description = "The idempotency key was used for another record", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn handle(
    visitor: Visitor,
    State(app): State<App>,
    body: Body<RecordUsage>,
) -> Result<Json<wire::RecordUsageResponse>, Problem> {
    let RecordUsage { key, content } = body.content;
    let Ok(located) = app.validator.locate(&key).await? else {
        return Ok(Json(refused(
            content.usage.metric,
            "NOT_FOUND",
            "License not found",
        )));
    };
    let order = content.order(&app, &visitor, &located, visitor.idempotency_key());
    Ok(Json(count(&app, order, &located, content.usage).await?))
}

impl FromFields for RecordUsage {
    const AMOUNT: Option<&'static str> = Some(VALUE);

    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let key = fields.text("key", KEY);
        let content = Use::from_fields(fields);
        Some(Self {
            key: key?,
            content: content?,
        })
    }
}
