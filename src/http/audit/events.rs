//! `GET /ledger/events`

use axum::Json;
use axum::extract::State;
use vinzy_client::audit as wire;

use super::{POSITION, in_range};
use crate::app::App;
use crate::event_feed::Filter;
use crate::explorer::{self, Question};
use crate::http::caller::Caller;
use crate::http::events::list::unfiltered;
use crate::http::problem::Problem;
use crate::http::query::Query;

/// Events of an answer when nothing is said, and at most.
const DEFAULT_LIMIT: u32 = 20;
const MAX_LIMIT: u32 = 100;

/// List the ledger's events, newest first.
///
/// One request looks at 20,000 events at most, in the ledger or, with `stream_id`, in the stream. With `types` that are rare,
/// an answer can therefore hold few events or none and still have a `next_before`, with which to go on. Other systems
/// better follow `GET /events`.
#[utoipa::path(
    get, path = "/ledger/events", tag = "Audit", operation_id = "listLedgerEvents",
    params(
        ("before" = Option<i64>, Query, minimum = 0, description = "Only events before this position; from the newest on if left out."),
        ("types" = Option<String>, Query, description = "Only these types, separated by commas, e.g. `license.*,usage.recorded`; `*` is all."),
        ("stream_id" = Option<String>, Query, description = "Only events of the stream with this id: that of a license, say, or `{license_id}/{metric}` for a meter."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100; 20 if left out."),
    ),
    responses((status = 200, description = "Events", body = wire::LedgerEventPage))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    mut query: Query,
) -> Result<Json<wire::LedgerEventPage>, Problem> {
    let before = query.parse("before", POSITION, |text| in_range(text, 0));
    let limit = query.parse("limit", "must be between 1 and 100", |text| {
        text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit))
    });
    let types = query.get("types").map(str::to_owned);
    let stream_id = query.get("stream_id").map(str::to_owned);
    query.finish()?;
    let question = Question {
        before,
        // Whoever may call this sees everything.
        types: Filter::parse(types.as_deref(), true).map_err(unfiltered)?,
        stream_id,
        limit: limit.unwrap_or(DEFAULT_LIMIT),
    };
    let shown = explorer::events(&app, &caller.ledger_id, &question).await?;
    let events: Result<_, _> = shown.events.iter().map(super::event).collect();
    Ok(Json(wire::LedgerEventPage {
        events: events?,
        size: shown.size,
        next_before: shown.next_before,
    }))
}
