//! `POST /customers/{customer_id}/erase`

use std::ops::RangeInclusive;

use axum::Json;
use axum::extract::State;
use vinzy_client::customers as wire;
use vinzy_events::CustomerId;

use super::erasure::{certified, not_erased};
use crate::app::App;
use crate::commands::erasure;
use crate::http::body::{Fields, FromFields, OptionalBody};
use crate::http::caller::Caller;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::query::PathId;

/// Characters of a reason.
const REASON: RangeInclusive<usize> = 0..=500;

/// Why, in the vendor's words.
pub struct Reason(Option<String>);

/// Erase the personal data of a customer, for good.
///
/// Destroys the key and the ciphertext of name, address, company and metadata, also of a deleted customer; the
/// ledger keeps that it was done, and still verifies. Their licenses stay, and their address becomes free. The
/// answer is a certificate. Erasing again changes nothing and gives the certificate again. The body may be left
/// out; the reason stays in the ledger, so it should name no person.
#[utoipa::path(
    post, path = "/customers/{customer_id}/erase", tag = "Customers", operation_id = "eraseCustomer",
    params(("customer_id" = String, Path, format = "uuid")),
    request_body = Option<wire::EraseCustomer>,
    responses(
        (status = 200, description = "The certificate", body = wire::ErasureCertificate),
        (status = 409, description = "They are erased, but the ledger does not continue its last checkpoint, so there is no certificate", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<CustomerId>,
    OptionalBody(body): OptionalBody<Reason>,
) -> Result<Json<wire::ErasureCertificate>, Problem> {
    let ledger_id = caller.ledger_id.clone();
    let order = caller.order(&app, &body.canonical);
    erasure::erase(&app, order, id, body.content.0).await?;
    let certificate = certified(&app, &ledger_id, id).await?;
    Ok(Json(certificate.ok_or_else(not_erased)?))
}

impl FromFields for Reason {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self(fields.optional_text("reason", REASON)))
    }
}
