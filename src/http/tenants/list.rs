//! `GET /tenants`

use axum::extract::{OriginalUri, State};
use vinzy_client::tenants as wire;
use vinzy_projections::tenants;

use crate::app::App;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::{Listed, Query};

/// List tenants, oldest first.
///
/// Those that were closed are not shown.
#[utoipa::path(
    get, path = "/tenants", tag = "Tenants", operation_id = "listTenants",
    params(
        ("slug" = Option<String>, Query, description = "Only the tenant with this slug."),
        ("page" = Option<u64>, Query, minimum = 1, maximum = 4_294_967_295_i64, description = "Number of the page, from 1."),
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100; 20 if left out."),
        ("after" = Option<i64>, Query, minimum = 0, description = "The cursor from `Link`; goes before `page`."),
    ),
    responses((status = 200, description = "Tenants, with `X-Total-Count` and `Link`", body = [wire::Tenant]))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    uri: OriginalUri,
    mut query: Query,
) -> Result<Listed<wire::Tenant>, Problem> {
    let slug = query.get("slug").map(str::to_owned);
    let request = query.page();
    query.finish()?;
    let rows = app.in_step(tenants::NAME, &caller.ledger_id).await?;
    let page = tenants::list(rows, &caller.ledger_id, slug.as_deref(), request).await?;
    Ok(Listed::new(&uri, page, |row| super::wire(row.id, row.state)))
}
