//! `GET /events`

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;
use vinzy_client::events as wire;

use super::stream::stream;
use crate::app::App;
use crate::event_feed::{Filter, FilterError, HIDDEN, Read, Reader, feed_event_of};
use crate::http::caller::forbidden;
use crate::http::problem::{FieldError, Problem};
use crate::http::query::{Query, link};
use crate::http::subscriber::Subscriber;

/// Events of an answer when nothing is said, and at most.
const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 1_000;
/// How long an answer may wait for events, in seconds.
const MAX_WAIT: u32 = 30;
/// Where `after` is when only what is to come is wanted.
const LATEST: &str = "latest";
/// How a stream that is taken up again says where it was.
const LAST_EVENT_ID: &str = "last-event-id";

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// Behind a position.
    After(u64),
    /// At the ledger's end.
    Latest,
}

/// What is asked for.
struct Asked {
    start: Option<Start>,
    limit: u32,
    wait: Duration,
    types: Option<String>,
}

/// List what happens in the ledger, in order and without gaps, or follow it.
///
/// Go on with `after` set to `next_after`: each event comes once, also those that are recorded meanwhile. With `wait`, an
/// answer without events is held back until there are some. With `Accept: text/event-stream` the answer is a stream of
/// server-sent events that does not end: each event's `id` is its position, and `Last-Event-ID` goes on behind it. Events of
/// API keys are shown with the scopes `admin` and `audit` only.
#[utoipa::path(
    get, path = "/events", tag = "Audit", operation_id = "listEvents",
    params(
        ("after" = Option<String>, Query, pattern = "^([0-9]{1,18}|latest)$", description = "The position behind which to begin; `latest` for what is to come. From the first event if left out."),
        ("types" = Option<String>, Query, description = "Only these types, separated by commas, e.g. `license.*,usage.recorded`; `*` is all."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "1 to 1,000; 100 if left out. An answer of a megabyte ends there, too."),
        ("wait" = Option<u32>, Query, minimum = 0, maximum = 30, description = "How long to wait for events if there are none, in seconds; 0 if left out."),
        ("Last-Event-ID" = Option<i64>, Header, minimum = 0, description = "As `after`, and goes before it."),
    ),
    responses((
        status = 200, description = "Events, with `Link`", headers(("Link" = String, description = "`rel=\"next\"`: the same request behind `next_after`.")),
        content((wire::EventPage = "application/json"), (String = "text/event-stream"))
    ))
)]
pub async fn handle(
    subscriber: Subscriber,
    State(app): State<App>,
    uri: OriginalUri,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Problem> {
    let asked = asked(&headers, query)?;
    let filter = Filter::parse(asked.types.as_deref(), subscriber.sees_all).map_err(unfiltered)?;
    let next = first(&app, &subscriber.ledger_id, asked.start).await?;
    let ledger_id = Arc::clone(&subscriber.ledger_id);
    let reader = Reader::new(Arc::clone(&app.event_feed), ledger_id, filter, next);
    let mut response = if wants_stream(&headers) {
        stream(app, subscriber, reader)
    } else {
        page(&app, &subscriber, reader, &asked, &uri)
            .await?
            .into_response()
    };
    let vary = header::HeaderValue::from_static("accept");
    response.headers_mut().append(header::VARY, vary);
    Ok(response)
}

async fn page(
    app: &App,
    subscriber: &Subscriber,
    mut reader: Reader,
    asked: &Asked,
    uri: &OriginalUri,
) -> Result<impl IntoResponse + use<>, Problem> {
    let began = Instant::now();
    let Read { events, has_more } = reader.read(asked.limit, began + asked.wait).await?;
    if !asked.wait.is_zero() {
        // A key that was revoked meanwhile shows nothing.
        subscriber.check(app).await?;
    }
    let events: Result<_, _> = events.iter().map(feed_event_of).collect();
    let next_after = reader.next().saturating_sub(1);
    let page = wire::EventPage {
        events: events?,
        next_after,
        has_more,
    };
    let next = link(uri, Some(next_after), "next");
    Ok(([(header::LINK, next)], Json(page)))
}

fn asked(headers: &HeaderMap, mut query: Query) -> Result<Asked, Problem> {
    let bounded = |minimum, maximum| {
        move |text: &str| {
            text.parse()
                .ok()
                .filter(|number| (minimum..=maximum).contains(number))
        }
    };
    let after = query.parse("after", "must be a position or `latest`", start);
    let limit = query.parse("limit", "must be between 1 and 1000", bounded(1, MAX_LIMIT));
    let wait = query.parse("wait", "must be between 0 and 30 seconds", bounded(0, MAX_WAIT));
    let last = last_event_id(headers);
    if last.is_err() {
        let message = "must be the position of an event".to_owned();
        query.wrong(FieldError {
            field: "Last-Event-ID".to_owned(),
            message,
        });
    }
    let types = query.get("types").map(str::to_owned);
    query.finish()?;
    Ok(Asked {
        start: last.unwrap_or_default().or(after),
        limit: limit.unwrap_or(DEFAULT_LIMIT),
        wait: Duration::from_secs(wait.unwrap_or(0).into()),
        types,
    })
}

fn start(text: &str) -> Option<Start> {
    if text == LATEST {
        return Some(Start::Latest);
    }
    position(text).map(Start::After)
}

/// Digits only, and no more than the database can count.
fn position(text: &str) -> Option<u64> {
    let digits = (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// An empty one is as good as none.
fn last_event_id(headers: &HeaderMap) -> Result<Option<Start>, ()> {
    match headers.get(LAST_EVENT_ID) {
        Some(id) if !id.is_empty() => {
            let position = id.to_str().ok().and_then(position).ok_or(())?;
            Ok(Some(Start::After(position)))
        }
        _ => Ok(None),
    }
}

/// The first position to look at.
async fn first(app: &App, ledger_id: &str, start: Option<Start>) -> Result<u64, Problem> {
    let after = match start {
        None => return Ok(0),
        Some(Start::After(0)) => return Ok(1),
        Some(Start::After(after)) => Some(after),
        Some(Start::Latest) => None,
    };
    let size = app.event_feed.size(ledger_id).await?;
    match after {
        None => Ok(size),
        Some(after) if after < size => Ok(after + 1),
        // Whoever comes with such a position has seen another history than this one.
        Some(_) => {
            let last = size.saturating_sub(1);
            Err(Problem::field(
                "after",
                format!("must be at most {last}, the position of the last event"),
            ))
        }
    }
}

pub(in crate::http) fn unfiltered(error: FilterError) -> Problem {
    match error {
        FilterError::Unknown(_) => Problem::field("types", format!("{error}")),
        FilterError::Hidden => {
            let names: Vec<&str> = HIDDEN.1.iter().map(|scope| scope.as_str()).collect();
            let detail = format!("Events of these types take the scope {}.", names.join(" or "));
            forbidden(detail).with("required_scopes", names)
        }
    }
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).into_iter();
    let mut ranges = accepted
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    ranges.any(|range| {
        let kind = range.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case("text/event-stream")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_for_those_who_ask_for_one() {
        for (accept, stream) in [
            ("text/event-stream", true),
            ("Text/Event-Stream; charset=utf-8", true),
            ("application/json, text/event-stream;q=0.5", true),
            ("*/*", false),
            ("application/json", false),
            ("text/*", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
            assert_eq!(wants_stream(&headers), stream, "{accept}");
        }
        assert!(!wants_stream(&HeaderMap::new()));
    }

    #[test]
    fn positions_are_digits() {
        assert_eq!(start("0"), Some(Start::After(0)));
        assert_eq!(start("latest"), Some(Start::Latest));
        for odd in ["", "-1", "+1", " 1", "1.0", "0x1", "last", "1234567890123456789"] {
            assert_eq!(start(odd), None, "{odd}");
        }
    }
}
