//! `POST /webhooks/{endpoint_id}/replay`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;
use vinzy_client::webhooks as wire;
use vinzy_events::{EndpointId, Timestamp};

use crate::app::App;
use crate::commands::endpoints;
use crate::http::body::{Body, Field, Fields, FromFields};
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::{Identified, PathId};
use crate::webhooks::actions::{self, From as Beginning};

/// From where history is sent.
pub struct Replay(Beginning);

/// Send a webhook endpoint what happened from a position or a time on.
///
/// All events that it is subscribed to now: those that it has had, with the same `webhook-id`, those that it never had,
/// and those from before it was set up. What waits already is sent once. One request asks for about 100,000 deliveries;
/// `next_position` says from where to go on.
#[utoipa::path(
    post, path = "/webhooks/{endpoint_id}/replay", tag = "Webhooks", operation_id = "replayWebhook",
    params(("endpoint_id" = String, Path, format = "uuid")),
    request_body = wire::ReplayWebhook,
    responses((status = 202, description = "What is on its way", body = wire::WebhookReplay))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<EndpointId>,
    body: Body<Replay>,
) -> Result<(StatusCode, Json<wire::WebhookReplay>), Problem> {
    let Replay(from) = body.content;
    let ledger_id = &caller.ledger_id;
    let state = endpoints::get(&app, ledger_id, id).await?;
    let replayed = actions::replay(&app.pool, ledger_id, (id, &state), from, app.clock.now())
        .await?
        .ok_or_else(EndpointId::not_found)?;
    app.webhooks.wake.notify_one();
    let answer = wire::WebhookReplay {
        deliveries: replayed.deliveries,
        next_position: replayed.next_position,
    };
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

impl FromFields for Replay {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let position = fields.optional::<Position>("from_position");
        let since = fields.optional::<Timestamp>("since");
        match (position, since) {
            (Some(Position(position)), None) => Some(Self(Beginning::Position(position))),
            (None, Some(since)) => Some(Self(Beginning::Time(since))),
            (Some(_), Some(_)) => fields.refuse("since", "cannot be given together with from_position"),
            (None, None) => fields.refuse("from_position", "or since is required"),
        }
    }
}

/// A position in a ledger.
struct Position(u64);

impl Field for Position {
    fn read(value: Value) -> Result<Self, String> {
        let position = value.as_u64().filter(|position| i64::try_from(*position).is_ok());
        position
            .map(Self)
            .ok_or_else(|| "must be a whole number of at least 0".into())
    }
}
