//! `GET /licenses`

use axum::extract::{OriginalUri, State};
use vinzy_client::licenses as wire;
use vinzy_projections::licenses;

use super::filter;
use crate::app::App;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::{Listed, Query};

/// List licenses, oldest first unless told otherwise.
///
/// A license is listed if all filters let it through. Whatever the order, a page after a cursor neither skips nor repeats
/// licenses that stay where they are.
#[utoipa::path(
    get, path = "/licenses", tag = "Licenses", operation_id = "listLicenses",
    params(
        ("status" = Option<String>, Query, pattern = "^(active|suspended|revoked|expired)?$", description = "`active`, `suspended`, `revoked` or `expired`, as of now."),
        ("product_code" = Option<String>, Query, description = "Only licenses of this product."),
        ("customer_id" = Option<String>, Query, format = "uuid", description = "Only licenses of this customer."),
        ("tier" = Option<String>, Query, description = "Only licenses of this tier."),
        ("q" = Option<String>, Query, max_length = 36, description = "Only the license with this id, or those whose ids begin so."),
        ("key_digest" = Option<String>, Query, pattern = "^([0-9a-f]{64})?$", description = "Only the license with this key: its SHA-256, in lower case, because a key must not stand in an address."),
        ("expires_after" = Option<String>, Query, format = "date-time", description = "Only licenses that end after this time."),
        ("expires_before" = Option<String>, Query, format = "date-time", description = "Only licenses that end before this time."),
        ("sort" = Option<String>, Query, pattern = "^(-?(created|expires_at))?$", description = "`created`, which goes without saying, `-created`, `expires_at` (what never ends comes last) or `-expires_at`."),
        ("page" = Option<u64>, Query, minimum = 1, maximum = 4_294_967_295_i64, description = "Number of the page, from 1."),
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100; 20 if left out."),
        ("after" = Option<String>, Query, pattern = "^([0-9]{1,18}|([0-9]{1,18}|never)[.][0-9]{1,18})?$", description = "The cursor from `Link`, for the same `sort`; goes before `page`."),
    ),
    responses((status = 200, description = "Licenses, with `X-Total-Count` and `Link`", body = [wire::License]))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    uri: OriginalUri,
    mut query: Query,
) -> Result<Listed<wire::License>, Problem> {
    let (filter, sort) = filter::read(&mut query);
    let request = query.page_by(|text| sort.cursor(text));
    query.finish()?;
    let rows = app.in_step(licenses::NAME, &caller.ledger_id).await?;
    let now = app.clock.now();
    let page = licenses::list(rows, &caller.ledger_id, &filter, now, sort, request).await?;
    Ok(Listed::new(&uri, page, |row| {
        super::row(row.id, row.state, row.machines_used, now)
    }))
}
