//! `/t/{tenant}`: a tenant's ledger, below the path that it has its name from.

pub mod checkpoint;
pub mod tile;
pub mod vkey;

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::Deserialize;

use super::access::PROVE;
use super::caller::{Known, allowed};
use super::client::Client;
use super::gate::admit_admin;
use super::problem::Problem;
use crate::app::App;

/// A ledger that whoever asks may read.
pub struct ReadableLedger {
    /// The ledger.
    pub ledger_id: Arc<str>,
    /// Whether everyone may read it.
    pub public: bool,
}

/// The part of a path that names the tenant.
#[derive(Deserialize)]
struct OfTenant {
    tenant: String,
}

impl FromRequestParts<App> for ReadableLedger {
    type Rejection = Problem;

    /// Whoever may not read it cannot tell whether it is there.
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Path(OfTenant { tenant: slug }) = Path::from_request_parts(parts, app)
            .await
            .map_err(|_| not_found())?;
        let tenant = app.tenants.open(&slug);
        if tenant.as_ref().is_some_and(|tenant| tenant.ledger_public) {
            return Ok(Self {
                ledger_id: slug.into(),
                public: true,
            });
        }
        if let Some(client) = parts.extensions.get::<Client>() {
            admit_admin(app, *client)?;
        }
        let known = Known::from_request_parts(parts, app).await?;
        let own = allowed(&known.principal.key, PROVE.scopes().unwrap_or_default(), app)?;
        if *own == *slug {
            Ok(Self {
                ledger_id: own,
                public: false,
            })
        } else {
            Err(not_found())
        }
    }
}

fn not_found() -> Problem {
    Problem::not_found("LEDGER_NOT_FOUND", "Ledger not found")
}
