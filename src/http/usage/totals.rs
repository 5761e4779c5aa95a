//! `GET /usage/{license_id}`

use std::collections::{BTreeMap, HashMap};

use axum::extract::{OriginalUri, State};
use vinzy_client::usage as wire;
use vinzy_events::entitlement::{UsageLimit, base_features, usage_limits};
use vinzy_events::meter::{LimitStanding, tightest};
use vinzy_events::product::ProductState;
use vinzy_events::{Decimal, LicenseId, Period, Timestamp};
use vinzy_projections::usage::{self, UsageTotal};
use vinzy_projections::{Page, PageRequest, Start};

use super::amount;
use crate::app::App;
use crate::as_of::Used;
use crate::commands::licenses;
use crate::http::as_of::{self, AsOf};
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::{Listed, PathId, Query};

/// List what a license has used, sorted by metric.
///
/// Totals are for ever; where a limit is for a period, `used` and `remaining` are those of the current one. With `at`,
/// everything is as it was then, counted again from the ledger.
#[utoipa::path(
    get, path = "/usage/{license_id}", tag = "Usage", operation_id = "listUsage",
    params(
        ("license_id" = String, Path, format = "uuid"),
        ("page" = Option<u64>, Query, minimum = 1, maximum = 4_294_967_295_i64, description = "Number of the page, from 1."),
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 100, description = "1 to 100; 20 if left out."),
        ("after" = Option<String>, Query, description = "The cursor from `Link`: the last metric before; goes before `page`."),
        ("at" = Option<String>, Query, pattern = "^([0-9]+|[0-9]{4}-[0-9]{2}-[0-9]{2}T.+)?$", description = "An earlier moment: a position in the ledger, after whose event it is, or a time."),
    ),
    responses((status = 200, description = "Totals, with `X-Total-Count` and `Link`", body = [wire::UsageTotal]))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<LicenseId>,
    uri: OriginalUri,
    mut query: Query,
) -> Result<AsOf<Listed<wire::UsageTotal>>, Problem> {
    let request = query.page_by(|metric| Some(metric.to_owned()));
    let ledger_id = &caller.ledger_id;
    let moment = as_of::moment(query, &app, ledger_id).await?;
    let (state, product) = licenses::get_with_product_as_of(&app, ledger_id, id, moment).await?;
    let now = moment.map_or_else(|| app.clock.now(), |moment| moment.at);
    let (page, then) = match moment {
        None => {
            let rows = app.in_step(usage::NAME, ledger_id).await?;
            let page = usage::totals(rows, ledger_id, id, &request).await?;
            (page, None)
        }
        Some(moment) => {
            let then = crate::as_of::usage(&app, ledger_id, id, moment).await?;
            (part(&then, &request), Some(then))
        }
    };
    let none = serde_json::Map::new();
    let of_product = product
        .state()
        .map_or(&none, |product: &ProductState| &product.features);
    let base = base_features(&state.features, of_product);
    let limits: HashMap<String, Vec<UsageLimit>> = page
        .rows
        .iter()
        .map(|row| {
            let limits = usage_limits(base, &state.entitlements, &row.metric);
            (row.metric.clone(), limits)
        })
        .collect();
    let in_period = match &then {
        None => in_period(&app, ledger_id, id, &limits, now).await?,
        Some(_) => HashMap::new(),
    };
    let listed = Listed::new(&uri, page, |row| {
        let meter = then.as_ref().and_then(|then| then.get(&row.metric));
        let used = |period: Option<Period>| match (period, meter) {
            (None, _) => row.total.clone(),
            (period, Some(used)) => used.meter.used(period, now),
            (Some(period), None) => in_period
                .get(&(row.metric.clone(), period.start(now)))
                .cloned()
                .unwrap_or_default(),
        };
        let limit = tightest(&limits[&row.metric], used);
        wire(row, limit, now)
    });
    Ok(AsOf::of(moment, listed))
}

/// The part of a list that is asked for.
fn part(then: &BTreeMap<String, Used>, request: &PageRequest<String>) -> Page<UsageTotal, String> {
    let rows = then.values().map(|used| used.total.clone());
    let limit = usize::try_from(request.size)
        .unwrap_or(usize::MAX)
        .saturating_add(1);
    let rows = match &request.start {
        Start::Offset(offset) => rows
            .skip(usize::try_from(*offset).unwrap_or(usize::MAX))
            .take(limit)
            .collect(),
        Start::After(metric) => rows.filter(|row| row.metric > *metric).take(limit).collect(),
    };
    Page::of(rows, request, then.len() as u64, |row: &UsageTotal| {
        row.metric.clone()
    })
}

/// What was used in the current periods of limits.
async fn in_period(
    app: &App,
    ledger_id: &str,
    id: LicenseId,
    limits: &HashMap<String, Vec<UsageLimit>>,
    now: Timestamp,
) -> sqlx::Result<HashMap<(String, Timestamp), Decimal>> {
    let mut wanted = vec![];
    for (metric, limits) in limits {
        let periods = limits.iter().filter_map(|limit| limit.period);
        wanted.extend(periods.map(|period| (metric.clone(), period.start(now))));
    }
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    wanted.sort_unstable();
    wanted.dedup();
    usage::used_since(&app.pool, ledger_id, id, &wanted).await
}

fn wire(row: UsageTotal, limit: Option<LimitStanding>, now: Timestamp) -> wire::UsageTotal {
    let period = limit.as_ref().and_then(|limit| limit.period);
    wire::UsageTotal {
        metric: row.metric,
        total_value: amount(&row.total),
        record_count: row.record_count,
        limit: limit.as_ref().map(|limit| amount(&limit.amount)),
        remaining: limit.as_ref().map(|limit| amount(&limit.remaining)),
        used: limit
            .as_ref()
            .map_or_else(|| amount(&row.total), |limit| amount(&limit.used)),
        period: period.map(|period| period.as_str().to_owned()),
        period_ends_at: period.map(|period| period.end(now).to_string()),
        first_recorded_at: row.first_recorded_at.to_string(),
        last_recorded_at: row.last_recorded_at.to_string(),
    }
}
