//! `GET /licenses/{license_id}/entitlements`

use std::collections::{BTreeSet, HashMap};

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value};
use vinzy_client::licenses as wire;
use vinzy_events::entitlement::{Entitlement, base_features, limit_period, overage_allowed, resolve};
use vinzy_events::{Decimal, LicenseId, Period, Timestamp};
use vinzy_projections::usage;

use crate::app::App;
use crate::as_of::Moment;
use crate::commands::licenses;
use crate::http::as_of::{self, AsOf};
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::{PathId, Query};
use crate::validation;

/// Explain the entitlements of a license, sorted by name.
///
/// For each: what its base says, which is the license's own features, if it has any, or its product's; what the license
/// overrides; what that amounts to; and how much of it was used, in the current period if its limit is for one. With
/// `at`, everything is as it was then.
#[utoipa::path(
    get, path = "/licenses/{license_id}/entitlements", tag = "Licenses", operation_id = "getLicenseEntitlements",
    params(
        ("license_id" = String, Path, format = "uuid"),
        ("at" = Option<String>, Query, pattern = "^([0-9]+|[0-9]{4}-[0-9]{2}-[0-9]{2}T.+)?$", description = "An earlier moment: a position in the ledger, after whose event it is, or a time."),
    ),
    responses((status = 200, description = "Its entitlements", body = wire::LicenseEntitlements))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<LicenseId>,
    query: Query,
) -> Result<AsOf<Json<wire::LicenseEntitlements>>, Problem> {
    let ledger_id = &caller.ledger_id;
    let moment = as_of::moment(query, &app, ledger_id).await?;
    let (state, product) = licenses::get_with_product_as_of(&app, ledger_id, id, moment).await?;
    let none = Map::new();
    let of_product = product.state().map_or(&none, |product| &product.features);
    let features = Features {
        base: base_features(&state.features, of_product),
        overrides: &state.entitlements,
        at: moment.map_or_else(|| app.clock.now(), |moment| moment.at),
    };
    let used = match moment {
        None => features.used_now(&app, ledger_id, id).await?,
        Some(moment) => features.used_then(&app, ledger_id, id, moment).await?,
    };
    // What was never used counts as nothing, also where an imported record says otherwise, as for applications.
    let number = |feature: &str| Some(used.get(feature).map_or_else(|| 0.into(), Decimal::to_number));
    let entitlements = resolve(features.base, features.overrides, number)?;
    let base = if state.features.is_empty() {
        "product"
    } else {
        "license"
    };
    let answer = wire::LicenseEntitlements {
        base: base.to_owned(),
        entitlements: entitlements
            .into_iter()
            .map(|entitlement| features.explain(entitlement))
            .collect(),
    };
    Ok(AsOf::new(moment, answer))
}

/// What entitlements are made of.
struct Features<'a> {
    base: &'a Map<String, Value>,
    overrides: &'a Map<String, Value>,
    at: Timestamp,
}

impl Features<'_> {
    fn period(&self, feature: &str) -> Option<Period> {
        limit_period(self.base, self.overrides, feature)
    }

    fn names(&self) -> Vec<String> {
        let names: BTreeSet<&String> = self.base.keys().chain(self.overrides.keys()).collect();
        names.into_iter().cloned().collect()
    }

    /// What counts now of each feature that was ever used.
    async fn used_now(
        &self,
        app: &App,
        ledger_id: &str,
        id: LicenseId,
    ) -> Result<HashMap<String, Decimal>, Problem> {
        let rows = app.in_step(usage::NAME, ledger_id).await?;
        let mut used = usage::totals_by_metric(rows, ledger_id, id, &self.names()).await?;
        let begun = |feature: &String| Some(self.period(feature)?.start(self.at));
        let wanted: Vec<_> = used
            .keys()
            .filter_map(|feature| Some((feature.clone(), begun(feature)?)))
            .collect();
        let mut since = usage::used_since(rows, ledger_id, id, &wanted).await?;
        for place in wanted {
            let in_period = since.remove(&place).unwrap_or_default();
            used.insert(place.0, in_period);
        }
        Ok(used)
    }

    /// What counted then.
    async fn used_then(
        &self,
        app: &App,
        ledger_id: &str,
        id: LicenseId,
        moment: Moment,
    ) -> Result<HashMap<String, Decimal>, Problem> {
        let used = crate::as_of::usage(app, ledger_id, id, moment).await?;
        let counted = used.into_iter().map(|(metric, used)| {
            let period = self.period(&metric);
            (metric, used.meter.used(period, self.at))
        });
        Ok(counted.collect())
    }

    fn explain(&self, entitlement: Entitlement) -> wire::ExplainedEntitlement {
        let told = validation::entitlement(entitlement);
        let feature = told.feature;
        let period = self.period(&feature);
        wire::ExplainedEntitlement {
            base_value: self.base.get(&feature).cloned(),
            override_value: self.overrides.get(&feature).cloned(),
            enabled: told.enabled,
            limit: told.limit,
            used: told.used,
            remaining: told.remaining,
            period: period.map(|period| period.as_str().to_owned()),
            period_ends_at: period.map(|period| period.end(self.at).to_string()),
            overage_allowed: overage_allowed(self.base, self.overrides, &feature),
            feature,
        }
    }
}
