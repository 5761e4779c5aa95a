//! `GET /licenses/{license_id}`

use axum::Json;
use axum::extract::State;
use vinzy_client::licenses as wire;
use vinzy_events::LicenseId;

use crate::app::App;
use crate::commands::licenses;
use crate::http::as_of::{self, AsOf};
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::{PathId, Query};

/// Get a license, as it is or as it was.
///
/// With `at`, what the ledger says was true then; `X-Vinzy-As-Of-Position` names the last event that counts, of which
/// there is a receipt. A license that was deleted since is there, too.
#[utoipa::path(
    get, path = "/licenses/{license_id}", tag = "Licenses", operation_id = "getLicense",
    params(
        ("license_id" = String, Path, format = "uuid"),
        ("at" = Option<String>, Query, pattern = "^([0-9]+|[0-9]{4}-[0-9]{2}-[0-9]{2}T.+)?$", description = "An earlier moment: a position in the ledger, after whose event it is, or a time."),
    ),
    responses((status = 200, description = "The license", body = wire::License))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<LicenseId>,
    query: Query,
) -> Result<AsOf<Json<wire::License>>, Problem> {
    let ledger_id = &caller.ledger_id;
    let moment = as_of::moment(query, &app, ledger_id).await?;
    let license = licenses::get_as_of(&app, ledger_id, id, moment).await?;
    let at = moment.map_or_else(|| app.clock.now(), |moment| moment.at);
    Ok(AsOf::new(moment, super::wire(id, &license, at)?))
}
