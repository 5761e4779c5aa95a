//! `POST /products`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;
use vinzy_client::products as wire;
use vinzy_events::product::{CreateProduct, ProductCode};

use crate::app::App;
use crate::commands::products;
use crate::http::body::{Body, Field, Fields, FromFields};
use crate::http::caller::Caller;
use crate::http::problem::{Problem, ProblemBody};

/// Create a product.
///
/// Its code becomes the prefix of its license keys and is fixed for good.
#[utoipa::path(
    post, path = "/products", tag = "Products", operation_id = "createProduct",
    request_body = wire::CreateProduct,
    params(("Idempotency-Key" = Option<String>, Header, max_length = 255, pattern = "^[!-~]([\\t -~]*[!-~])?$", description = "Makes the request safe to repeat.")),
    responses(
        (status = 201, description = "The product", body = wire::Product),
        (status = 409, description = "The code is taken", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    body: Body<CreateProduct>,
) -> Result<(StatusCode, Json<wire::Product>), Problem> {
    let order = caller.order(&app, &body.canonical);
    let (id, state) = products::create(&app, order, body.content).await?;
    Ok((StatusCode::CREATED, Json(super::wire(id, state))))
}

impl FromFields for CreateProduct {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let code = fields.required("code");
        let name = fields.text("name", super::NAME);
        let description = fields
            .optional_text("description", super::DESCRIPTION)
            .unwrap_or_default();
        let default_tier = fields.optional_text("default_tier", super::TIER);
        let features = fields.features("features").unwrap_or_default();
        let tiers = super::tiers(fields).unwrap_or_default();
        let metadata = fields.optional("metadata").unwrap_or_default();
        Some(Self {
            code: code?,
            name: name?,
            description,
            default_tier: default_tier.unwrap_or_else(|| "standard".to_owned()),
            features,
            tiers,
            metadata,
        })
    }
}

impl Field for ProductCode {
    fn read(value: Value) -> Result<Self, String> {
        Self::parse(&String::read(value)?).map_err(|error| error.to_string())
    }
}
