//! `GET /webhooks`

use axum::extract::{OriginalUri, State};
use vinzy_client::webhooks as wire;
use vinzy_projections::endpoints;

use crate::app::App;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::{Listed, Query};

/// List webhook endpoints, oldest first.
#[utoipa::path(
    get, path = "/webhooks", tag = "Webhooks", operation_id = "listWebhooks",
    params(
        ("page" = Option<u64>, Query, minimum = 1, maximum = 4_294_967_295_i64, description = "Number of the page, from 1."),
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100; 20 if left out."),
        ("after" = Option<i64>, Query, minimum = 0, description = "The cursor from `Link`; goes before `page`."),
    ),
    responses((status = 200, description = "Endpoints, with `X-Total-Count` and `Link`", body = [wire::Webhook]))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    uri: OriginalUri,
    mut query: Query,
) -> Result<Listed<wire::Webhook>, Problem> {
    let request = query.page();
    query.finish()?;
    let rows = app.in_step(endpoints::NAME, &caller.ledger_id).await?;
    let page = endpoints::list(rows, &caller.ledger_id, request).await?;
    let now = app.clock.now();
    Ok(Listed::new(&uri, page, |row| super::wire(row.id, row.state, now)))
}
