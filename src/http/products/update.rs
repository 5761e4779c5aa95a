//! `PATCH /products/{product_id}`

use axum::Json;
use axum::extract::State;
use vinzy_client::products as wire;
use vinzy_events::ProductId;
use vinzy_events::product::UpdateProduct;

use crate::app::App;
use crate::commands::products;
use crate::http::body::{Body, Fields, FromFields};
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::query::PathId;

/// Change a product.
///
/// What is left out stays; the code cannot be changed. Licenses without features of their own follow at
/// once.
#[utoipa::path(
    patch, path = "/products/{product_id}", tag = "Products", operation_id = "updateProduct",
    params(("product_id" = String, Path, format = "uuid")),
    request_body = wire::UpdateProduct,
    responses((status = 200, description = "The product as it is now", body = wire::Product))
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<ProductId>,
    body: Body<UpdateProduct>,
) -> Result<Json<wire::Product>, Problem> {
    let order = caller.order(&app, &body.canonical);
    let state = products::update(&app, order, id, body.content).await?;
    Ok(Json(super::wire(id, state)))
}

impl FromFields for UpdateProduct {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self {
            name: fields.optional_text("name", super::NAME),
            description: fields.optional_text("description", super::DESCRIPTION),
            default_tier: fields.optional_text("default_tier", super::TIER),
            features: fields.features("features"),
            tiers: super::tiers(fields),
            metadata: fields.optional("metadata"),
        })
    }
}
