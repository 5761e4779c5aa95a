//! `GET /entitlements/composed/{customer_id}`

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value};
use vinzy_client::composition as wire;
use vinzy_events::composition::{Composition, Part, compose};
use vinzy_events::entitlement::base_features;
use vinzy_events::{CustomerId, ProductId};
use vinzy_projections::{licenses, products};

use crate::app::App;
use crate::commands::customers;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::PathId;

/// Compose the entitlements of a customer.
///
/// All active licenses of the customer are merged, in the order of their creation. Each feature's `compose`
/// says how (`sum`, `max`, or `union`: the first that is anything), as the first license has it; a limit counts
/// as its number, other features as whether they are on. Each effective value names its sources.
#[utoipa::path(
    get, path = "/entitlements/composed/{customer_id}", tag = "Customers", operation_id = "composeEntitlements",
    params(("customer_id" = String, Path, format = "uuid")),
    responses((status = 200, description = "What the licenses amount to", body = wire::ComposedEntitlements))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(customer_id): PathId<CustomerId>,
) -> Result<Json<wire::ComposedEntitlements>, Problem> {
    let ledger_id = &caller.ledger_id;
    customers::get(&app, ledger_id, customer_id).await?;
    app.in_step(licenses::NAME, ledger_id).await?;
    app.in_step(products::NAME, ledger_id).await?;
    let now = app.clock.now();
    let active = licenses::active_of_customer(&app.pool, ledger_id, customer_id, now).await?;
    let ids: Vec<ProductId> = active.iter().map(|(_, state)| state.product_id).collect();
    let features = products::features(&app.pool, ledger_id, &ids).await?;
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
    Ok(Json(wire(customer_id, compose(&parts))))
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
