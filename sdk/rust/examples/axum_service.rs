//! A web service whose customers show their license key with each request.
//!
//! ```sh
//! VINZY_SERVER=https://licenses.example.com cargo run --example axum_service --features client -- 127.0.0.1:3000
//! curl -H "X-License-Key: PRD-…" http://127.0.0.1:3000/reports/sales
//! ```

use std::env;
use std::future::ready;

use axum::extract::{FromRef, FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use vinzy_client::{Error, LicenseClient, Validation};

/// Lets those in whose license is good, as an argument of a handler. Good answers are remembered for a minute.
pub struct Licensed {
    /// What the license is good for.
    pub license: Validation,
    /// Asks about this license.
    pub client: LicenseClient,
}

/// Why somebody is not let in.
pub enum Refusal {
    /// There is no license key.
    NoKey,
    /// The license is not good.
    NotLicensed {
        /// Why, for programs.
        code: String,
        /// The same in words.
        message: String,
    },
    /// The license does not include something.
    FeatureMissing(&'static str),
    /// So much was not sold.
    UsedUp(String),
    /// The licensing server has something against the request, or does not answer.
    Licensing(Error),
}

impl Licensed {
    /// Lets those on whose license includes a feature.
    pub fn with(self, feature: &'static str) -> Result<Self, Refusal> {
        if self.license.allows(feature) {
            Ok(self)
        } else {
            Err(Refusal::FeatureMissing(feature))
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Licensed
where
    LicenseClient: FromRef<S>,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let key = parts
            .headers
            .get("x-license-key")
            .and_then(|key| key.to_str().ok());
        let client = LicenseClient::from_ref(state).with_key(key.ok_or(Refusal::NoKey)?);
        let license = client.validate(None).await.map_err(Refusal::Licensing)?;
        if license.valid {
            Ok(Self { license, client })
        } else {
            Err(Refusal::NotLicensed {
                code: license.code,
                message: license.message,
            })
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code, message) = match self {
            Self::NoKey => (
                StatusCode::UNAUTHORIZED,
                "NO_KEY".to_owned(),
                "Show your license key as X-License-Key".to_owned(),
            ),
            Self::NotLicensed { code, message } => (StatusCode::UNAUTHORIZED, code, message),
            Self::FeatureMissing(feature) => (
                StatusCode::FORBIDDEN,
                "FEATURE_MISSING".to_owned(),
                format!("The license does not include {feature}"),
            ),
            Self::UsedUp(message) => (
                StatusCode::TOO_MANY_REQUESTS,
                "LIMIT_EXCEEDED".to_owned(),
                message,
            ),
            Self::Licensing(error) => {
                eprintln!("licensing: {error}");
                (
                    StatusCode::SERVICE_UNAVAILABLE,
                    "TRY_AGAIN".to_owned(),
                    "The license cannot be checked now".to_owned(),
                )
            }
        };
        (status, Json(json!({"code": code, "message": message}))).into_response()
    }
}

async fn report(Path(name): Path<String>, licensed: Licensed) -> Result<Json<Value>, Refusal> {
    let licensed = licensed.with("export")?;
    Ok(Json(json!({"report": name, "tier": licensed.license.tier})))
}

async fn call(licensed: Licensed) -> Result<Json<Value>, Refusal> {
    let licensed = licensed.with("api_calls")?;
    let counted = licensed.client.record_usage("api_calls", 1).await;
    let counted = counted.map_err(Refusal::Licensing)?;
    if !counted.success {
        return Err(Refusal::UsedUp(counted.message));
    }
    Ok(Json(json!({"remaining": counted.remaining})))
}

/// The service.
pub fn service(licenses: LicenseClient) -> Router {
    Router::new()
        .route("/reports/{name}", get(report))
        .route("/calls", post(call))
        .route("/health", get(|| ready("alive")))
        .with_state(licenses)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let licenses = LicenseClient::builder(env::var("VINZY_SERVER")?).build()?;
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, service(licenses)).await?;
    Ok(())
}
