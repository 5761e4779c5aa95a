//! `GET /anomalies/{license_id}`

use axum::extract::{OriginalUri, State};
use vinzy_client::anomalies as wire;
use vinzy_events::LicenseId;
use vinzy_projections::anomalies;

use crate::app::App;
use crate::commands::licenses;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::{Identified, Listed, PathId, Query};

/// List the anomalies of a license, newest first.
///
/// Deleted licenses keep theirs.
#[utoipa::path(
    get, path = "/anomalies/{license_id}", tag = "Anomalies", operation_id = "listLicenseAnomalies",
    params(
        ("license_id" = String, Path, format = "uuid"),
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
    PathId(id): PathId<LicenseId>,
    uri: OriginalUri,
    mut query: Query,
) -> Result<Listed<wire::Anomaly>, Problem> {
    let mut filter = super::filter(&mut query);
    filter.license_id = Some(id);
    let request = query.page();
    query.finish()?;
    if !licenses::exists(&app, &caller.ledger_id, id).await? {
        return Err(LicenseId::not_found());
    }
    let rows = super::in_step(&app, &caller.ledger_id).await?;
    let page = anomalies::list(rows, &caller.ledger_id, &filter, request).await?;
    Ok(Listed::new(&uri, page, |row| super::wire(row.state)))
}
