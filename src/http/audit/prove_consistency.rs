//! `GET /ledger/proof/consistency`

use axum::Json;
use axum::extract::State;
use vinzy_client::audit as wire;

use super::in_range;
use crate::app::App;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::proofs;

/// Prove that the ledger only grew.
///
/// Whoever has kept a checkpoint of `from` events sees that the ledger of `to` events began just so.
#[utoipa::path(
    get, path = "/ledger/proof/consistency", tag = "Audit", operation_id = "proveConsistency",
    params(
        ("from" = i64, Query, minimum = 1, description = "Number of events of the older tree."),
        ("to" = Option<i64>, Query, minimum = 1, description = "Number of events of the newer tree; that of a signed checkpoint if left out."),
    ),
    responses((status = 200, description = "The proof", body = wire::ConsistencyProof))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    mut query: Query,
) -> Result<Json<wire::ConsistencyProof>, Problem> {
    let must = "must be a whole number of at least 1";
    let from = query.parse("from", must, |text| in_range(text, 1));
    let to = query.parse("to", must, |text| in_range(text, 1));
    query.finish()?;
    let from = from.ok_or_else(|| Problem::field("from", "is missing"))?;
    let proof = proofs::consistency(&app, &caller.ledger_id, from, to).await?;
    Ok(Json(wire::ConsistencyProof {
        from: proof.from,
        to: proof.to,
        from_root: proof.from_root.to_string(),
        to_root: proof.to_root.to_string(),
        hashes: super::hex(&proof.hashes),
        checkpoint: proof.checkpoint,
    }))
}
