//! `GET /entitlements/composed/{customer_id}`

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value};
use vinzy_client::composition as wire;
use vinzy_events::composition::{Composition, Part, compose};
use vinzy_events::customer::Customer;
use vinzy_events::entitlement::base_features;
use vinzy_events::license::{License, LicenseState, LicenseStatus};
use vinzy_events::product::Product;
use vinzy_events::{CustomerId, LicenseId, ProductId};
use vinzy_projections::{license_owners, licenses, products};

use super::as_of::{AsOf, moment};
use crate::app::App;
use crate::as_of::{self, Moment};
use crate::commands::customers;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::{Identified, PathId, Query};

/// Compose the entitlements of a customer.
///
/// All active licenses of the customer are merged, in the order of their creation. Each feature's `compose`
/// says how (`sum`, `max`, or `union`: the first that is anything), as the first license has it; a limit counts
/// as its number, other features as whether they are on. Each effective value names its sources. With `at`, what the
/// licenses of then amounted to, also if they or the customer were deleted since.
#[utoipa::path(
    get, path = "/entitlements/composed/{customer_id}", tag = "Customers", operation_id = "composeEntitlements",
    params(
        ("customer_id" = String, Path, format = "uuid"),
        ("at" = Option<String>, Query, pattern = "^([0-9]+|[0-9]{4}-[0-9]{2}-[0-9]{2}T.+)?$", description = "An earlier moment: a position in the ledger, after whose event it is, or a time."),
    ),
    responses((status = 200, description = "What the licenses amount to", body = wire::ComposedEntitlements))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(customer_id): PathId<CustomerId>,
    query: Query,
) -> Result<AsOf<Json<wire::ComposedEntitlements>>, Problem> {
    let ledger_id = &caller.ledger_id;
    let moment = moment(query, &app, ledger_id).await?;
    let Held { active, features } = match moment {
        None => held_now(&app, ledger_id, customer_id).await?,
        Some(moment) => held_then(&app, ledger_id, customer_id, moment).await?,
    };
    let named: Vec<_> = active.iter().map(|(id, state)| (id.to_string(), state)).collect();
    let none = Map::new();
    let parts: Vec<Part<'_>> = named
        .iter()
        .map(|(license_id, state)| Part {
            license_id,
            product_code: state.product_code.as_str(),
            base: base_features(&state.features, features.get(&state.product_id).unwrap_or(&none)),
            overrides: &state.entitlements,
        })
        .collect();
    Ok(AsOf::new(moment, wire(customer_id, compose(&parts))))
}

/// The active licenses of a customer, in order of creation, and the features of their products.
struct Held {
    active: Vec<(LicenseId, Arc<LicenseState>)>,
    features: HashMap<ProductId, Map<String, Value>>,
}

async fn held_now(app: &App, ledger_id: &str, customer_id: CustomerId) -> Result<Held, Problem> {
    customers::get(app, ledger_id, customer_id).await?;
    let licenses_rows = app.in_step(licenses::NAME, ledger_id).await?;
    let products_rows = app.in_step(products::NAME, ledger_id).await?;
    let now = app.clock.now();
    let active = licenses::active_of_customer(licenses_rows, ledger_id, customer_id, now).await?;
    let ids: Vec<ProductId> = active.iter().map(|(_, state)| state.product_id).collect();
    Ok(Held {
        features: products::features(products_rows, ledger_id, &ids).await?,
        active: active
            .into_iter()
            .map(|(id, state)| (id, Arc::new(state)))
            .collect(),
    })
}

async fn held_then(
    app: &App,
    ledger_id: &str,
    customer_id: CustomerId,
    moment: Moment,
) -> Result<Held, Problem> {
    let customer: Customer = as_of::aggregate(app, ledger_id, customer_id, moment).await?;
    customer.live().ok_or_else(CustomerId::not_found)?;
    let rows = app.in_step(license_owners::NAME, ledger_id).await?;
    let mut held = Held {
        active: vec![],
        features: HashMap::new(),
    };
    for id in license_owners::up_to(rows, ledger_id, customer_id, moment.position).await? {
        let license: License = as_of::aggregate(app, ledger_id, id, moment).await?;
        let active = license
            .shared()
            .filter(|state| license.live().is_some() && state.status(moment.at) == LicenseStatus::Active);
        let Some(state) = active else { continue };
        if let Entry::Vacant(slot) = held.features.entry(state.product_id) {
            let product: Product = as_of::aggregate(app, ledger_id, state.product_id, moment).await?;
            slot.insert(
                product
                    .state()
                    .map(|state| state.features.clone())
                    .unwrap_or_default(),
            );
        }
        held.active.push((id, state));
    }
    Ok(held)
}

fn wire(customer_id: CustomerId, composition: Composition) -> wire::ComposedEntitlements {
    let features = composition
        .features
        .into_iter()
        .map(|feature| wire::ComposedFeature {
            feature: feature.feature,
            effective_value: feature.effective_value,
            strategy: feature.strategy.as_str().to_owned(),
            sources: feature
                .sources
                .into_iter()
                .map(|source| wire::ComposedSource {
                    product_code: source.product_code,
                    license_id: source.license_id,
                    value: source.value,
                })
                .collect(),
        });
    wire::ComposedEntitlements {
        customer_id: customer_id.to_string(),
        total_products: composition.total_products,
        features: features.collect(),
        agents: composition
            .agents
            .into_iter()
            .map(|(code, fields)| (code, Value::Object(fields)))
            .collect(),
    }
}
