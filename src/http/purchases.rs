//! `GET /purchases`

use axum::extract::{OriginalUri, State};
use vinzy_client::provisioning as wire;
use vinzy_events::purchase::{Provider, PurchaseStatus};
use vinzy_projections::purchases::{self, Filter, PurchaseRow};

use super::caller::Caller;
use super::problem::Problem;
use super::query::{Listed, Query};
use crate::app::App;

/// List purchases with their licenses, oldest first.
#[utoipa::path(
    get, path = "/purchases", tag = "Purchases", operation_id = "listPurchases",
    params(
        ("provider" = Option<String>, Query, pattern = "^(stripe|polar)?$", description = "`stripe` or `polar`."),
        ("status" = Option<String>, Query, pattern = "^(active|unpaid|ended|refunded)?$", description = "`active`, `unpaid`, `ended` or `refunded`."),
        ("license_id" = Option<String>, Query, format = "uuid", description = "Only the one of this license."),
        ("customer_id" = Option<String>, Query, format = "uuid", description = "Only those of this customer."),
        ("reference" = Option<String>, Query, max_length = 255, description = "Only the one that the provider calls so, or whose checkout or order it does."),
        ("page" = Option<u64>, Query, minimum = 1, maximum = 4_294_967_295_i64, description = "Number of the page, from 1."),
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100; 20 if left out."),
        ("after" = Option<i64>, Query, minimum = 0, description = "The cursor from `Link`; goes before `page`."),
    ),
    responses((status = 200, description = "Purchases, with `X-Total-Count` and `Link`", body = [wire::Purchase]))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    uri: OriginalUri,
    mut query: Query,
) -> Result<Listed<wire::Purchase>, Problem> {
    let filter = Filter {
        provider: query.parse("provider", "must be stripe or polar", Provider::parse),
        status: query.parse(
            "status",
            "must be active, unpaid, ended or refunded",
            PurchaseStatus::parse,
        ),
        license_id: query.parse("license_id", "must be a UUID", |text| text.parse().ok()),
        customer_id: query.parse("customer_id", "must be a UUID", |text| text.parse().ok()),
        reference: query.text("reference"),
    };
    let request = query.page();
    query.finish()?;
    let rows = app.in_step(purchases::NAME, &caller.ledger_id).await?;
    let page = purchases::list(rows, &caller.ledger_id, &filter, request).await?;
    Ok(Listed::new(&uri, page, wire))
}

fn wire(row: PurchaseRow) -> wire::Purchase {
    let status = row.state.status().as_str().to_owned();
    let licensed = row.state.licensed;
    let (license, product) = match &licensed {
        Some(licensed) => (
            (licensed.license_id.to_string(), licensed.customer_id.to_string()),
            (licensed.product_code.to_string(), licensed.tier.clone()),
        ),
        // Lists hold purchases with a license only.
        None => Default::default(),
    };
    wire::Purchase {
        id: row.id.to_string(),
        provider: row.state.provider.as_str().to_owned(),
        reference: row.state.reference,
        license_id: license.0,
        customer_id: license.1,
        product_code: product.0,
        tier: product.1,
        status,
        recurring: licensed.as_ref().is_some_and(|licensed| licensed.recurring),
        paid_until: row.state.paid_until.map(|until| until.to_string()),
        created_at: licensed
            .as_ref()
            .map(|licensed| licensed.completed_at.to_string())
            .unwrap_or_default(),
        checkout: licensed.map(|licensed| licensed.checkout).unwrap_or_default(),
    }
}
