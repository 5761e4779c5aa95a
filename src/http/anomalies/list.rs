//! `GET /anomalies`

use axum::extract::{OriginalUri, State};
use vinzy_client::anomalies as wire;
use vinzy_events::LicenseId;
use vinzy_projections::anomalies;

use crate::app::App;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::{Listed, Query};

/// List anomalies, newest first.
#[utoipa::path(
    get, path = "/anomalies", tag = "Anomalies", operation_id = "listAnomalies",
    params(
        ("license_id" = Option<String>, Query, format = "uuid", description = "Only under this license."),
        ("severity" = Option<String>, Query, pattern = "^(medium|high|critical)?$", description = "`medium`, `high` or `critical`."),
        ("metric" = Option<String>, Query, description = "Only of this metric."),
        ("resolved" = Option<bool>, Query, description = "Only those that somebody has dealt with, or nobody."),
        ("page" = Option<u64>, Query, minimum = 1, maximum = 4_294_967_295_i64, description = "Number of the page, from 1."),
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100; 20 if left out."),
        ("after" = Option<i64>, Query, minimum = 0, description = "The cursor from `Link`; goes before `page`."),
    ),
    responses((status = 200, description = "Anomalies, with `X-Total-Count` and `Link`", body = [wire::Anomaly]))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    uri: OriginalUri,
    mut query: Query,
) -> Result<Listed<wire::Anomaly>, Problem> {
    let mut filter = super::filter(&mut query);
    filter.license_id = query.parse("license_id", "must be a UUID", |text| {
        text.parse::<LicenseId>().ok()
    });
    let request = query.page();
    query.finish()?;
    let rows = super::in_step(&app, &caller.ledger_id).await?;
    let page = anomalies::list(rows, &caller.ledger_id, &filter, request).await?;
    Ok(Listed::new(&uri, page, |row| super::wire(row.state)))
}
