//! `POST /licenses`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use vinzy_client::licenses as wire;

use crate::app::App;
use crate::commands::licenses::{self, Expiry, NewLicense};
use crate::http::body::{Body, Fields, FromFields};
use crate::http::caller::Caller;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::products::TIER;

/// Issue a license.
///
/// The answer holds the license key: the one time that it is shown. What is left out is as the product's template
/// for the tier says, if it has one.
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
        let features = fields.features("features");
        let entitlements = fields.features("entitlements");
        let metadata = fields.optional("metadata").unwrap_or_default();
        Some(Self {
            product_code: product_code?,
            customer_id: customer_id?,
            tier,
            machines_limit,
            expiry: expiry?,
            features,
            entitlements,
            metadata,
        })
    }
}

/// When it ends, if anything is said; `None` only after an error was noted.
#[expect(clippy::option_option, reason = "an error is one thing, nothing said another")]
fn expiry(fields: &mut Fields) -> Option<Option<Expiry>> {
    let days = fields.nullable_number("days_valid", super::DAYS);
    let at = fields.nullable("expires_at");
    match (days, at) {
        (None, None) => Some(None),
        (Some(Some(_)), Some(Some(_))) => {
            fields.refuse("expires_at", "cannot be given together with days_valid")
        }
        (Some(Some(days)), _) => Some(Some(Expiry::Days(days))),
        (_, Some(Some(at))) => Some(Some(Expiry::At(at))),
        (Some(None), _) | (_, Some(None)) => Some(Some(Expiry::Never)),
    }
}
