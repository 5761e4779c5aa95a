//! Requests as values: what to ask and what type the answer has, without anything that sends.
//!
//! Whoever has an HTTP client sends a [`Call`] and hands the [`Answer`] to [`Call::read`].

use std::fmt::{self, Display};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::service::Problem;

/// A request whose answer is a `T`. It does not show its body when it is printed: license keys are in there.
#[derive(Clone)]
pub struct Call<T> {
    /// `GET`, `POST`, `PATCH` or `DELETE`.
    pub method: &'static str,
    /// The path below the API's root, percent-encoded, from `/`, with its query.
    pub path: String,
    /// The body.
    pub body: Option<Value>,
    read: fn(&Answer) -> Result<T, serde_json::Error>,
}

/// What a server answered.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The header `X-Total-Count`.
    pub total: Option<u64>,
    /// The header `Link`.
    pub link: Option<String>,
    /// The header `X-Request-Id`.
    pub request_id: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// Its rows.
    pub rows: Vec<T>,
    /// How many rows there are in all pages.
    pub total: u64,
    /// `after` of the next page; `None` on the last.
    pub next: Option<String>,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self {
            rows: vec![],
            total: 0,
            next: None,
        }
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl<T: DeserializeOwned> Call<T> {
    /// Asks for something at a path.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path.into(), json)
    }

    /// Asks for something to be done.
    pub fn post(path: impl Into<String>, body: &impl Serialize) -> Self {
        Self::new("POST", path.into(), json).with(body)
    }

    /// Asks for something to be done of which there is no more to say.
    pub fn order(path: impl Into<String>) -> Self {
        Self::new("POST", path.into(), json)
    }

    /// Asks for a change.
    pub fn patch(path: impl Into<String>, body: &impl Serialize) -> Self {
        Self::new("PATCH", path.into(), json).with(body)
    }
}

impl<T: DeserializeOwned> Call<Page<T>> {
    /// Asks for a list.
    pub fn list(path: impl Into<String>) -> Self {
        Self::new("GET", path.into(), page)
    }

    /// Which part of the list.
    #[must_use]
    pub fn part(self, part: &Part) -> Self {
        self.query("page_size", part.page_size)
            .query("after", part.after.as_ref())
    }
}

impl Call<()> {
    /// Asks for something to be taken away.
    pub fn delete(path: impl Into<String>) -> Self {
        Self::new("DELETE", path.into(), |_| Ok(()))
    }
}

impl Call<String> {
    /// Asks for text.
    pub fn text(path: impl Into<String>) -> Self {
        Self::new("GET", path.into(), |answer| {
            Ok(String::from_utf8_lossy(&answer.body).into_owned())
        })
    }
}

/// Which part of a list to ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// 1 to 100 rows; 20 if left out.
    pub page_size: Option<u32>,
    /// [`Page::next`] of the part before.
    pub after: Option<String>,
}

impl<T> Call<T> {
    fn new(method: &'static str, path: String, read: fn(&Answer) -> Result<T, serde_json::Error>) -> Self {
        Self {
            method,
            path,
            body: None,
            read,
        }
    }

    fn with(mut self, body: &impl Serialize) -> Self {
        self.body = Some(serde_json::to_value(body).expect("wire types have string keys"));
        self
    }

    /// Adds a parameter; none, or an empty one, is left out.
    #[must_use]
    pub fn query(mut self, name: &str, value: Option<impl Display>) -> Self {
        let value = value.map(|value| value.to_string()).unwrap_or_default();
        if !value.is_empty() {
            // In the path itself a question mark is encoded.
            self.path.push(if self.path.contains('?') { '&' } else { '?' });
            self.path.push_str(name);
            self.path.push('=');
            self.path.push_str(&encoded(&value));
        }
        self
    }

    /// What the answer says.
    ///
    /// # Errors
    /// What the server refused, or an answer that is none of this API's, as a problem.
    pub fn read(&self, answer: &Answer) -> Result<T, Box<Problem>> {
        if !(200..300).contains(&answer.status) {
            return Err(Box::new(problem(answer)));
        }
        (self.read)(answer).map_err(|error| {
            Box::new(Problem {
                status: answer.status,
                code: "UNEXPECTED_ANSWER".to_owned(),
                detail: format!("The server's answer could not be read: {error}."),
                request_id: answer.request_id.clone().unwrap_or_default(),
                ..Problem::default()
            })
        })
    }
}

