//! `DELETE /licenses/{license_id}/machines/{machine_id}`

use axum::extract::State;
use axum::http::StatusCode;
use vinzy_events::{LicenseId, MachineId};

use crate::app::App;
use crate::commands::machines;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::PathIds;

/// Take away a machine's seat.
///
/// The seat is free at once. Should the machine ask again, it gets a seat if there is one.
#[utoipa::path(
    delete, path = "/licenses/{license_id}/machines/{machine_id}", tag = "Machines", operation_id = "removeMachine",
    params(("license_id" = String, Path, format = "uuid"), ("machine_id" = String, Path, format = "uuid")),
    responses((status = 204, description = "It has no seat any more"))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathIds(license_id, machine_id): PathIds<LicenseId, MachineId>,
) -> Result<StatusCode, Problem> {
    machines::remove(&app, caller.order(&app, b""), license_id, machine_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
