//! `POST /deactivate`

use axum::Json;
use axum::extract::State;
use vinzy_client::machines as wire;
use vinzy_events::LicenseId;

use super::{FINGERPRINT, KEY};
use crate::app::App;
use crate::commands::machines;
use crate::http::body::{Body, Fields, FromFields};
use crate::http::caller::Visitor;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::query::Identified;

/// A license key and a machine that gives up its seat.
pub struct Deactivate {
    key: String,
    fingerprint: String,
}

/// Give up a machine's seat.
///
/// Also under a license that is suspended, revoked or expired. `success` says whether the machine had a seat.
#[utoipa::path(
    post, path = "/deactivate", tag = "Machines", operation_id = "deactivate",
    params(("Idempotency-Key" = Option<String>, Header, max_length = 255, pattern = "^[!-~]([\\t -~]*[!-~])?$", description = "Makes the request safe to repeat.")),
    request_body = wire::DeactivateRequest,
    responses(
        (status = 200, description = "The outcome", body = wire::DeactivateResponse),
        (status = 404, description = "No license has this key", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn handle(
    visitor: Visitor,
    State(app): State<App>,
    body: Body<Deactivate>,
) -> Result<Json<wire::DeactivateResponse>, Problem> {
    let Deactivate { key, fingerprint } = body.content;
    let Ok(located) = app.validator.locate(&key).await? else {
        return Err(LicenseId::not_found());
    };
    let order = visitor.order(&app, &located, &body.canonical);
    let success = machines::deactivate(&app, order, located.license_id, fingerprint).await?;
    let (code, message) = if success {
        ("DEACTIVATED", "Machine deactivated")
    } else {
        ("NOT_ACTIVATED", "Machine not activated")
    };
    Ok(Json(wire::DeactivateResponse {
        success,
        code: code.to_owned(),
        message: message.to_owned(),
    }))
}

impl FromFields for Deactivate {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let key = fields.text("key", KEY);
        let fingerprint = fields.text("fingerprint", FINGERPRINT);
        Some(Self {
            key: key?,
            fingerprint: fingerprint?,
        })
    }
}
