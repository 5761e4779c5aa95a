//! Paths and query strings: ids, filters and paging.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use axum::extract::{FromRequestParts, OriginalUri, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use uuid::Uuid;
use vinzy_events::{
    AnomalyId, ApiKeyId, CustomerId, DeliveryId, EndpointId, LicenseId, MachineId, MailId, ProductId,
    TenantId, Timestamp,
};
use vinzy_projections::{Page, PageRequest, Start};

use super::problem::{FieldError, Problem};

/// Rows of a page when nothing is said.
const DEFAULT_PAGE_SIZE: u32 = 20;
/// Rows of a page at most.
const MAX_PAGE_SIZE: u32 = 100;
/// Longest text to look for, in characters.
const MAX_TEXT: usize = 255;

/// What an id in a path is the id of.
pub trait Identified: FromStr + Send {
    /// The problem when there is none with an id; an id that is no UUID is the same.
    fn not_found() -> Problem;
}

impl Identified for ProductId {
    fn not_found() -> Problem {
        Problem::not_found("PRODUCT_NOT_FOUND", "Product not found")
    }
}

impl Identified for CustomerId {
    fn not_found() -> Problem {
        Problem::not_found("CUSTOMER_NOT_FOUND", "Customer not found")
    }
}

impl Identified for LicenseId {
    fn not_found() -> Problem {
        Problem::not_found("LICENSE_NOT_FOUND", "License not found")
    }
}

impl Identified for MachineId {
    fn not_found() -> Problem {
        Problem::not_found("MACHINE_NOT_FOUND", "Machine not found")
    }
}

impl Identified for AnomalyId {
    fn not_found() -> Problem {
        Problem::not_found("ANOMALY_NOT_FOUND", "Anomaly not found")
    }
}

impl Identified for ApiKeyId {
    fn not_found() -> Problem {
        Problem::not_found("API_KEY_NOT_FOUND", "API key not found")
    }
}

impl Identified for EndpointId {
    fn not_found() -> Problem {
        Problem::not_found("WEBHOOK_NOT_FOUND", "Webhook endpoint not found")
    }
}

impl Identified for DeliveryId {
    fn not_found() -> Problem {
        Problem::not_found("DELIVERY_NOT_FOUND", "Delivery not found")
    }
}

impl Identified for MailId {
    fn not_found() -> Problem {
        Problem::not_found("MAIL_NOT_FOUND", "Mail not found")
    }
}

impl Identified for TenantId {
    fn not_found() -> Problem {
        Problem::not_found("TENANT_NOT_FOUND", "Tenant not found")
    }
}

/// The id in a path.
pub struct PathId<T>(pub T);

impl<T: Identified, S: Send + Sync> FromRequestParts<S> for PathId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(id): Path<String> = Path::from_request_parts(parts, state)
            .await
            .map_err(|_| T::not_found())?;
        id.parse().map(Self).map_err(|_| T::not_found())
    }
}

/// Two ids in a path, in their order.
pub struct PathIds<A, B>(pub A, pub B);

impl<A: Identified, B: Identified, S: Send + Sync> FromRequestParts<S> for PathIds<A, B> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((first, second)): Path<(String, String)> = Path::from_request_parts(parts, state)
            .await
            .map_err(|_| A::not_found())?;
        let first = first.parse().map_err(|_| A::not_found())?;
        let second = second.parse().map_err(|_| B::not_found())?;
        Ok(Self(first, second))
    }
}

/// The query string, pair by pair.
pub struct Query {
    pairs: Vec<(String, String)>,
    errors: Vec<FieldError>,
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        // PostgreSQL cannot hold U+0000 in text, not even to compare it.
        match pairs
            .iter()
            .find(|(name, value)| name.contains('\0') || value.contains('\0'))
        {
            Some((name, _)) => Err(Problem::field(&name.replace('\0', ""), "holds the NUL character")),
            None => Ok(Self {
                pairs,
                errors: vec![],
            }),
        }
    }
}

