//! `POST /licenses/{license_id}/usage`

use axum::Json;
use axum::extract::State;
use vinzy_client::usage as wire;
use vinzy_events::LicenseId;

use super::{RECORD, Use, VALUE, count};
use crate::app::App;
use crate::commands::licenses;
use crate::directory::Located;
use crate::http::body::{Body, Fields, FromFields};
use crate::http::caller::Caller;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::query::PathId;

/// Use to be counted.
pub struct RecordUsage(Use);

/// Record usage on the vendor's side.
///
/// As `/usage/record`, for whoever has an API key instead of the license key: the backend of a service that is sold
/// by use, for instance. Idempotency keys are the API's, apart from those of the license's applications.
#[utoipa::path(
    post, path = "/licenses/{license_id}/usage", tag = "Usage", operation_id = "recordLicenseUsage",
    params(
        ("license_id" = String, Path, format = "uuid"),
        ("Idempotency-Key" = Option<String>, Header, max_length = 255, pattern = "^[!-~]([\\t -~]*[!-~])?$", description = "As `idempotency_key`, which goes before it."),
    ),
    request_body = wire::RecordLicenseUsageRequest,
    responses(
        (status = 200, description = "The outcome", body = wire::RecordUsageResponse),
        (status = 409, description = "The idempotency key was used for another record", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    PathId(id): PathId<LicenseId>,
    body: Body<RecordUsage>,
) -> Result<Json<wire::RecordUsageResponse>, Problem> {
    let RecordUsage(content) = body.content;
    let ledger_id = caller.ledger_id.clone();
    let (state, _) = licenses::get_with_product(&app, &ledger_id, id).await?;
    let located = Located {
        ledger_id,
        license_id: id,
        product_id: state.product_id,
    };
    let key = content
        .idempotency_key
        .clone()
        .or_else(|| caller.idempotency_key());
    let canonical = content.canonical(key.is_some());
    let operation = format!("{RECORD} {id}");
    let order = caller.order_with(&app, key.map(|key| (key, operation)), &canonical);
    Ok(Json(count(&app, order, &located, content.usage).await?))
}

impl FromFields for RecordUsage {
    const AMOUNT: Option<&'static str> = Some(VALUE);

    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Use::from_fields(fields).map(Self)
    }
}
