//! `POST /licenses/{license_id}/renew`

use axum::Json;
use axum::extract::State;
use vinzy_client::licenses as wire;
use vinzy_events::LicenseId;
use vinzy_events::license::LicenseCommand;

use crate::app::App;
use crate::commands::licenses::{self, DEFAULT_DAYS_VALID};
use crate::http::body::{Fields, FromFields, OptionalBody};
use crate::http::caller::Caller;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::query::PathId;

/// How far the expiry moves.
pub struct Renewal(LicenseCommand);

/// Renew a license.
///
/// Days are added to its expiry, or to now when that has passed. The body may be left out: 365 days.
#[utoipa::path(
    post, path = "/licenses/{license_id}/renew", tag = "Licenses", operation_id = "renewLicense",
    params(
        ("license_id" = String, Path, format = "uuid"),
        ("Idempotency-Key" = Option<String>, Header, max_length = 255, pattern = "^[!-~]([\\t -~]*[!-~])?$", description = "Makes the request safe to repeat."),
    ),
    request_body = Option<wire::RenewLicense>,
    responses(
        (status = 200, description = "The license as it is now", body = wire::License),
        (status = 409, description = "It has been revoked", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<LicenseId>,
    OptionalBody(body): OptionalBody<Renewal>,
) -> Result<Json<wire::License>, Problem> {
    let order = caller.order(&app, &body.canonical);
    let license = licenses::change(&app, order, id, body.content.0).await?;
    Ok(Json(super::wire(id, &license, app.clock.now())?))
}

impl FromFields for Renewal {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let days = fields.nullable_number("days_valid", super::DAYS).flatten();
        let expires_at = fields.nullable("expires_at");
        match (days, expires_at) {
            (Some(_), Some(_)) => fields.refuse("expires_at", "cannot be given together with days_valid"),
            (_, Some(expires_at)) => Some(Self(LicenseCommand::Renew { expires_at })),
            (days, None) => Some(Self(LicenseCommand::Extend {
                days: days.unwrap_or(DEFAULT_DAYS_VALID),
            })),
        }
    }
}
