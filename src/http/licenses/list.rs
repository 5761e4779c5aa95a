//! `GET /licenses`

use axum::extract::{OriginalUri, State};
use vinzy_client::licenses as wire;
use vinzy_events::license::LicenseStatus;
use vinzy_projections::licenses::{self, Filter};

use crate::app::App;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::{Listed, Query};

/// List licenses, oldest first.
#[utoipa::path(
    get, path = "/licenses", tag = "Licenses", operation_id = "listLicenses",
    params(
        ("status" = Option<String>, Query, pattern = "^(active|suspended|revoked|expired)?$", description = "`active`, `suspended`, `revoked` or `expired`, as of now."),
        ("product_code" = Option<String>, Query, description = "Only licenses of this product."),
        ("customer_id" = Option<String>, Query, format = "uuid", description = "Only licenses of this customer."),
        ("tier" = Option<String>, Query, description = "Only licenses of this tier."),
        ("page" = Option<u64>, Query, minimum = 1, maximum = 4_294_967_295_i64, description = "Number of the page, from 1."),
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100; 20 if left out."),
        ("after" = Option<i64>, Query, minimum = 0, description = "The cursor from `Link`; goes before `page`."),
    ),
    responses((status = 200, description = "Licenses, with `X-Total-Count` and `Link`", body = [wire::License]))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    uri: OriginalUri,
    mut query: Query,
) -> Result<Listed<wire::License>, Problem> {
    let filter = Filter {
        status: query.parse("status", "must be active, suspended, revoked or expired", status),
        product_code: query.get("product_code").map(str::to_owned),
        customer_id: query.parse("customer_id", "must be a UUID", |text| text.parse().ok()),
        tier: query.get("tier").map(str::to_owned),
    };
    let request = query.page();
    query.finish()?;
    app.in_step(licenses::NAME, &caller.ledger_id).await?;
    let now = app.clock.now();
    let page = licenses::list(&app.pool, &caller.ledger_id, &filter, now, request).await?;
    Ok(Listed::new(&uri, page, |row| {
        super::row(row.id, row.state, row.machines_used, now)
    }))
}

fn status(text: &str) -> Option<LicenseStatus> {
    [
        LicenseStatus::Active,
        LicenseStatus::Suspended,
        LicenseStatus::Revoked,
        LicenseStatus::Expired,
    ]
    .into_iter()
    .find(|status| status.as_str() == text)
}
