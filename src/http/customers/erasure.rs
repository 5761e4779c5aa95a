//! `GET /customers/{customer_id}/erasure`

use axum::Json;
use axum::extract::State;
use vinzy_client::customers as wire;
use vinzy_events::CustomerId;

use crate::app::App;
use crate::commands::erasure::{self, Certificate};
use crate::http::caller::Caller;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::query::PathId;

/// Get the certificate of a customer's erasure.
///
/// The event is the same each time; the checkpoint is one of now, and covers it. Deleted customers keep theirs.
#[utoipa::path(
    get, path = "/customers/{customer_id}/erasure", tag = "Customers", operation_id = "getCustomerErasure",
    params(("customer_id" = String, Path, format = "uuid")),
    responses(
        (status = 200, description = "The certificate", body = wire::ErasureCertificate),
        (status = 409, description = "The ledger does not continue its last checkpoint", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<CustomerId>,
) -> Result<Json<wire::ErasureCertificate>, Problem> {
    let certificate = certified(&app, &caller.ledger_id, id).await?;
    Ok(Json(certificate.ok_or_else(not_erased)?))
}

pub(super) async fn certified(
    app: &App,
    ledger_id: &str,
    id: CustomerId,
) -> Result<Option<wire::ErasureCertificate>, Problem> {
    let certificate = erasure::certificate(&app.ledgers, &app.signer, ledger_id, id).await?;
    Ok(certificate.map(wire))
}

/// A certificate as clients see it.
pub fn wire(certificate: Certificate) -> wire::ErasureCertificate {
    let erased = certificate.erased;
    wire::ErasureCertificate {
        customer_id: certificate.customer_id.to_string(),
        ledger: certificate.origin,
        event_id: certificate.event_id.to_string(),
        position: certificate.position,
        event_hash: certificate.event_hash.to_string(),
        erased_at: erased.erased_at.to_string(),
        destroyed_keys: erased.destroyed_keys,
        sealed_values: erased.sealed_values,
        reason: erased.reason,
        event: certificate.leaf,
        checkpoint: certificate.checkpoint,
    }
}

pub(super) fn not_erased() -> Problem {
    Problem::not_found("ERASURE_NOT_FOUND", "The customer was not erased")
}
