//! `PATCH /licenses/{license_id}`

use axum::Json;
use axum::extract::State;
use serde_json::Value;
use vinzy_client::licenses as wire;
use vinzy_events::LicenseId;
use vinzy_events::license::{LicenseCommand, StatusChange, UpdateLicense};

use crate::app::App;
use crate::commands::licenses;
use crate::http::body::{Body, Field, Fields, FromFields};
use crate::http::caller::Caller;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::products::TIER;
use crate::http::query::PathId;

/// Change a license.
///
/// What is left out stays. A `status` suspends, reinstates or revokes, as the routes of that name do.
#[utoipa::path(
    patch, path = "/licenses/{license_id}", tag = "Licenses", operation_id = "updateLicense",
    params(("license_id" = String, Path, format = "uuid")),
    request_body = wire::UpdateLicense,
    responses(
        (status = 200, description = "The license as it is now", body = wire::License),
        (status = 409, description = "It has been revoked", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<LicenseId>,
    body: Body<UpdateLicense>,
) -> Result<Json<wire::License>, Problem> {
    let order = caller.order(&app, &body.canonical);
    let command = LicenseCommand::Update(Box::new(body.content));
    let license = licenses::change(&app, order, id, command).await?;
    Ok(Json(super::wire(id, &license, app.clock.now())?))
}

impl FromFields for UpdateLicense {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            tier: fields.optional_text("tier", TIER),
            machines_limit: fields.nullable_number("machines_limit", super::MACHINES),
            expires_at: fields.nullable("expires_at"),
            features: fields.features("features"),
            entitlements: fields.features("entitlements"),
            metadata: fields.optional("metadata"),
            status: fields.optional("status"),
        })
    }
}

impl Field for StatusChange {
    fn read(value: Value) -> Result<Self, String> {
        match value.as_str() {
            Some("active") => Ok(Self::Active),
            Some("suspended") => Ok(Self::Suspended),
            Some("revoked") => Ok(Self::Revoked),
            _ => Err("must be active, suspended or revoked".into()),
        }
    }
}
