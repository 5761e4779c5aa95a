//! `GET /ledger/events/{position}`

use axum::Json;
use axum::extract::{Path, State};
use vinzy_client::audit as wire;

use super::in_range;
use crate::app::App;
use crate::explorer;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::proofs::ProveError;

/// Get the event at a position of the ledger.
///
/// `GET /ledger/receipt/{position}` has its exact bytes, with the proof that they are in the ledger.
#[utoipa::path(
    get, path = "/ledger/events/{position}", tag = "Audit", operation_id = "getLedgerEvent",
    params(("position" = i64, Path, minimum = 0, description = "The event's position in the ledger, from 0.")),
    responses((status = 200, description = "The event", body = wire::LedgerEvent))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    Path(position): Path<String>,
) -> Result<Json<wire::LedgerEvent>, Problem> {
    let position = in_range(&position, 0).ok_or(ProveError::NoSuchEvent)?;
    let event = explorer::event(&app, &caller.ledger_id, position).await?;
    let event = super::event(&event.ok_or(ProveError::NoSuchEvent)?);
    Ok(Json(event?))
}
