//! `POST /tenants`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;
use vinzy_client::tenants as wire;
use vinzy_events::tenant::{CreateTenant, TenantSlug};

use crate::app::App;
use crate::commands::tenants;
use crate::http::body::{Body, Field, Fields, FromFields};
use crate::http::caller::Caller;
use crate::http::problem::{Problem, ProblemBody};

/// Create a tenant.
///
/// Opens its ledger, and makes its first API key, with the scope `admin`: the answer shows it, once. Repeating the
/// request with the same `Idempotency-Key` shows it again.
#[utoipa::path(
    post, path = "/tenants", tag = "Tenants", operation_id = "createTenant",
    params(("Idempotency-Key" = Option<String>, Header, max_length = 255, pattern = "^[!-~]([\\t -~]*[!-~])?$", description = "Makes the request safe to repeat.")),
    request_body = wire::CreateTenant,
    responses(
        (status = 201, description = "The tenant, with an API key", body = wire::NewTenant),
        (status = 409, description = "A tenant has this slug, or had it", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    body: Body<CreateTenant>,
) -> Result<(StatusCode, Json<wire::NewTenant>), Problem> {
    super::check_version(&app, body.content.hmac_key_version)?;
    let order = caller.order(&app, &body.canonical);
    let created = tenants::create(&app, order, body.content).await?;
    let answer = wire::NewTenant {
        tenant: super::wire(created.id, created.state),
        api_key: created.key.secret,
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

impl FromFields for CreateTenant {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let name = fields.name("name", super::NAME);
        let slug = fields.required("slug");
        let hmac_key_version = super::version(fields).flatten();
        let config_overrides = super::overrides(fields).unwrap_or_default();
        Some(Self {
            name: name?,
            slug: slug?,
            hmac_key_version,
            config_overrides,
        })
    }
}

impl Field for TenantSlug {
    fn read(value: Value) -> Result<Self, String> {
        Self::parse(&String::read(value)?).map_err(|error| error.to_string())
    }
}
