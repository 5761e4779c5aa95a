//! `GET /ledger/proof/inclusion`

use axum::Json;
use axum::extract::State;
use vinzy_client::audit as wire;

use super::{POSITION, in_range};
use crate::app::App;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::proofs;

/// Prove that an event stands in the ledger.
///
/// The event is named by its id or by its position. Without `size` the proof leads to a signed checkpoint, which the
/// answer holds.
#[utoipa::path(
    get, path = "/ledger/proof/inclusion", tag = "Audit", operation_id = "proveInclusion",
    params(
        ("event_id" = Option<String>, Query, format = "uuid", description = "The event; or name its `position`."),
        ("position" = Option<i64>, Query, minimum = 0, description = "The event's position; or name its `event_id`."),
        ("size" = Option<i64>, Query, minimum = 1, description = "Number of events of the tree; that of a signed checkpoint if left out."),
    ),
    responses((status = 200, description = "The proof", body = wire::InclusionProof))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    mut query: Query,
) -> Result<Json<wire::InclusionProof>, Problem> {
    let event_id = query.parse("event_id", "must be a UUID", |text| text.parse().ok());
    let position = query.parse("position", POSITION, |text| in_range(text, 0));
    let size = query.parse("size", "must be a whole number of at least 1", |text| {
        in_range(text, 1)
    });
    query.finish()?;
    let position = match (event_id, position) {
        (Some(event_id), None) => proofs::position_of(&app, &caller.ledger_id, event_id).await?,
        (None, Some(position)) => position,
        _ => {
            return Err(Problem::field(
                "position",
                "or event_id must be given, and not both",
            ));
        }
    };
    let proof = proofs::inclusion(&app, &caller.ledger_id, position, size).await?;
    Ok(Json(wire::InclusionProof {
        position: proof.position,
        event_hash: proof.event_hash.to_string(),
        size: proof.size,
        root: proof.root.to_string(),
        hashes: super::hex(&proof.hashes),
        checkpoint: proof.checkpoint,
    }))
}
