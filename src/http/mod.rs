//! The HTTP interface: one file per operation, with its request, its handler and its place in the
//! `OpenAPI` document. Knows commands and queries; neither SQL nor the ledger.

pub mod anomalies;
pub mod audit;
pub mod body;
pub mod caller;
pub mod composed;
pub mod customers;
pub mod errors;
pub mod licenses;
pub mod machines;
pub mod openapi;
pub mod problem;
pub mod products;
pub mod query;
pub mod refusals;
pub mod server;
pub mod service;
pub mod shell;
pub mod usage;
pub mod validate;
pub mod validate_agent;

use axum::Router;
use axum::middleware::from_fn_with_state;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

/// All routes of the API with their descriptions.
#[expect(deprecated, reason = "older clients still validate by GET")]
fn api() -> OpenApiRouter<App> {
    openapi::described()
        .routes(routes!(products::create::handle, products::list::handle))
        .routes(routes!(
            products::get::handle,
            products::update::handle,
            products::delete::handle
        ))
        .routes(routes!(customers::create::handle, customers::list::handle))
        .routes(routes!(
            customers::get::handle,
            customers::update::handle,
            customers::delete::handle
        ))
        .routes(routes!(licenses::create::handle, licenses::list::handle))
        .routes(routes!(
            licenses::get::handle,
            licenses::update::handle,
            licenses::delete::handle
        ))
        .routes(routes!(licenses::suspend::handle))
        .routes(routes!(licenses::reinstate::handle))
        .routes(routes!(licenses::renew::handle))
        .routes(routes!(licenses::revoke::handle))
        .routes(routes!(licenses::agents::handle))
        .routes(routes!(machines::list::handle))
        .routes(routes!(machines::remove::handle))
        .routes(routes!(validate::handle, validate::handle_get))
        .routes(routes!(validate_agent::handle, validate_agent::handle_get))
        .routes(routes!(machines::activate::handle))
        .routes(routes!(machines::deactivate::handle))
        .routes(routes!(machines::heartbeat::handle))
        .routes(routes!(usage::record::handle))
        .routes(routes!(usage::batch::handle))
        .routes(routes!(usage::agents::handle))
        .routes(routes!(usage::totals::handle))
        .routes(routes!(usage::series::handle))
        .routes(routes!(anomalies::list::handle))
        .routes(routes!(anomalies::of_license::handle))
        .routes(routes!(anomalies::resolve::handle))
        .routes(routes!(composed::handle))
        .routes(routes!(audit::list::handle))
        .routes(routes!(audit::verify::handle))
        .routes(routes!(audit::ledger::handle))
        .routes(routes!(service::jwks::handle))
        .routes(routes!(service::health::handle))
        .routes(routes!(service::ready::handle))
}

/// The API description, as `/openapi.json` shows it.
pub fn description() -> utoipa::openapi::OpenApi {
    openapi::with_problems(api().into_openapi())
}

/// The whole server as a router.
pub fn router(app: &App) -> Router {
    let (router, description) = api().split_for_parts();
    let router = router.merge(openapi::documents(openapi::with_problems(description)));
    let router = if app.api_prefix.is_empty() {
        router
    } else {
        Router::new().nest(&app.api_prefix, router)
    };
    router
        .fallback(shell::no_such_route)
        .method_not_allowed_fallback(shell::no_such_method)
        .layer(from_fn_with_state(app.clone(), shell::surround))
        .with_state(app.clone())
}
