//! `GET /products`

use axum::extract::{OriginalUri, State};
use vinzy_client::products as wire;
use vinzy_projections::products;

use crate::app::App;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::{Listed, Query};

/// List products, oldest first.
#[utoipa::path(
    get, path = "/products", tag = "Products", operation_id = "listProducts",
    params(
        ("code" = Option<String>, Query, description = "Only the product with this code."),
        ("q" = Option<String>, Query, max_length = 255, description = "Only products whose code or name holds this, upper and lower case being the same."),
        ("page" = Option<u64>, Query, minimum = 1, maximum = 4_294_967_295_i64, description = "Number of the page, from 1."),
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100; 20 if left out."),
        ("after" = Option<i64>, Query, minimum = 0, description = "The cursor from `Link`; goes before `page`."),
    ),
    responses((status = 200, description = "Products, with `X-Total-Count` and `Link`", body = [wire::Product]))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    uri: OriginalUri,
    mut query: Query,
) -> Result<Listed<wire::Product>, Problem> {
    let code = query.get("code").map(str::to_owned);
    let text = query.text("q");
    let request = query.page();
    query.finish()?;
    let rows = app.in_step(products::NAME, &caller.ledger_id).await?;
    let ledger_id = &caller.ledger_id;
    let page = products::list(rows, ledger_id, code.as_deref(), text.as_deref(), request).await?;
    Ok(Listed::new(&uri, page, |row| super::wire(row.id, row.state)))
}
