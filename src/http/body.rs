//! Request bodies: JSON, read strictly, with every wrong field told at once.

use std::ops::RangeInclusive;

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value};
use vinzy_events::json::{JsonError, canonical, keep_digits, parse_strict};
use vinzy_events::{CustomerId, Decimal, Timestamp};

use super::caller::IDEMPOTENCY_KEY;
use super::problem::{FieldError, Problem};
use super::server::took_too_long;

/// The longest body of most operations, in bytes.
pub const MAX_BODY: usize = 64 * 1024;

/// A request's content of type `T`, read from a JSON object.
pub struct Body<T> {
    /// The content.
    pub content: T,
    /// The object in canonical form, by which a repeated request is recognised; empty without an
    /// `Idempotency-Key`.
    pub canonical: Vec<u8>,
}

/// As [`Body`], for operations whose body may be left out or be `null`, which is as good as `{}`.
pub struct OptionalBody<T>(pub Body<T>);

/// Content that can be read from fields.
pub trait FromFields: Sized {
    /// The field that a bare array stands for; without one, a body must be an object.
    const ARRAY: Option<&'static str> = None;

    /// The field that holds amounts, in the object or in those of its array: it keeps digits that no double holds.
    const AMOUNT: Option<&'static str> = None;

    /// Reads the content; `None` only after an error was noted in `fields`.
    fn from_fields(fields: &mut Fields) -> Option<Self>;
}

/// The fields of a request's body, and what was found wrong with them.
pub struct Fields {
    object: Map<String, Value>,
    errors: Vec<FieldError>,
}

/// A value that a field can have.
pub trait Field: Sized {
    /// Reads the value; the error says what it must be.
    fn read(value: Value) -> Result<Self, String>;
}

impl Fields {
    /// A field that must be there and not be `null`.
    pub fn required<T: Field>(&mut self, name: &str) -> Option<T> {
        match self.object.remove(name) {
            None | Some(Value::Null) => self.refuse(name, "is required"),
            Some(value) => self.read(name, value),
        }
    }

    /// A field that may be left out or be `null`.
    pub fn optional<T: Field>(&mut self, name: &str) -> Option<T> {
        match self.object.remove(name) {
            None | Some(Value::Null) => None,
            Some(value) => self.read(name, value),
        }
    }

    /// A field in which `null` means something: absent → `None`, `null` → `Some(None)`.
    pub fn nullable<T: Field>(&mut self, name: &str) -> Option<Option<T>> {
        match self.object.remove(name)? {
            Value::Null => Some(None),
            value => self.read(name, value).map(Some),
        }
    }

    /// Text with so many characters, which must be there.
    pub fn text(&mut self, name: &str, length: RangeInclusive<usize>) -> Option<String> {
        let text = self.required::<String>(name)?;
        self.bounded(name, text, &length)
    }

    /// As [`Fields::text`], for what people and logs read as a name: without characters that control how it is shown.
    pub fn name(&mut self, name: &str, length: RangeInclusive<usize>) -> Option<String> {
        let text = self.text(name, length)?;
        self.showable(name, text)
    }

    /// As [`Fields::name`], which may be left out.
    pub fn optional_name(&mut self, name: &str, length: RangeInclusive<usize>) -> Option<String> {
        let text = self.optional_text(name, length)?;
        self.showable(name, text)
    }

    fn showable(&mut self, name: &str, text: String) -> Option<String> {
        let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if text.chars().any(|c| c.is_control() || turns(c)) {
            return self.refuse(name, "must not hold control characters");
        }
        Some(text)
    }

    /// Text with so many characters, which may be left out.
    pub fn optional_text(&mut self, name: &str, length: RangeInclusive<usize>) -> Option<String> {
        let text = self.optional::<String>(name)?;
        self.bounded(name, text, &length)
    }

    /// A whole number in a range, where `null` means something.
    pub fn nullable_number(&mut self, name: &str, range: RangeInclusive<u32>) -> Option<Option<u32>> {
        match self.nullable::<u32>(name)? {
            Some(number) if !range.contains(&number) => {
                let (low, high) = range.into_inner();
                self.refuse(name, format!("must be between {low} and {high}"))
            }
            number => Some(number),
        }
    }

    /// An object with features or overrides of them.
    pub fn features(&mut self, name: &str) -> Option<Map<String, Value>> {
        let features = self.optional::<Map<String, Value>>(name)?;
        match vinzy_events::entitlement::validate_features(name, &features) {
            Ok(()) => Some(features),
            Err(problems) => {
                self.errors.extend(
                    problems
                        .into_iter()
                        .map(|(field, message)| FieldError { field, message }),
                );
                None
            }
        }
    }

    /// Notes that a field is wrong. Gives `None`, for convenience.
    pub fn refuse<T>(&mut self, name: &str, message: impl Into<String>) -> Option<T> {
        self.errors.push(FieldError {
            field: name.to_owned(),
            message: message.into(),
        });
        None
    }

    fn read<T: Field>(&mut self, name: &str, value: Value) -> Option<T> {
        T::read(value).map_or_else(|message| self.refuse(name, message), Some)
    }