impl Query {
    /// The value of a parameter; an empty one is as good as none.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self
            .pairs
            .iter()
            .find(|(given, _)| given == name)
            .map(|(_, value)| value.as_str());
        value.filter(|value| !value.is_empty())
    }

    /// A parameter of a type, with what it must be.
    pub fn parse<T>(&mut self, name: &str, must: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let value = self.get(name)?;
        let parsed = parse(value);
        if parsed.is_none() {
            self.errors.push(FieldError {
                field: name.to_owned(),
                message: must.to_owned(),
            });
        }
        parsed
    }

    /// A time.
    pub fn time(&mut self, name: &str) -> Option<Timestamp> {
        let must = "must be an RFC 3339 time such as 2030-01-01T00:00:00Z";
        self.parse(name, must, |text| text.parse().ok())
    }

    /// Text to look for, without white space around it.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let text = self
            .get(name)
            .map(str::trim)
            .filter(|text| !text.is_empty())?
            .to_owned();
        if text.chars().count() > MAX_TEXT {
            self.wrong(FieldError {
                field: name.to_owned(),
                message: format!("must have at most {MAX_TEXT} characters"),
            });
        }
        Some(text)
    }

    /// Notes that something else of the request is wrong.
    pub fn wrong(&mut self, error: FieldError) {
        self.errors.push(error);
    }

    /// Which part of a list is asked for.
    pub fn page(&mut self) -> PageRequest {
        self.page_by(|value| {
            value
                .parse::<u64>()
                .ok()
                .filter(|after| i64::try_from(*after).is_ok())
        })
    }

    /// As [`Query::page`], for lists with cursors of another kind.
    pub fn page_by<C>(&mut self, cursor: impl Fn(&str) -> Option<C>) -> PageRequest<C> {
        let in_range = |value: &str| {
            value
                .parse()
                .ok()
                .filter(|size| (1..=MAX_PAGE_SIZE).contains(size))
        };
        let must = "must be between 1 and 100";
        // What another parameter goes before is wrong all the same when it is no number.
        let (size, limit) = (
            self.parse("page_size", must, in_range),
            self.parse("limit", must, in_range),
        );
        let size = size.or(limit).unwrap_or(DEFAULT_PAGE_SIZE);
        let page = self.page_number();
        let start = match self.parse("after", "must be a cursor from the Link header", cursor) {
            Some(after) => Start::After(after),
            None => Start::Offset(u64::from(page - 1) * u64::from(size)),
        };
        PageRequest { start, size }
    }

    /// Ends the reading: every parameter that was wrong is told at once.
    pub fn finish(self) -> Result<(), Problem> {
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(Problem::unprocessable(self.errors))
        }
    }

    fn page_number(&mut self) -> u32 {
        let positive = |value: &str| value.parse().ok().filter(|page| *page >= 1);
        self.parse("page", "must be a whole number of at least 1", positive)
            .unwrap_or(1)
    }
}

/// A page of a list as a plain array, with `X-Total-Count` and `Link`.
pub struct Listed<T> {
    headers: HeaderMap,
    rows: Vec<T>,
}

impl<T> Listed<T> {
    /// A page, with links that keep the request's other parameters.
    pub fn new<R, C: Display>(uri: &OriginalUri, page: Page<R, C>, wire: impl FnMut(R) -> T) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert("x-total-count", page.total.into());
        let mut links = vec![link(uri, None::<u64>, "first")];
        links.extend(page.next.map(|after| link(uri, Some(after), "next")));
        if let Ok(links) = HeaderValue::try_from(links.join(", ")) {
            headers.insert(header::LINK, links);
        }
        Self {
            headers,
            rows: page.rows.into_iter().map(wire).collect(),
        }
    }
}

impl<T> Listed<T> {
    /// The same without `X-Total-Count`, for lists that nobody has counted.
    #[must_use]
    pub fn uncounted(mut self) -> Self {
        self.headers.remove("x-total-count");
        self
    }
}

/// The ids that begin with a text: hexadecimal digits, with or without the hyphens of a UUID.
pub fn ids_from(text: &str) -> Option<RangeInclusive<Uuid>> {
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];
    let hyphenated = text.contains('-');
    let fits = text.bytes().enumerate().all(|(at, byte)| match byte {
        b'-' => HYPHENS.contains(&at),
        _ => byte.is_ascii_hexdigit() && !(hyphenated && HYPHENS.contains(&at)),
    });
    let digits = text.replace('-', "");
    if !fits || digits.is_empty() || digits.len() > 32 {
        return None;
    }
    let bound = |fill: &str| Uuid::parse_str(&format!("{digits}{}", fill.repeat(32 - digits.len()))).ok();
    Some(bound("0")?..=bound("f")?)
}

impl<T: Serialize> IntoResponse for Listed<T> {
    fn into_response(self) -> Response {
        (self.headers, axum::Json(self.rows)).into_response()
    }
}

/// The same request from elsewhere, as a `Link`.
pub fn link(uri: &OriginalUri, after: Option<impl Display>, relation: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let kept = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
        .filter(|(name, _)| name != "page" && name != "after");
    query.extend_pairs(kept);
    if let Some(after) = after {
        query.append_pair("after", &after.to_string());
    }
    let query = query.finish();
    let separator = if query.is_empty() { "" } else { "?" };
    format!("<{}{separator}{query}>; rel=\"{relation}\"", uri.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_known_by_how_they_begin() {
        for (text, first, last) in [
            (
                "0",
                "00000000-0000-0000-0000-000000000000",
                "0fffffff-ffff-ffff-ffff-ffffffffffff",
            ),
            (
                "0197F0a2-",
                "0197f0a2-0000-0000-0000-000000000000",
                "0197f0a2-ffff-ffff-ffff-ffffffffffff",
            ),
            (
                "0197f0a2000",
                "0197f0a2-0000-0000-0000-000000000000",
                "0197f0a2-000f-ffff-ffff-ffffffffffff",
            ),
            (
                "0197f0a2-0000-7000-8000-000000000001",
                "0197f0a2-0000-7000-8000-000000000001",
                "0197f0a2-0000-7000-8000-000000000001",
            ),
        ] {
            let ids = ids_from(text).unwrap();
            assert_eq!(
                (ids.start().to_string().as_str(), ids.end().to_string().as_str()),
                (first, last)
            );
        }
    }

    #[test]
    fn what_no_id_begins_with_is_none() {
        for text in [
            "",
            "-",
            "0-",
            "x",
            "0197f0a20-",
            "0197f0a2-00000",
            "0197f0a2--",
            "0197f0a2-0000-7000-8000-0000000000012",
            "000000000000000000000000000000000",
            "ä",
        ] {
            assert_eq!(ids_from(text), None, "{text}");
        }
    }
}
