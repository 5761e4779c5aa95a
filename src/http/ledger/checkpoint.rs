//! `GET /t/{tenant}/checkpoint`

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::response::IntoResponse;

use crate::app::App;
use crate::audit::{self, HeadError, SignError};
use crate::http::access::PROVE;
use crate::http::caller::{Known, allowed};
use crate::http::client::Client;
use crate::http::gate::admit_admin;
use crate::http::problem::{Problem, ProblemBody};

/// A ledger that whoever asks may read.
pub struct ReadableLedger(Arc<str>);

/// Get a signed checkpoint of a tenant's ledger.
///
/// As tlog-checkpoint (C2SP) has it: to be kept, and compared with later ones. Open to everyone if the tenant's
/// `ledger_public` says so, else to its own API keys.
#[utoipa::path(
    get, path = "/t/{tenant}/checkpoint", tag = "Audit", operation_id = "getCheckpoint",
    params(("tenant" = String, Path, description = "The tenant's slug, or `default`.")),
    responses(
        (status = 200, description = "The checkpoint, a signed note", body = String, content_type = "text/plain; charset=utf-8"),
        (status = 409, description = "The ledger does not continue its last checkpoint", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn handle(
    ReadableLedger(ledger_id): ReadableLedger,
    State(app): State<App>,
) -> Result<impl IntoResponse, Problem> {
    let checkpoint = audit::sign_checkpoint(&app, &ledger_id)
        .await
        .map_err(|error| match error {
            SignError::Fork { .. } => Problem::conflict("LEDGER_FORKED", format!("{error}.")),
            SignError::Head(HeadError::Database(error)) => error.into(),
            SignError::Head(_) | SignError::ForeignKey { .. } => Problem::internal(&error),
        })?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], checkpoint))
}

impl FromRequestParts<App> for ReadableLedger {
    type Rejection = Problem;

    /// Whoever may not read it cannot tell whether it is there.
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Path(slug): Path<String> = Path::from_request_parts(parts, app)
            .await
            .map_err(|_| not_found())?;
        let tenant = app.tenants.open(&slug);
        if tenant.as_ref().is_some_and(|tenant| tenant.ledger_public) {
            return Ok(Self(slug.into()));
        }
        if let Some(client) = parts.extensions.get::<Client>() {
            admit_admin(app, *client)?;
        }
        let known = Known::from_request_parts(parts, app).await?;
        let own = allowed(&known.principal.key, PROVE.scopes().unwrap_or_default(), app)?;
        if *own == *slug {
            Ok(Self(own))
        } else {
            Err(not_found())
        }
    }
}

fn not_found() -> Problem {
    Problem::not_found("LEDGER_NOT_FOUND", "Ledger not found")
}
