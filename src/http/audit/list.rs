//! `GET /audit/{license_id}`

use axum::extract::{OriginalUri, State};
use vinzy_client::audit as wire;
use vinzy_events::LicenseId;
use vinzy_projections::Page;

use crate::app::App;
use crate::audit;
use crate::commands::licenses;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::{Identified, Listed, PathId, Query};

/// List what happened to a license, newest first.
///
/// Deleted licenses keep their history.
#[utoipa::path(
    get, path = "/audit/{license_id}", tag = "Audit", operation_id = "listAudit",
    params(
        ("license_id" = String, Path, format = "uuid"),
        ("event_type" = Option<String>, Query, description = "Only events of this type, e.g. `license.created`."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "The same as `page_size`."),
        ("page" = Option<u64>, Query, minimum = 1, maximum = 4_294_967_295_i64, description = "Number of the page, from 1."),
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100; 20 if left out."),
        ("after" = Option<i64>, Query, minimum = 0, description = "The cursor from `Link`; goes before `page`."),
    ),
    responses((status = 200, description = "Events, with `X-Total-Count` and `Link`", body = [wire::AuditEntry]))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<LicenseId>,
    uri: OriginalUri,
    mut query: Query,
) -> Result<Listed<wire::AuditEntry>, Problem> {
    let event_type = query.get("event_type").map(str::to_owned);
    let request = query.page();
    query.finish()?;
    if !licenses::exists(&app, &caller.ledger_id, id).await? {
        return Err(LicenseId::not_found());
    }
    let page = audit::history(&app, &caller.ledger_id, id, event_type.as_deref(), request).await?;
    let rows = page
        .rows
        .iter()
        .map(|event| super::entry(id, event))
        .collect::<Result<_, _>>()?;
    let page = Page {
        rows,
        total: page.total,
        next: page.next,
    };
    Ok(Listed::new(&uri, page, |entry| entry))
}
