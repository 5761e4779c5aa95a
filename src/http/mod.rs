//! The HTTP interface: one file per operation, with its request, its handler and its place in the
//! `OpenAPI` document. Knows commands and queries; neither SQL nor the ledger.

pub mod access;
pub mod anomalies;
pub mod api_keys;
pub mod as_of;
pub mod audit;
pub mod body;
pub mod caller;
pub mod client;
pub mod composed;
pub mod cors;
pub mod csv;
pub mod customers;
pub mod dashboard;
pub mod errors;
pub mod events;
pub mod gate;
pub mod ledger;
pub mod licenses;
pub mod machines;
pub mod mails;
pub mod openapi;
pub mod overview;
pub mod problem;
pub mod products;
pub mod provisioning;
pub mod purchases;
pub mod query;
pub mod refusals;
pub mod server;
pub mod service;
pub mod session;
pub mod shell;
pub mod subscriber;
pub mod tenants;
pub mod usage;
pub mod validate;
pub mod validate_agent;
pub mod webhooks;

use axum::Router;
use axum::middleware::from_fn_with_state;
use utoipa_axum::routes;

use self::access::{
    ADMINISTER, Access, HELP, ISSUE, METER, PROVE, READ, READ_AUDIT, READ_USAGE, RESOLVE, Routes, VERIFY,
};
use crate::app::App;

