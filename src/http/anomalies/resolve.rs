//! `POST /anomalies/{anomaly_id}/resolve`

use axum::Json;
use axum::extract::State;
use vinzy_client::anomalies as wire;
use vinzy_events::AnomalyId;
use vinzy_projections::anomalies::license_of;

use crate::app::App;
use crate::commands::anomalies;
use crate::http::body::{Fields, FromFields, OptionalBody};
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::{Identified, PathId};

/// Characters of a name.
const NAME: std::ops::RangeInclusive<usize> = 1..=255;

/// Who has dealt with it.
pub struct Resolution(Option<String>);

/// Note that somebody has dealt with an anomaly.
///
/// One that somebody has dealt with already stays as it is. The body may be left out.
#[utoipa::path(
    post, path = "/anomalies/{anomaly_id}/resolve", tag = "Anomalies", operation_id = "resolveAnomaly",
    params(("anomaly_id" = String, Path, format = "uuid")),
    request_body = Option<wire::ResolveAnomaly>,
    responses((status = 200, description = "The anomaly as it is now", body = wire::Anomaly))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<AnomalyId>,
    OptionalBody(body): OptionalBody<Resolution>,
) -> Result<Json<wire::Anomaly>, Problem> {
    let rows = super::in_step(&app, &caller.ledger_id).await?;
    let license_id = license_of(rows, &caller.ledger_id, id)
        .await?
        .ok_or_else(AnomalyId::not_found)?;
    let resolved_by = body.content.0.unwrap_or_else(|| caller.actor.id.clone());
    let order = caller.order(&app, &body.canonical);
    let state = anomalies::resolve(&app, order, license_id, id, resolved_by).await?;
    Ok(Json(super::wire(state)))
}

impl FromFields for Resolution {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self(fields.optional_text("resolved_by", NAME)))
    }
}
