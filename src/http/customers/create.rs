//! `POST /customers`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use vinzy_client::customers as wire;
use vinzy_events::customer::EmailAddress;

use crate::app::App;
use crate::commands::customers;
use crate::http::body::{Body, Fields, FromFields};
use crate::http::caller::Caller;
use crate::http::problem::{Problem, ProblemBody};
use crate::personal_data::store::PersonalData;

/// A new customer with the address that identifies them.
pub struct NewCustomer {
    email: EmailAddress,
    data: PersonalData,
}

/// Create a customer.
///
/// Name, address, company and metadata are encrypted with a key of the customer's own and never stand in
/// the ledger itself.
#[utoipa::path(
    post, path = "/customers", tag = "Customers", operation_id = "createCustomer",
    request_body = wire::CreateCustomer,
    params(("Idempotency-Key" = Option<String>, Header, max_length = 255, pattern = "^[!-~]([\\t -~]*[!-~])?$", description = "Makes the request safe to repeat.")),
    responses(
        (status = 201, description = "The customer", body = wire::Customer),
        (status = 409, description = "The address belongs to another customer", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    body: Body<NewCustomer>,
) -> Result<(StatusCode, Json<wire::Customer>), Problem> {
    let order = caller.order(&app, &body.canonical);
    let NewCustomer { email, data } = body.content;
    let customer = customers::create(&app, order, data, &email).await?;
    Ok((StatusCode::CREATED, Json(super::named(customer))))
}

impl FromFields for NewCustomer {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let name = fields.text("name", super::NAME);
        let email: Option<EmailAddress> = fields.required("email");
        let company = fields
            .optional_text("company", super::COMPANY)
            .unwrap_or_default();
        let metadata = fields.optional("metadata").unwrap_or_default();
        let email = email?;
        let data = PersonalData {
            name: name?,
            email: email.as_str().to_owned(),
            company,
            metadata,
        };
        Some(Self { email, data })
    }
}
