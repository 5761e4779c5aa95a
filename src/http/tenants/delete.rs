//! `DELETE /tenants/{tenant_id}`

use axum::extract::State;
use axum::http::StatusCode;
use vinzy_events::TenantId;

use crate::app::App;
use crate::commands::tenants;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::PathId;

/// Close a tenant.
///
/// Its API keys open nothing from the answer on, on any node; its license keys nothing on this node, nor within a
/// second on others. Its ledger stays, and so does its slug: there is no way back.
#[utoipa::path(
    delete, path = "/tenants/{tenant_id}", tag = "Tenants", operation_id = "deleteTenant",
    params(("tenant_id" = String, Path, format = "uuid")),
    responses((status = 204, description = "It is closed"))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<TenantId>,
) -> Result<StatusCode, Problem> {
    tenants::close(&app, caller.order(&app, b""), id).await?;
    Ok(StatusCode::NO_CONTENT)
}
