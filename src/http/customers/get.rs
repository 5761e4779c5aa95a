//! `GET /customers/{customer_id}`

use axum::Json;
use axum::extract::State;
use vinzy_client::customers as wire;
use vinzy_events::CustomerId;

use crate::app::App;
use crate::commands::customers;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::PathId;

/// Get a customer.
#[utoipa::path(
    get, path = "/customers/{customer_id}", tag = "Customers", operation_id = "getCustomer",
    params(("customer_id" = String, Path, format = "uuid")),
    responses((status = 200, description = "The customer", body = wire::Customer))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<CustomerId>,
) -> Result<Json<wire::Customer>, Problem> {
    let customer = customers::get(&app, &caller.ledger_id, id).await?;
    Ok(Json(super::named(customer)))
}
