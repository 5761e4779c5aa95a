//! `GET /ledger/receipt/{position}`

use axum::Json;
use axum::extract::{Path, State};
use vinzy_client::audit as wire;

use super::in_range;
use crate::app::App;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::proofs::{self, ProveError};

/// Get an event with the proof that a signed checkpoint covers it.
///
/// A file to be kept: `vinzy audit check-receipt`, or a few lines of code, check it without the server.
#[utoipa::path(
    get, path = "/ledger/receipt/{position}", tag = "Audit", operation_id = "getReceipt",
    params(("position" = i64, Path, minimum = 0, description = "The event's position in the ledger, from 0.")),
    responses((status = 200, description = "The receipt", body = wire::Receipt))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    Path(position): Path<String>,
) -> Result<Json<wire::Receipt>, Problem> {
    let position = in_range(&position, 0).ok_or(ProveError::NoSuchEvent)?;
    let receipt = proofs::receipt(&app, &caller.ledger_id, position).await?;
    Ok(Json(receipt))
}
