//! `DELETE /customers/{customer_id}`

use axum::extract::State;
use axum::http::StatusCode;
use vinzy_events::CustomerId;

use crate::app::App;
use crate::commands::customers;
use crate::http::caller::Caller;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::query::PathId;

/// Delete a customer.
///
/// Refused while they have licenses. Their address becomes free; their history stays in the ledger.
#[utoipa::path(
    delete, path = "/customers/{customer_id}", tag = "Customers", operation_id = "deleteCustomer",
    params(("customer_id" = String, Path, format = "uuid")),
    responses(
        (status = 204, description = "They are deleted"),
        (status = 409, description = "They have licenses", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<CustomerId>,
) -> Result<StatusCode, Problem> {
    customers::delete(&app, caller.order(&app, b""), id).await?;
    Ok(StatusCode::NO_CONTENT)
}
