//! `GET /t/{tenant}/vkey`

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use super::ReadableLedger;
use crate::app::App;
use crate::audit;
use crate::http::problem::{Problem, ProblemBody};

/// Get the key that the checkpoints of a tenant's ledger verify with.
///
/// As signed-note (C2SP) writes it, `origin+key id+key`, and a line feed. Whoever does not trust the server compares it
/// with what they were told elsewhere. Of a ledger that was handed over to another key it is the newest; the ledger's
/// events lead there from the first.
#[utoipa::path(
    get, path = "/t/{tenant}/vkey", tag = "Audit", operation_id = "getVerifierKey",
    params(("tenant" = String, Path, description = "The tenant's slug, or `default`.")),
    responses(
        (status = 200, description = "The verifier key", body = String, content_type = "text/plain; charset=utf-8"),
        (status = 404, description = "There is no such ledger", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn handle(ledger: ReadableLedger, State(app): State<App>) -> Result<impl IntoResponse, Problem> {
    let key = audit::verifier_key(&app, &ledger.ledger_id).await?;
    let key = key.ok_or_else(super::not_found)?;
    Ok((
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
        format!("{key}\n"),
    ))
}