/// All routes of the API with their descriptions, and who may call them.
#[expect(deprecated, reason = "older clients still validate by GET")]
#[rustfmt::skip]
fn api() -> Routes {
    Routes::new(openapi::described())
        .allow(READ, routes!(overview::handle))
        .allow(READ, routes!(products::list::handle))
        .allow(READ, routes!(products::get::handle))
        .allow(ADMINISTER, routes!(products::create::handle))
        .allow(ADMINISTER, routes!(products::update::handle, products::delete::handle))
        .allow(READ, routes!(customers::list::handle))
        .allow(READ, routes!(customers::get::handle))
        .allow(ISSUE, routes!(customers::create::handle))
        .allow(ISSUE, routes!(customers::update::handle))
        .allow(ADMINISTER, routes!(customers::delete::handle))
        .allow(ADMINISTER, routes!(customers::erase::handle))
        .allow(READ_AUDIT, routes!(customers::erasure::handle))
        .allow(READ, routes!(licenses::list::handle))
        .allow(READ, routes!(licenses::get::handle))
        .allow(READ, routes!(licenses::agents::handle))
        .allow(READ, routes!(licenses::entitlements::handle))
        .allow(READ, routes!(licenses::export::handle))
        .allow(ISSUE, routes!(licenses::create::handle))
        .allow(ISSUE, routes!(licenses::update::handle))
        .allow(ISSUE, routes!(licenses::renew::handle))
        .allow(ISSUE, routes!(licenses::revoke::handle))
        .allow(HELP, routes!(licenses::suspend::handle))
        .allow(HELP, routes!(licenses::reinstate::handle))
        .allow(ADMINISTER, routes!(licenses::delete::handle))
        .allow(READ, routes!(machines::list::handle))
        .allow(HELP, routes!(machines::remove::handle))
        .allow(READ, routes!(composed::handle))
        .allow(METER, routes!(usage::of_license::handle))
        .allow(READ_USAGE, routes!(usage::agents::handle))
        .allow(READ_USAGE, routes!(usage::totals::handle))
        .allow(READ_USAGE, routes!(usage::series::handle))
        .allow(READ, routes!(anomalies::list::handle))
        .allow(READ, routes!(anomalies::of_license::handle))
        .allow(READ, routes!(anomalies::context::handle))
        .allow(RESOLVE, routes!(anomalies::resolve::handle))
        .allow(READ_AUDIT, routes!(audit::list::handle))
        .allow_long(READ_AUDIT, routes!(audit::verify::handle))
        .allow_waiting(READ_AUDIT, routes!(events::list::handle))
        .allow_long(VERIFY, routes!(audit::ledger::handle))
        .allow(VERIFY, routes!(audit::events::handle))
        .allow(VERIFY, routes!(audit::event::handle))
        .allow(VERIFY, routes!(audit::prove_inclusion::handle))
        .allow(VERIFY, routes!(audit::prove_consistency::handle))
        .allow(VERIFY, routes!(audit::receipt::handle))
        .allow(PROVE, routes!(ledger::checkpoint::handle))
        .allow(PROVE, routes!(ledger::vkey::handle))
        .allow(PROVE, routes!(ledger::tile::handle))
        .allow(ADMINISTER, routes!(api_keys::create::handle, api_keys::list::handle))
        .allow(ADMINISTER, routes!(api_keys::get::handle, api_keys::update::handle, api_keys::delete::handle))
        .allow(ADMINISTER, routes!(api_keys::rotate::handle))
        .allow(ADMINISTER, routes!(webhooks::create::handle, webhooks::list::handle))
        .allow(ADMINISTER, routes!(webhooks::get::handle, webhooks::update::handle, webhooks::delete::handle))
        .allow(ADMINISTER, routes!(webhooks::rotate::handle))
        .allow(ADMINISTER, routes!(webhooks::test::handle))
        .allow_long(ADMINISTER, routes!(webhooks::replay::handle))
        .allow(ADMINISTER, routes!(webhooks::deliveries::handle))
        .allow(ADMINISTER, routes!(webhooks::delivery::handle))
        .allow(ADMINISTER, routes!(webhooks::retry::handle))
        .allow_large(Access::Open, provisioning::MAX_BODY, routes!(provisioning::stripe::handle))
        .allow_large(Access::Open, provisioning::MAX_BODY, routes!(provisioning::polar::handle))
        .allow(READ, routes!(purchases::handle))
        .allow(READ, routes!(mails::list::handle))
        .allow(ADMINISTER, routes!(mails::resend::handle))
        .allow(Access::SuperAdmin, routes!(tenants::create::handle, tenants::list::handle))
        .allow(Access::SuperAdmin, routes!(tenants::get::handle, tenants::update::handle, tenants::delete::handle))
        .allow(Access::SuperAdmin, routes!(tenants::create_key::handle))
        .allow(Access::SuperAdmin, routes!(service::settings::handle))
        .allow(Access::LogIn, routes!(session::create::handle))
        .allow(Access::AnyKey, routes!(session::get::handle))
        .allow(Access::Open, routes!(session::delete::handle))
        .allow(Access::Open, routes!(machines::activate::handle))
        .allow(Access::Open, routes!(machines::deactivate::handle))
        .allow(Access::Open, routes!(machines::heartbeat::handle))
        .allow(Access::Open, routes!(usage::record::handle))
        .allow_large(Access::Open, usage::batch::MAX_BODY, routes!(usage::batch::handle))
        .allow(Access::Open, routes!(validate::handle, validate::handle_get))
        .allow(Access::Open, routes!(validate_agent::handle, validate_agent::handle_get))
        .allow(Access::Open, routes!(service::jwks::handle))
        .allow(Access::Probe, routes!(service::health::handle))
        .allow(Access::Probe, routes!(service::ready::handle))
        .allow(Access::Metrics, routes!(service::metrics::handle))
}

/// The API description, as `/openapi.json` shows it.
pub fn description() -> utoipa::openapi::OpenApi {
    let (router, _) = api().into_parts();
    openapi::with_problems(router.into_openapi())
}

/// The whole server as a router.
pub fn router(app: &App) -> Router {
    let (router, table) = api().into_parts();
    let (router, description) = router.split_for_parts();
    let router = router
        .merge(openapi::documents(openapi::with_problems(description)))
        .merge(dashboard::routes());
    let router = if app.api_prefix.is_empty() {
        router
    } else {
        Router::new().nest(&app.api_prefix, router)
    };
    router
        .fallback(shell::no_such_route)
        .method_not_allowed_fallback(shell::no_such_method)
        .layer(from_fn_with_state(shell::Shell::new(app, table), shell::surround))
        .with_state(app.clone())
}
