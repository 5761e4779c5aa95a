//! `POST /validate`, and the older `GET /validate`

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use vinzy_client::validation as wire;

use crate::app::App;
use crate::http::body::{Body, Fields, FromFields};
use crate::http::machines::{FINGERPRINT, KEY};
use crate::http::problem::{Problem, ProblemBody};
use crate::http::query::Query;
use crate::validation::ValidationError;

/// A license key, and the machine it is used on.
pub struct Validate {
    key: String,
    fingerprint: Option<String>,
}

/// Validate a license key.
///
/// Answers 200 whatever the outcome: `valid` and `code` tell it. Codes: `OK`; `INVALID_KEY` (not one of
/// ours, or mistyped); `NOT_FOUND` (no such license, or deleted); `EXPIRED`; `SUSPENDED` (suspended or
/// revoked: the message says which). With `OK` comes a signed lease for going on offline.
#[utoipa::path(
    post, path = "/validate", tag = "Validation", operation_id = "validate",
    request_body = wire::ValidateRequest,
    responses(
        (status = 200, description = "The outcome", body = wire::ValidateResponse),
        (status = 503, description = "What this node knows is too old to answer from", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn handle(State(app): State<App>, body: Body<Validate>) -> Result<Response, Problem> {
    answer(&app, body.content).await
}

/// Validate a license key, the older way.
///
/// Use `POST`: a key in an address ends up in logs and histories.
#[utoipa::path(
    get, path = "/validate", tag = "Validation", operation_id = "validateDeprecated",
    params(
        ("key" = String, Query, min_length = 1, description = "The license key."),
        ("fingerprint" = Option<String>, Query, max_length = 255, description = "The machine's fingerprint."),
    ),
    responses((status = 200, description = "The outcome", body = wire::ValidateResponse))
)]
#[deprecated(note = "keys do not belong into addresses; kept for older clients")]
pub async fn handle_get(State(app): State<App>, mut query: Query) -> Result<Response, Problem> {
    let in_bounds = |text: &str| {
        FINGERPRINT
            .contains(&text.chars().count())
            .then(|| text.to_owned())
    };
    let fingerprint = query.parse("fingerprint", "must have 1 to 255 characters", in_bounds);
    let key = query.get("key").map(str::to_owned);
    query.finish()?;
    let key = key.ok_or_else(|| Problem::field("key", "is required"))?;
    answer(&app, Validate { key, fingerprint }).await
}

async fn answer(app: &App, request: Validate) -> Result<Response, Problem> {
    let now = app.clock.now();
    let outcome = app
        .validator
        .validate(&request.key, request.fingerprint.as_deref(), now)
        .await?;
    if let Some((ledger_id, license_id)) = &outcome.license {
        app.validations
            .record(ledger_id, *license_id, outcome.code, now)
            .await?;
    }
    Ok(json(&outcome.body))
}

fn json(body: &Arc<[u8]>) -> Response {
    let body = axum::body::Bytes::from_owner(Arc::clone(body));
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

impl FromFields for Validate {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let key = fields.text("key", KEY);
        let fingerprint = fields.optional_text("fingerprint", FINGERPRINT);
        Some(Self {
            key: key?,
            fingerprint,
        })
    }
}

impl From<ValidationError> for Problem {
    fn from(error: ValidationError) -> Self {
        match error {
            ValidationError::Ledger(error) => error.into(),
            ValidationError::Stale(_) => {
                let cause: &dyn std::error::Error = &error;
                tracing::warn!(error = cause, "validation refused");
                Self::unavailable(
                    "STALE",
                    "This node has lost the database and cannot tell any more.",
                    5,
                )
            }
            ValidationError::Feature(_) => Self::internal(&error),
            ValidationError::Limited(limited) => limited.into(),
        }
    }
}
