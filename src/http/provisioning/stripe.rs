//! `POST /webhooks/stripe`

use axum::Json;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use vinzy_client::provisioning as wire;
use vinzy_events::purchase::Provider;

use super::{Recipient, answer, header};
use crate::app::App;
use crate::http::body::bytes_of;
use crate::http::caller::Visitor;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::query::Query;
use crate::provisioning::{signature, stripe};

/// Take an event of Stripe's.
///
/// For whom Stripe's webhook points here. A paid checkout whose metadata name a product issues a license, once; what
/// Stripe tells of its subscription renews, suspends and reinstates it. Events of other types are acknowledged.
#[utoipa::path(
    post, path = "/webhooks/stripe", tag = "Purchases", operation_id = "receiveStripeEvent",
    params(
        ("tenant" = Option<String>, Query, description = "The tenant's slug; the default tenant if left out."),
        ("Stripe-Signature" = Option<String>, Header, description = "`t=…,v1=…`: HMAC-SHA256 over time and body."),
    ),
    request_body(content = wire::ProviderEvent, description = "The event, byte by byte as it was signed."),
    responses(
        (status = 200, description = "What was done", body = wire::ProvisioningOutcome),
        (status = 400, description = "The signature is missing, wrong or old", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such product or tier, or no secret is set", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn handle(
    visitor: Visitor,
    State(app): State<App>,
    query: Query,
    headers: HeaderMap,
    request: Request,
) -> Result<Json<wire::ProvisioningOutcome>, Problem> {
    let recipient = Recipient::of(&app, Provider::Stripe, &query)?;
    let body = bytes_of(request).await?;
    let signed = header(&headers, "stripe-signature");
    signature::stripe(signed, &body, recipient.keys, app.clock.now())?;
    let message = stripe::read(&body);
    answer(&app, &visitor, Provider::Stripe, recipient.ledger_id, message).await
}