/// All but the unreserved characters of RFC 3986, 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A part of a path, or the value of a parameter, percent-encoded.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

fn json<T: DeserializeOwned>(answer: &Answer) -> Result<T, serde_json::Error> {
    serde_json::from_slice(&answer.body)
}

fn page<T: DeserializeOwned>(answer: &Answer) -> Result<Page<T>, serde_json::Error> {
    let rows: Vec<T> = json(answer)?;
    Ok(Page {
        total: answer.total.unwrap_or(rows.len() as u64),
        next: answer.link.as_deref().and_then(next),
        rows,
    })
}

/// The cursor of `rel="next"` in a `Link` header, decoded: [`Call::query`] encodes it again.
fn next(link: &str) -> Option<String> {
    let next = link.split(", <").find(|part| part.ends_with("rel=\"next\""))?;
    let (_, query) = next.split_once('?')?;
    let (query, _) = query.split_once('>')?;
    let (_, after) = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "after")?;
    Some(after.into_owned())
}

fn problem(answer: &Answer) -> Problem {
    let mut problem: Problem = serde_json::from_slice(&answer.body).unwrap_or_default();
    problem.status = answer.status;
    if problem.detail.is_empty() {
        problem.detail = format!("The server answered with status {}.", answer.status);
    }
    if problem.request_id.is_empty() {
        problem.request_id = answer.request_id.clone().unwrap_or_default();
    }
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_encoded_and_empty_ones_left_out() {
        let call = Call::<Value>::get("/licenses")
            .query("q", Some("a b&c"))
            .query("tier", None::<String>)
            .query("status", Some(""))
            .query("page_size", Some(5));
        assert_eq!(call.path, "/licenses?q=a%20b%26c&page_size=5");
    }

    #[test]
    fn a_page_knows_its_next() {
        let answer = Answer {
            status: 200,
            total: Some(3),
            link: Some(
                "</licenses?page_size=2>; rel=\"first\", </licenses?page_size=2&after=17>; rel=\"next\""
                    .to_owned(),
            ),
            body: b"[1,2]".to_vec(),
            ..Answer::default()
        };
        let page = Call::<Page<u32>>::list("/licenses")
            .read(&answer)
            .expect("it is one");
        assert_eq!(
            (page.rows, page.total, page.next.as_deref()),
            (vec![1, 2], 3, Some("17"))
        );
    }

    #[test]
    fn a_cursor_goes_back_as_it_came() {
        // Metrics are cursors, too; the server encodes a space as `+`.
        let link = "</usage/1?after=tokens+in%2Fout%26%C3%A4>; rel=\"next\"";
        let after = next(link).expect("there is one");
        assert_eq!(after, "tokens in/out&ä");
        let part = Part {
            page_size: None,
            after: Some(after),
        };
        let call = Call::<Page<Value>>::list("/usage/1").part(&part);
        assert_eq!(call.path, "/usage/1?after=tokens%20in%2Fout%26%C3%A4");
    }

    #[test]
    fn a_refusal_is_a_problem_whatever_its_body() {
        let told = Answer {
            status: 409,
            body: br#"{"detail":"in use","code":"IN_USE","request_id":"r1","used_by":{"licenses":2}}"#
                .to_vec(),
            ..Answer::default()
        };
        let problem = Call::delete("/products/1")
            .read(&told)
            .expect_err("it is refused");
        assert_eq!((problem.status, problem.code.as_str()), (409, "IN_USE"));
        assert_eq!(problem.more["used_by"]["licenses"], 2);
        let odd = Answer {
            status: 502,
            body: b"<html>".to_vec(),
            ..Answer::default()
        };
        let problem = Call::delete("/products/1").read(&odd).expect_err("it is refused");
        assert_eq!(problem.detail, "The server answered with status 502.");
    }
}
