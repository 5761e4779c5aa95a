//! `PATCH /api-keys/{api_key_id}`

use axum::Json;
use axum::extract::State;
use vinzy_client::access as wire;
use vinzy_events::ApiKeyId;
use vinzy_events::api_key::UpdateApiKey;

use super::Scopes;
use crate::app::App;
use crate::commands::api_keys;
use crate::http::body::{Body, Fields, FromFields};
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::PathId;

/// Change an API key.
///
/// What is left out stays; the secret does. New scopes and a new end hold from the answer on, on every node.
#[utoipa::path(
    patch, path = "/api-keys/{api_key_id}", tag = "API keys", operation_id = "updateApiKey",
    params(("api_key_id" = String, Path, format = "uuid")),
    request_body = wire::UpdateApiKey,
    responses((status = 200, description = "The key as it is now", body = wire::ApiKey))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<ApiKeyId>,
    body: Body<UpdateApiKey>,
) -> Result<Json<wire::ApiKey>, Problem> {
    let ledger_id = caller.ledger_id.clone();
    let order = caller.order(&app, &body.canonical);
    let state = api_keys::update(&app, order, id, body.content).await?;
    let uses = app.access.uses.of(&app.pool, &ledger_id, &[id]).await?;
    Ok(Json(super::wire(
        id,
        state,
        uses.get(&id).copied(),
        app.clock.now(),
    )))
}

impl FromFields for UpdateApiKey {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            name: fields.optional_name("name", super::NAME),
            scopes: fields.optional::<Scopes>("scopes").map(|scopes| scopes.0),
            expires_at: fields.nullable("expires_at"),
        })
    }
}
