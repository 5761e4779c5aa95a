//! `/webhooks/stripe` and `/webhooks/polar`: what providers of payments tell. Who tells it is known by the signature of
//! the body, and by nothing else.

pub mod polar;
pub mod stripe;

use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use vinzy_client::provisioning as wire;
use vinzy_events::ledger::Actor;
use vinzy_events::purchase::Provider;

use super::caller::Visitor;
use super::problem::Problem;
use super::query::Query;
use crate::app::App;
use crate::commands::provisioning::{Deed, Message, tell};
use crate::provisioning::Unusable;
use crate::provisioning::signature::{Key, SignatureError};

/// The longest message, in bytes: an order with its product and all that belongs to it is longer than what others ask.
pub const MAX_BODY: usize = 256 * 1024;

/// Whom a message is for, and what it is verified with.
struct Recipient<'a> {
    ledger_id: Arc<str>,
    keys: &'a [Key],
}

impl<'a> Recipient<'a> {
    /// The tenant that the query names, else the default one. Of a tenant that there is not the same is told as of one
    /// that takes no such messages.
    fn of(app: &'a App, provider: Provider, query: &Query) -> Result<Self, Problem> {
        let tenant = query.get("tenant").unwrap_or(&app.default_ledger);
        let keys = app
            .provider_secrets
            .of(provider, tenant)
            .filter(|_| app.tenants.open(tenant).is_some());
        let keys = keys.ok_or_else(|| {
            let detail = format!("Messages of {provider} are not taken here: no secret is set for them.");
            Problem::not_found("PROVISIONING_NOT_CONFIGURED", detail)
        })?;
        Ok(Self {
            ledger_id: tenant.into(),
            keys,
        })
    }
}

/// A header that is text.
fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Does what a message tells, and says what was done.
async fn answer(
    app: &App,
    visitor: &Visitor,
    provider: Provider,
    ledger_id: Arc<str>,
    message: Result<Message, Unusable>,
) -> Result<Json<wire::ProvisioningOutcome>, Problem> {
    let told = match message {
        Ok(message) => {
            let notice = message.notice().to_owned();
            let actor = Actor {
                id: provider.as_str().into(),
                kind: "provider".into(),
                name: None,
                via: "webhook".into(),
            };
            let told = tell(app, visitor.order_as(ledger_id, actor), message).await;
            told.map_err(|error| (notice, Problem::from(error)))
        }
        Err(unusable) => Err((String::new(), unusable.into())),
    };
    match told {
        Ok(told) => {
            app.metrics
                .provisioning
                .told(provider.as_str(), told.deed.as_str());
            if let (Deed::Issued, Some(license_id)) = (told.deed, told.license_id) {
                tracing::info!(%provider, %license_id, "a license was issued for a purchase");
            }
            Ok(Json(wire::ProvisioningOutcome {
                outcome: told.deed.as_str().to_owned(),
                license_id: told.license_id.map(|id| id.to_string()),
            }))
        }
        Err((notice, problem)) => {
            app.metrics.provisioning.told(provider.as_str(), "refused");
            tracing::warn!(
                %provider,
                notice,
                code = problem.code(),
                detail = problem.detail(),
                "nothing was done about a message"
            );
            Err(problem)
        }
    }
}

impl From<SignatureError> for Problem {
    /// 400: 401 would ask for an API key.
    fn from(error: SignatureError) -> Self {
        let (code, detail) = match error {
            SignatureError::Missing(header) => (
                "SIGNATURE_MISSING",
                format!("The header `{header}` is missing or cannot be read."),
            ),
            SignatureError::Wrong => (
                "SIGNATURE_INVALID",
                "The message is not signed with a secret that is set here.".to_owned(),
            ),
            SignatureError::Stale => (
                "SIGNATURE_EXPIRED",
                "The message was signed more than 300 seconds before or after now.".to_owned(),
            ),
        };
        Self::bad_request(code, detail)
    }
}

impl From<Unusable> for Problem {
    fn from(error: Unusable) -> Self {
        match error {
            Unusable::Malformed(_) => {
                Self::new(StatusCode::BAD_REQUEST, "MALFORMED_EVENT", format!("{error}."))
            }
            Unusable::Field { field, message } => Self::field(&field, message),
        }
    }
}
