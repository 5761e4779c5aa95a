//! `POST /tenants/{tenant_id}/api-keys`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use vinzy_client::access as wire;
use vinzy_events::TenantId;

use crate::app::App;
use crate::commands::api_keys::NewApiKey;
use crate::commands::tenants;
use crate::http::body::Body;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::PathId;

/// Make an API key of a tenant.
///
/// For when the tenant has lost its own. The tenant sees it among its keys, and may revoke it.
#[utoipa::path(
    post, path = "/tenants/{tenant_id}/api-keys", tag = "Tenants", operation_id = "createTenantApiKey",
    params(
        ("tenant_id" = String, Path, format = "uuid"),
        ("Idempotency-Key" = Option<String>, Header, max_length = 255, pattern = "^[!-~]([\\t -~]*[!-~])?$", description = "Makes the request safe to repeat."),
    ),
    request_body = wire::CreateApiKey,
    responses((status = 201, description = "The key, with its secret", body = wire::NewApiKey))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<TenantId>,
    body: Body<NewApiKey>,
) -> Result<(StatusCode, Json<wire::NewApiKey>), Problem> {
    let order = caller.order(&app, &body.canonical);
    let shown = tenants::create_key(&app, order, id, body.content).await?;
    let answer = crate::http::api_keys::shown(shown, app.clock.now());
    Ok((StatusCode::CREATED, Json(answer)))
}
