//! `GET /t/{tenant}/tile/{path}`

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use serde::Deserialize;
use utoipa::ToSchema;
use vinzy_events::ledger::TilePath;

use super::ReadableLedger;
use crate::app::App;
use crate::http::problem::{Problem, ProblemBody};
use crate::proofs;

/// The part of a path that names the tile.
#[derive(Deserialize)]
pub struct OfTile {
    path: String,
}

/// A tile's bytes.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
pub struct Tile(pub Vec<u8>);

/// Get a tile of a tenant's ledger.
///
/// As tlog-tiles (C2SP) has it: `{level}/{index}` for hashes, `entries/{index}` for events, with `.p/{width}` for a tile
/// that is not full; an index of more than three digits is written as `x001/x234/067`. A tile of hashes has 32 bytes
/// each; one of entries has each event's length, in 16 bits and big-endian, and the event. Only what the checkpoint that
/// was signed last covers is there; paths that are not written in the one way are not found either. Full tiles never
/// change.
#[utoipa::path(
    get, path = "/t/{tenant}/tile/{*path}", tag = "Audit", operation_id = "getTile",
    params(
        ("tenant" = String, Path, description = "The tenant's slug, or `default`."),
        ("path" = String, Path, description = "What is behind `tile/` in the tile's path, slashes included.",
            pattern = "^(entries|[0-9]|[1-5][0-9]|6[0-3])/(x[0-9]{3}/)*[0-9]{3}(\\.p/[1-9][0-9]{0,2})?$"),
    ),
    responses(
        (status = 200, description = "The tile", body = Tile, content_type = "application/octet-stream"),
        (status = 404, description = "The ledger has no such tile, or no such tile yet", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn handle(
    ledger: ReadableLedger,
    State(app): State<App>,
    Path(OfTile { path }): Path<OfTile>,
) -> Result<impl IntoResponse, Problem> {
    let path: TilePath = format!("tile/{path}").parse().map_err(|_| not_found())?;
    let tile = proofs::tile(&app, &ledger.ledger_id, path).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CACHE_CONTROL, cache_control(path, ledger.public)),
    ];
    Ok((headers, tile.ok_or_else(not_found)?))
}

/// A tile that is not full does not change either, but soon nobody wants it any more.
fn cache_control(path: TilePath, public: bool) -> &'static str {
    match (public, path.is_full()) {
        (true, true) => "public, max-age=31536000, immutable",
        (true, false) => "public, max-age=60",
        (false, true) => "private, max-age=31536000, immutable",
        (false, false) => "private, max-age=60",
    }
}

fn not_found() -> Problem {
    Problem::not_found("TILE_NOT_FOUND", "Tile not found")
}
