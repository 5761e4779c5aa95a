//! `GET /api-keys`

use axum::extract::{OriginalUri, State};
use vinzy_client::access as wire;
use vinzy_projections::api_keys;

use crate::app::App;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::{Listed, Query};

/// List the tenant's API keys, oldest first.
///
/// Those that were revoked are not shown.
#[utoipa::path(
    get, path = "/api-keys", tag = "API keys", operation_id = "listApiKeys",
    params(
        ("page" = Option<u64>, Query, minimum = 1, maximum = 4_294_967_295_i64, description = "Number of the page, from 1."),
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100; 20 if left out."),
        ("after" = Option<i64>, Query, minimum = 0, description = "The cursor from `Link`; goes before `page`."),
    ),
    responses((status = 200, description = "API keys, with `X-Total-Count` and `Link`", body = [wire::ApiKey]))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    uri: OriginalUri,
    mut query: Query,
) -> Result<Listed<wire::ApiKey>, Problem> {
    let request = query.page();
    query.finish()?;
    let rows = app.in_step(api_keys::NAME, &caller.ledger_id).await?;
    let page = api_keys::list(rows, &caller.ledger_id, request).await?;
    let ids: Vec<_> = page.rows.iter().map(|row| row.id).collect();
    let uses = app.access.uses.of(&app.pool, &caller.ledger_id, &ids).await?;
    let now = app.clock.now();
    Ok(Listed::new(&uri, page, |row| {
        super::wire(row.id, row.state, uses.get(&row.id).copied(), now)
    }))
}
