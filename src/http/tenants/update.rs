//! `PATCH /tenants/{tenant_id}`

use axum::Json;
use axum::extract::State;
use vinzy_client::tenants as wire;
use vinzy_events::TenantId;
use vinzy_events::tenant::UpdateTenant;

use crate::app::App;
use crate::commands::tenants;
use crate::http::body::{Body, Fields, FromFields};
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::PathId;

/// Change a tenant.
///
/// What is left out stays; the slug cannot be changed. Settings hold from the answer on, on other nodes within a
/// second.
#[utoipa::path(
    patch, path = "/tenants/{tenant_id}", tag = "Tenants", operation_id = "updateTenant",
    params(("tenant_id" = String, Path, format = "uuid")),
    request_body = wire::UpdateTenant,
    responses((status = 200, description = "The tenant as it is now", body = wire::Tenant))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<TenantId>,
    body: Body<UpdateTenant>,
) -> Result<Json<wire::Tenant>, Problem> {
    super::check_version(&app, body.content.hmac_key_version.flatten())?;
    let order = caller.order(&app, &body.canonical);
    let state = tenants::update(&app, order, id, body.content).await?;
    Ok(Json(super::wire(id, state)))
}

impl FromFields for UpdateTenant {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            name: fields.optional_name("name", super::NAME),
            hmac_key_version: super::version(fields),
            config_overrides: super::overrides(fields),
        })
    }
}
