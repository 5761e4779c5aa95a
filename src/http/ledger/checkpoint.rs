//! `GET /t/{tenant}/checkpoint`

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use super::ReadableLedger;
use crate::app::App;
use crate::audit;
use crate::http::problem::{Problem, ProblemBody};

/// Get a signed checkpoint of a tenant's ledger.
///
/// As tlog-checkpoint (C2SP) has it: to be kept, and compared with later ones. Open to everyone if the tenant's
/// `ledger_public` says so, else to its own API keys.
#[utoipa::path(
    get, path = "/t/{tenant}/checkpoint", tag = "Audit", operation_id = "getCheckpoint",
    params(("tenant" = String, Path, description = "The tenant's slug, or `default`.")),
    responses(
        (status = 200, description = "The checkpoint, a signed note", body = String, content_type = "text/plain; charset=utf-8"),
        (status = 409, description = "The ledger does not continue its last checkpoint", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn handle(ledger: ReadableLedger, State(app): State<App>) -> Result<impl IntoResponse, Problem> {
    let checkpoint = audit::sign_checkpoint(&app, &ledger.ledger_id).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], checkpoint))
}
