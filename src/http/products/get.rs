//! `GET /products/{product_id}`

use axum::Json;
use axum::extract::State;
use vinzy_client::products as wire;
use vinzy_events::ProductId;

use crate::app::App;
use crate::commands::products;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::PathId;

/// Get a product.
#[utoipa::path(
    get, path = "/products/{product_id}", tag = "Products", operation_id = "getProduct",
    params(("product_id" = String, Path, format = "uuid")),
    responses((status = 200, description = "The product", body = wire::Product))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<ProductId>,
) -> Result<Json<wire::Product>, Problem> {
    let state = products::get(&app, &caller.ledger_id, id).await?;
    Ok(Json(super::wire(id, state)))
}
