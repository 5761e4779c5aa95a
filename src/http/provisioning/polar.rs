//! `POST /webhooks/polar`

use axum::Json;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use vinzy_client::provisioning as wire;
use vinzy_events::purchase::{Provider, Reference};

use super::{Recipient, answer, header};
use crate::app::App;
use crate::http::body::bytes_of;
use crate::http::caller::Visitor;
use crate::http::problem::{Problem, ProblemBody};
use crate::http::query::Query;
use crate::provisioning::signature::{SignatureError, StandardHeaders, standard};
use crate::provisioning::{Unusable, polar};

/// Take an event of Polar's.
///
/// For whom Polar's webhook points here. A paid order of a product whose metadata name one of ours issues a license, once;
/// what Polar tells of its subscription renews, suspends and reinstates it. Events of other types are acknowledged.
#[utoipa::path(
    post, path = "/webhooks/polar", tag = "Purchases", operation_id = "receivePolarEvent",
    params(
        ("tenant" = Option<String>, Query, description = "The tenant's slug; the default tenant if left out."),
        ("webhook-id" = Option<String>, Header, description = "The message's id."),
        ("webhook-timestamp" = Option<String>, Header, description = "When it was signed, in seconds since 1970."),
        ("webhook-signature" = Option<String>, Header, description = "`v1,…`: HMAC-SHA256 over id, time and body, as Standard Webhooks have it."),
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
    let recipient = Recipient::of(&app, Provider::Polar, &query)?;
    let body = bytes_of(request).await?;
    let signed = StandardHeaders {
        id: header(&headers, "webhook-id"),
        timestamp: header(&headers, "webhook-timestamp"),
        signature: header(&headers, "webhook-signature"),
    };
    let now = app.clock.now();
    let id = standard(signed, &body, recipient.keys, now)?;
    let notice = Reference::parse(Provider::Polar, id).map_err(|_| SignatureError::Missing("webhook-id"))?;
    let message: Result<_, Unusable> = polar::read(&body, &notice, now);
    answer(&app, &visitor, Provider::Polar, recipient.ledger_id, message).await
}
