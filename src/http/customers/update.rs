//! `PATCH /customers/{customer_id}`

use axum::Json;
use axum::extract::State;
use vinzy_client::customers as wire;
use vinzy_events::CustomerId;

use crate::app::App;
use crate::commands::customers::{self, Changes};
use crate::http::body::{Body, Fields, FromFields};
use crate::http::caller::Caller;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::query::PathId;

/// Change a customer.
///
/// What is left out stays.
#[utoipa::path(
    patch, path = "/customers/{customer_id}", tag = "Customers", operation_id = "updateCustomer",
    params(("customer_id" = String, Path, format = "uuid")),
    request_body = wire::UpdateCustomer,
    responses(
        (status = 200, description = "The customer as they are now", body = wire::Customer),
        (status = 409, description = "The address belongs to another customer, or this one was erased", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<CustomerId>,
    body: Body<Changes>,
) -> Result<Json<wire::Customer>, Problem> {
    let order = caller.order(&app, &body.canonical);
    let customer = customers::update(&app, order, id, body.content).await?;
    Ok(Json(super::named(customer)))
}

impl FromFields for Changes {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            name: fields.optional_text("name", super::NAME),
            email: fields.optional("email"),
            company: fields.optional_text("company", super::COMPANY),
            metadata: fields.optional("metadata"),
        })
    }
}
