//! `?at=`: what was true at an earlier moment.

use axum::Json;
use axum::http::HeaderValue;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::problem::Problem;
use super::query::Query;
use crate::app::App;
use crate::as_of::{self, Moment, NoMoment};

/// Says up to which event an answer counts.
const HEADER: &str = "x-vinzy-as-of-position";

/// The moment that `at` names; `None` if nothing is asked for but the present. Ends the reading of the query.
pub async fn moment(mut query: Query, app: &App, ledger_id: &str) -> Result<Option<Moment>, Problem> {
    let must = "must be a position in the ledger, or an RFC 3339 time such as 2030-01-01T00:00:00Z";
    let asked = query.parse("at", must, |text| text.parse().ok());
    query.finish()?;
    match asked {
        None => Ok(None),
        Some(asked) => Ok(Some(as_of::moment(app, ledger_id, asked).await?)),
    }
}

impl From<NoMoment> for Problem {
    fn from(error: NoMoment) -> Self {
        match error {
            NoMoment::Database(error) => error.into(),
            NoMoment::Beyond { .. } | NoMoment::Future | NoMoment::TooEarly => {
                Self::field("at", error.to_string())
            }
        }
    }
}

/// An answer as of a moment, which it names.
pub struct AsOf<T> {
    moment: Option<Moment>,
    body: T,
}

impl<T: Serialize> AsOf<Json<T>> {
    /// What was true then, or is now.
    pub const fn new(moment: Option<Moment>, body: T) -> Self {
        Self {
            moment,
            body: Json(body),
        }
    }
}

impl<T> AsOf<T> {
    /// As [`AsOf::new`], for what is no JSON by itself.
    pub const fn of(moment: Option<Moment>, body: T) -> Self {
        Self { moment, body }
    }
}

impl<T: IntoResponse> IntoResponse for AsOf<T> {
    fn into_response(self) -> Response {
        let mut response = self.body.into_response();
        if let Some(moment) = self.moment {
            let position = HeaderValue::from(moment.position);
            response.headers_mut().insert(HEADER, position);
        }
        response
    }
}
