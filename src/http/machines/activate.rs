//! `POST /activate`

use axum::Json;
use axum::extract::State;
use vinzy_client::machines as wire;
use vinzy_events::license::LicenseError;

use super::{FINGERPRINT, KEY, NAME};
use crate::app::App;
use crate::commands::CommandError;
use crate::commands::machines::{self, NewMachine};
use crate::http::body::{Body, Fields, FromFields};
use crate::http::caller::Visitor;
use crate::http::problem::Problem;
use crate::http::refusals::refusal;
use crate::validation::Unlocated;

/// A license key and a machine that wants a seat.
pub struct Activate {
    key: String,
    machine: NewMachine,
}

/// Give a machine a seat of a license.
///
/// Answers 200 whatever the outcome: `success` and `code` tell it. Codes: `ACTIVATED`; `ALREADY_ACTIVATED` (it
/// has a seat, and takes no other); `ACTIVATION_LIMIT` (all seats are taken); `INVALID_KEY`; `NOT_FOUND`;
/// `EXPIRED`; `SUSPENDED` (suspended or revoked: the message says which). However many ask at once, there are
/// never more machines than the license allows.
#[utoipa::path(
    post, path = "/activate", tag = "Machines", operation_id = "activate",
    params(("Idempotency-Key" = Option<String>, Header, max_length = 255, pattern = "^[!-~]([\\t -~]*[!-~])?$", description = "Makes the request safe to repeat.")),
    request_body = wire::ActivateRequest,
    responses((status = 200, description = "The outcome", body = wire::ActivateResponse))
)]
pub async fn handle(
    visitor: Visitor,
    State(app): State<App>,
    body: Body<Activate>,
) -> Result<Json<wire::ActivateResponse>, Problem> {
    let Activate { key, machine } = body.content;
    let located = match app.validator.locate(&key).await? {
        Ok(located) => located,
        Err(Unlocated::InvalidKey(error)) => return Ok(refused("INVALID_KEY", &error.to_string())),
        Err(Unlocated::NotFound) => return Ok(refused("NOT_FOUND", "License not found")),
    };
    let order = visitor.order(&app, &located, &body.canonical);
    let activated = match machines::activate(&app, order, located.license_id, machine).await {
        Ok(activated) => activated,
        Err(CommandError::License(LicenseError::MachineLimitReached { .. })) => {
            return Ok(refused("ACTIVATION_LIMIT", "Machine activation limit reached"));
        }
        Err(error) => {
            let (code, message) = refusal(error)?;
            return Ok(refused(code, message));
        }
    };
    let license = app
        .validator
        .seen_by_application(&located, &activated.license, activated.machines_used, &key)
        .await?;
    let (code, message) = if activated.is_new {
        ("ACTIVATED", "Machine activated successfully")
    } else {
        ("ALREADY_ACTIVATED", "Machine already activated")
    };
    Ok(Json(wire::ActivateResponse {
        success: true,
        machine_id: Some(activated.machine_id.to_string()),
        code: code.to_owned(),
        message: message.to_owned(),
        license: Some(license),
    }))
}

fn refused(code: &str, message: &str) -> Json<wire::ActivateResponse> {
    Json(wire::ActivateResponse {
        success: false,
        machine_id: None,
        code: code.to_owned(),
        message: message.to_owned(),
        license: None,
    })
}

impl FromFields for Activate {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let key = fields.text("key", KEY);
        let fingerprint = fields.text("fingerprint", FINGERPRINT);
        let hostname = fields.optional_text("hostname", NAME).unwrap_or_default();
        let platform = fields.optional_text("platform", NAME).unwrap_or_default();
        let metadata = fields.optional("metadata").unwrap_or_default();
        Some(Self {
            key: key?,
            machine: NewMachine {
                fingerprint: fingerprint?,
                hostname,
                platform,
                metadata,
            },
        })
    }
}
