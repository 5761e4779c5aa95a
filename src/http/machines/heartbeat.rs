//! `POST /heartbeat`

use axum::Json;
use axum::extract::State;
use vinzy_client::machines as wire;
use vinzy_events::license::LicenseError;

use super::{FINGERPRINT, KEY, VERSION};
use crate::app::App;
use crate::commands::{CommandError, machines};
use crate::http::body::{Body, Fields, FromFields};
use crate::http::caller::Visitor;
use crate::http::problem::Problem;
use crate::http::refusals::refusal;

/// A license key and a machine that is alive.
pub struct Heartbeat {
    key: String,
    fingerprint: String,
    version: Option<String>,
}

/// Say that a machine is alive.
///
/// Answers 200 whatever the outcome. Codes: `OK`; `NOT_FOUND` (no such license, or the machine has no seat);
/// `EXPIRED`; `SUSPENDED` (suspended or revoked: the message says which). The ledger notes a machine's
/// heartbeat once a minute, and when its version changes.
#[utoipa::path(
    post, path = "/heartbeat", tag = "Machines", operation_id = "heartbeat",
    params(("Idempotency-Key" = Option<String>, Header, max_length = 255, pattern = "^[!-~]([\\t -~]*[!-~])?$", description = "Makes the request safe to repeat.")),
    request_body = wire::HeartbeatRequest,
    responses((status = 200, description = "The outcome", body = wire::HeartbeatResponse))
)]
pub async fn handle(
    visitor: Visitor,
    State(app): State<App>,
    body: Body<Heartbeat>,
) -> Result<Json<wire::HeartbeatResponse>, Problem> {
    let Heartbeat {
        key,
        fingerprint,
        version,
    } = body.content;
    let Ok(located) = app.validator.locate(&key).await? else {
        return Ok(answer("NOT_FOUND", "License not found"));
    };
    let order = visitor.order(&app, &located, &body.canonical);
    match machines::heartbeat(&app, order, located.license_id, fingerprint, version).await {
        Ok(()) => Ok(answer("OK", "Heartbeat recorded")),
        Err(CommandError::License(LicenseError::MachineNotActivated)) => {
            Ok(answer("NOT_FOUND", "Machine not activated"))
        }
        Err(error) => {
            let (code, message) = refusal(error)?;
            Ok(answer(code, message))
        }
    }
}

fn answer(code: &str, message: &str) -> Json<wire::HeartbeatResponse> {
    Json(wire::HeartbeatResponse {
        success: code == "OK",
        code: code.to_owned(),
        message: message.to_owned(),
    })
}

impl FromFields for Heartbeat {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let key = fields.text("key", KEY);
        let fingerprint = fields.text("fingerprint", FINGERPRINT);
        let version = fields.optional_text("version", VERSION);
        Some(Self {
            key: key?,
            fingerprint: fingerprint?,
            version,
        })
    }
}
