//! `GET /tenants/{tenant_id}`

use axum::Json;
use axum::extract::State;
use vinzy_client::tenants as wire;
use vinzy_events::TenantId;

use crate::app::App;
use crate::commands::tenants;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::PathId;

/// Get a tenant.
#[utoipa::path(
    get, path = "/tenants/{tenant_id}", tag = "Tenants", operation_id = "getTenant",
    params(("tenant_id" = String, Path, format = "uuid")),
    responses((status = 200, description = "The tenant", body = wire::Tenant))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<TenantId>,
) -> Result<Json<wire::Tenant>, Problem> {
    let state = tenants::get(&app, &caller.ledger_id, id).await?;
    Ok(Json(super::wire(id, state)))
}
