//! `POST /licenses`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use vinzy_client::licenses as wire;

use crate::app::App;
use crate::commands::licenses::{self, DEFAULT_DAYS_VALID, Expiry, NewLicense};
use crate::http::body::{Body, Fields, FromFields};
use crate::http::caller::Caller;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::products::TIER;

/// Machines that a license is limited to when nothing is said.
const DEFAULT_MACHINES: u32 = 3;

/// Issue a license.
///
/// The answer holds the license key: the one time that it is shown.
#[utoipa::path(
    post, path = "/licenses", tag = "Licenses", operation_id = "issueLicense",
    request_body = wire::CreateLicense,
    params(("Idempotency-Key" = Option<String>, Header, max_length = 255, pattern = "^[!-~]([\\t -~]*[!-~])?$", description = "Makes the request safe to repeat: the same license and key are answered again.")),
    responses(
        (status = 201, description = "The license with its key", body = wire::IssuedLicense),
        (status = 404, description = "No such product or customer", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn handle(
    caller: Caller,
    State(app): State<App>,
    body: Body<NewLicense>,
) -> Result<(StatusCode, Json<wire::IssuedLicense>), Problem> {
    let order = caller.order(&app, &body.canonical);
    let issued = licenses::issue(&app, order, body.content).await?;
    let license = super::wire(issued.id, &issued.license, app.clock.now())?;
    let wire = wire::IssuedLicense {
        key: issued.key.as_str().to_owned(),
        license,
    };
    Ok((StatusCode::CREATED, Json(wire)))
}

impl FromFields for NewLicense {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let product_code = fields.required("product_code");
        let customer_id = fields.required("customer_id");
        let tier = fields.optional_text("tier", TIER);
        let machines_limit = fields.nullable_number("machines_limit", super::MACHINES);
        let expiry = expiry(fields);
        let features = fields.features("features").unwrap_or_default();
        let entitlements = fields.features("entitlements").unwrap_or_default();
        let metadata = fields.optional("metadata").unwrap_or_default();
        Some(Self {
            product_code: product_code?,
            customer_id: customer_id?,
            tier,
            machines_limit: machines_limit.unwrap_or(Some(DEFAULT_MACHINES)),
            expiry: expiry?,
            features,
            entitlements,
            metadata,
        })
    }
}

fn expiry(fields: &mut Fields) -> Option<Expiry> {
    let days = fields.nullable_number("days_valid", super::DAYS);
    let at = fields.nullable("expires_at");
    match (days, at) {
        (None, None) => Some(Expiry::Days(DEFAULT_DAYS_VALID)),
        (Some(Some(_)), Some(Some(_))) => {
            fields.refuse("expires_at", "cannot be given together with days_valid")
        }
        (Some(Some(days)), _) => Some(Expiry::Days(days)),
        (_, Some(Some(at))) => Some(Expiry::At(at)),
        (Some(None), _) | (_, Some(None)) => Some(Expiry::Never),
    }
}