    fn bounded(&mut self, name: &str, text: String, length: &RangeInclusive<usize>) -> Option<String> {
        if length.contains(&text.chars().count()) {
            return Some(text);
        }
        let (low, high) = (length.start(), length.end());
        let message = match low {
            0 => format!("must have at most {high} characters"),
            _ => format!("must have {low} to {high} characters"),
        };
        self.refuse(name, message)
    }
}

impl Field for String {
    fn read(value: Value) -> Result<Self, String> {
        match value {
            Value::String(text) => Ok(text),
            _ => Err("must be text".into()),
        }
    }
}

impl Field for u32 {
    fn read(value: Value) -> Result<Self, String> {
        let number = value.as_u64().ok_or("must be a whole number of at least 0")?;
        number
            .try_into()
            .map_err(|_| format!("must be at most {}", u32::MAX))
    }
}

impl Field for Map<String, Value> {
    fn read(value: Value) -> Result<Self, String> {
        match value {
            Value::Object(object) => Ok(object),
            _ => Err("must be an object".into()),
        }
    }
}

impl Field for Vec<Value> {
    fn read(value: Value) -> Result<Self, String> {
        match value {
            Value::Array(items) => Ok(items),
            _ => Err("must be an array".into()),
        }
    }
}

/// An amount: a JSON number, or the same as text.
impl Field for Decimal {
    fn read(value: Value) -> Result<Self, String> {
        match value {
            Value::Number(number) => Ok(Self::from_number(&number)),
            Value::String(text) => text
                .parse()
                .map_err(|_| "must be a decimal number such as 1.5".into()),
            _ => Err("must be a number".into()),
        }
    }
}

impl Field for Timestamp {
    fn read(value: Value) -> Result<Self, String> {
        let text = String::read(value)?;
        text.parse()
            .map_err(|_| "must be an RFC 3339 time such as 2030-01-01T00:00:00Z".into())
    }
}

impl Field for CustomerId {
    fn read(value: Value) -> Result<Self, String> {
        let text = String::read(value)?;
        text.parse().map_err(|_| "must be a UUID".into())
    }
}

impl<T: FromFields> Body<T> {
    fn read(bytes: &[u8], repeatable: bool) -> Result<Self, Problem> {
        let mut value = parse_strict(bytes).map_err(json_problem)?;
        if let Some(field) = T::AMOUNT {
            keep_digits(bytes, &mut value, field, T::ARRAY.as_slice());
        }
        let canonical = if repeatable { canonical(&value) } else { vec![] };
        let object = match (value, T::ARRAY) {
            (Value::Object(object), _) => object,
            (array @ Value::Array(_), Some(name)) => Map::from_iter([(name.to_owned(), array)]),
            _ => return Err(Problem::field("body", "must be a JSON object")),
        };
        match read_fields(object) {
            Ok(content) => Ok(Self { content, canonical }),
            Err(errors) => Err(Problem::unprocessable(errors)),
        }
    }
}

/// Reads content from an object that stands within a body.
pub fn read_fields<T: FromFields>(object: Map<String, Value>) -> Result<T, Vec<FieldError>> {
    let mut fields = Fields {
        object,
        errors: vec![],
    };
    match T::from_fields(&mut fields) {
        Some(content) if fields.errors.is_empty() => Ok(content),
        _ => Err(fields.errors),
    }
}

impl<T: FromFields, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(unsupported());
        }
        let repeatable = request.headers().contains_key(IDEMPOTENCY_KEY);
        Self::read(&bytes_of(request).await?, repeatable)
    }
}

impl<T: FromFields, S: Send + Sync> FromRequest<S> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let json = is_json(request.headers());
        let repeatable = request.headers().contains_key(IDEMPOTENCY_KEY);
        let bytes = bytes_of(request).await?;
        if bytes.is_empty() || (json && bytes.trim_ascii() == b"null") {
            return Body::read(b"{}", repeatable).map(Self);
        }
        if json {
            Body::read(&bytes, repeatable).map(Self)
        } else {
            Err(unsupported())
        }
    }
}

/// The body as it is. The gate has read it already, within the bound of its route.
pub(super) async fn bytes_of(request: Request) -> Result<Bytes, Problem> {
    to_bytes(request.into_body(), usize::MAX)
        .await
        .map_err(|error| body_problem(&error))
}

/// What became of a body that did not come to its end.
pub(super) fn body_problem(error: &axum::Error) -> Problem {
    if took_too_long(error) {
        let detail = "The body did not come in time.";
        Problem::new(StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT", detail)
    } else {
        Problem::bad_request("INCOMPLETE_BODY", "The body ended before it was complete.")
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
    else {
        return false;
    };
    let essence = kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn unsupported() -> Problem {
    let detail = "The body must be JSON, with the header `Content-Type: application/json`.";
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "UNSUPPORTED_MEDIA_TYPE",
        detail,
    )
}

fn json_problem(error: JsonError) -> Problem {
    match error {
        JsonError::Syntax { .. } => Problem::bad_request("MALFORMED_JSON", format!("{error}.")),
        JsonError::DuplicateKey { key } => Problem::field(&key, "stands there twice"),
        JsonError::InexactInteger { .. }
        | JsonError::TooManyValues
        | JsonError::TooDeep
        | JsonError::NulCharacter
        | JsonError::ReservedText => Problem::field("body", format!("cannot be accepted: {error}")),
    }
}
