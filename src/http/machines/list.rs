//! `GET /licenses/{license_id}/machines`

use axum::extract::{OriginalUri, State};
use vinzy_client::machines as wire;
use vinzy_events::LicenseId;
use vinzy_projections::machines::{self, MachineRow};

use crate::app::App;
use crate::commands::licenses;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::{Listed, PathId, Query};

/// List the machines of a license, in the order of their activation.
#[utoipa::path(
    get, path = "/licenses/{license_id}/machines", tag = "Machines", operation_id = "listMachines",
    params(
        ("license_id" = String, Path, format = "uuid"),
        ("fingerprint" = Option<String>, Query, description = "Only the machine with this fingerprint."),
        ("page" = Option<u64>, Query, minimum = 1, maximum = 4_294_967_295_i64, description = "Number of the page, from 1."),
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100; 20 if left out."),
        ("after" = Option<i64>, Query, minimum = 0, description = "The cursor from `Link`; goes before `page`."),
    ),
    responses((status = 200, description = "Machines, with `X-Total-Count` and `Link`", body = [wire::Machine]))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<LicenseId>,
    uri: OriginalUri,
    mut query: Query,
) -> Result<Listed<wire::Machine>, Problem> {
    let fingerprint = query.get("fingerprint").map(str::to_owned);
    let request = query.page();
    query.finish()?;
    let ledger_id = &caller.ledger_id;
    licenses::get(&app, ledger_id, id).await?;
    let rows = app.in_step(machines::NAME, ledger_id).await?;
    let page = machines::list(rows, ledger_id, id, fingerprint.as_deref(), request).await?;
    Ok(Listed::new(&uri, page, wire))
}

fn wire(row: MachineRow) -> wire::Machine {
    wire::Machine {
        id: row.id.to_string(),
        license_id: row.license_id.to_string(),
        fingerprint: row.fingerprint,
        hostname: row.hostname,
        platform: row.platform,
        version: row.version,
        metadata: row.metadata,
        activated_at: row.activated_at.to_string(),
        last_heartbeat_at: row.last_heartbeat_at.map(|at| at.to_string()),
    }
}
