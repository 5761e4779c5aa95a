//! `POST /licenses/{license_id}/reinstate`

use axum::Json;
use axum::extract::State;
use vinzy_client::licenses as wire;
use vinzy_events::LicenseId;
use vinzy_events::license::LicenseCommand;

use super::Reason;
use crate::app::App;
use crate::commands::licenses;
use crate::http::body::OptionalBody;
use crate::http::caller::Caller;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::query::PathId;

/// Lift the suspension of a license.
///
/// A license that is not suspended stays as it is. The body may be left out.
#[utoipa::path(
    post, path = "/licenses/{license_id}/reinstate", tag = "Licenses", operation_id = "reinstateLicense",
    params(("license_id" = String, Path, format = "uuid")),
    request_body = Option<wire::Reason>,
    responses(
        (status = 200, description = "The license as it is now", body = wire::License),
        (status = 409, description = "It has been revoked", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<LicenseId>,
    OptionalBody(body): OptionalBody<Reason>,
) -> Result<Json<wire::License>, Problem> {
    let order = caller.order(&app, &body.canonical);
    let command = LicenseCommand::Reinstate {
        reason: body.content.0,
    };
    let license = licenses::change(&app, order, id, command).await?;
    Ok(Json(super::wire(id, &license, app.clock.now())?))
}
