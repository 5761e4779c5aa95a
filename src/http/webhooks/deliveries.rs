//! `GET /webhooks/{endpoint_id}/deliveries`

use axum::extract::{OriginalUri, State};
use uuid::Uuid;
use vinzy_client::webhooks as wire;
use vinzy_events::{EndpointId, Timestamp};

use crate::app::App;
use crate::commands::endpoints;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::{Listed, PathId, Query};
use crate::processes::webhook_outbox;
use crate::webhooks::deliveries::{self, DeliveryStatus, Filter};

/// List the deliveries to a webhook endpoint, newest event first.
///
/// What is finished is kept for `VINZY_WEBHOOK_RETENTION_DAYS`.
#[utoipa::path(
    get, path = "/webhooks/{endpoint_id}/deliveries", tag = "Webhooks", operation_id = "listWebhookDeliveries",
    params(
        ("endpoint_id" = String, Path, format = "uuid"),
        ("status" = Option<String>, Query, pattern = "^(pending|sending|success|failed)?$", description = "`pending`, `sending`, `success` or `failed`."),
        ("event_type" = Option<String>, Query, description = "Only of events of this type, e.g. `license.created`."),
        ("since" = Option<String>, Query, format = "date-time", description = "Only of events recorded then or later."),
        ("until" = Option<String>, Query, format = "date-time", description = "Only of events recorded before."),
        ("page" = Option<u64>, Query, minimum = 1, maximum = 4_294_967_295_i64, description = "Number of the page, from 1."),
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100; 20 if left out."),
        ("after" = Option<String>, Query, format = "uuid", description = "The cursor from `Link`; goes before `page`."),
    ),
    responses((status = 200, description = "Deliveries, with `X-Total-Count` and `Link`", body = [wire::WebhookDelivery]))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<EndpointId>,
    uri: OriginalUri,
    mut query: Query,
) -> Result<Listed<wire::WebhookDelivery>, Problem> {
    let time = |text: &str| text.parse::<Timestamp>().ok();
    let must = "must be an RFC 3339 time such as 2030-01-01T00:00:00Z";
    let filter = Filter {
        status: query.parse(
            "status",
            "must be pending, sending, success or failed",
            DeliveryStatus::parse,
        ),
        event_type: query.get("event_type").map(str::to_owned),
        since: query.parse("since", must, time),
        until: query.parse("until", must, time),
    };
    let request = query.page_by(|text| Uuid::parse_str(text).ok());
    query.finish()?;
    endpoints::get(&app, &caller.ledger_id, id).await?;
    app.in_step(webhook_outbox::NAME, &caller.ledger_id).await?;
    let page = deliveries::list(&app.pool, &caller.ledger_id, id, &filter, request).await?;
    Ok(Listed::new(&uri, page, super::delivery))
}
