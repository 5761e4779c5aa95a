//! `DELETE /products/{product_id}`

use axum::extract::State;
use axum::http::StatusCode;
use vinzy_events::ProductId;

use crate::app::App;
use crate::commands::products;
use crate::http::caller::Caller;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::query::PathId;

/// Delete a product.
///
/// Refused while licenses of it exist. Its code becomes free; its history stays in the ledger.
#[utoipa::path(
    delete, path = "/products/{product_id}", tag = "Products", operation_id = "deleteProduct",
    params(("product_id" = String, Path, format = "uuid")),
    responses(
        (status = 204, description = "It is deleted"),
        (status = 409, description = "Licenses use it", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<ProductId>,
) -> Result<StatusCode, Problem> {
    products::delete(&app, caller.order(&app, b""), id).await?;
    Ok(StatusCode::NO_CONTENT)
}
