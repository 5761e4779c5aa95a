//! Sends calls: again when that may help, and under the same idempotency key each time.

use std::fmt;
use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Method, Url};

use super::error::{BuildError, Error};
use super::machine;
use crate::call::{Answer, Call};

/// Between two tries, at most, unless the server asks for more.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// For how long the server may ask; what takes longer is for the application to wait for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(1);
const TRY_AGAIN: [u16; 4] = [429, 502, 503, 504];
const API_KEY: &str = "x-vinzy-api-key";
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// How to reach a server; what all builders set.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    pub(crate) server_url: String,
    pub(crate) api_key: Option<String>,
    pub(crate) timeout: Duration,
    pub(crate) max_retries: u32,
    pub(crate) backoff_base: Duration,
    pub(crate) http_client: Option<reqwest::Client>,
}

impl Reach {
    pub(crate) fn new(server_url: String) -> Self {
        Self {
            server_url,
            api_key: None,
            timeout: Duration::from_secs(5),
            max_retries: 2,
            backoff_base: Duration::from_secs(1),
            http_client: None,
        }
    }

    pub(crate) fn build(self) -> Result<Transport, BuildError> {
        let api_key = self.api_key.map(|key| secret(&key).ok_or(BuildError::ApiKey));
        let server_url = checked(&self.server_url).ok_or(BuildError::ServerUrl)?;
        let http = match self.http_client {
            Some(client) => client,
            None => http_client(&server_url)?,
        };
        Ok(Transport {
            http,
            server_url,
            api_key: api_key.transpose()?,
            timeout: self.timeout,
            max_retries: self.max_retries,
            backoff_base: self.backoff_base,
        })
    }
}

/// The methods with which every builder says how to reach the server.
macro_rules! reach_setters {
    () => {
        /// How long a try waits for the whole answer; 5 seconds if left out.
        #[must_use]
        pub fn timeout(mut self, timeout: std::time::Duration) -> Self {
            self.reach.timeout = timeout;
            self
        }

        /// How often a request is sent again after the first try; twice if left out.
        #[must_use]
        pub fn max_retries(mut self, max_retries: u32) -> Self {
            self.reach.max_retries = max_retries;
            self
        }

        /// What the first pause takes at most; doubled with each retry, up to 30 seconds. A second if left out.
        #[must_use]
        pub fn retry_backoff_base(mut self, backoff_base: std::time::Duration) -> Self {
            self.reach.backoff_base = backoff_base;
            self
        }

        /// Sends the requests: for proxies, certificates, tests. It should follow no redirects.
        #[must_use]
        pub fn http_client(mut self, client: reqwest::Client) -> Self {
            self.reach.http_client = Some(client);
            self
        }
    };
}
pub(crate) use reach_setters;

/// What sends calls to one server.
pub(crate) struct Transport {
    http: reqwest::Client,
    pub(crate) server_url: String,
    api_key: Option<HeaderValue>,
    timeout: Duration,
    max_retries: u32,
    backoff_base: Duration,
}

/// What goes with a call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extras {
    idempotency_key: Option<HeaderValue>,
    with_api_key: bool,
}

/// A request, without the type of its answer. It may be sent again as it is.
struct Outgoing {
    method: Method,
    path: String,
    body: Option<String>,
    extras: Extras,
}

struct Received {
    answer: Answer,
    retry_after: Option<Duration>,
}

impl Extras {
    /// Has the server do it once, however often it is sent: under a key that was given, or a new one.
    pub(crate) fn once(key: Option<&str>) -> Result<Self, Error> {
        let key = match key {
            Some(key) => visible(key).ok_or(Error::InvalidArgument {
                name: "idempotency_key",
                what: "must be printable ASCII",
            })?,
            None => HeaderValue::try_from(machine::unique()).expect("a UUID is ASCII"),
        };
        Ok(Self {
            idempotency_key: Some(key),
            with_api_key: false,
        })
    }

    /// With the API key.
    pub(crate) fn authorized(self) -> Self {
        Self {
            with_api_key: true,
            ..self
        }
    }
}

impl Transport {
    /// Sends a call, again if need be, and reads the answer.
    pub(crate) async fn send<T>(&self, call: &Call<T>, extras: Extras) -> Result<T, Error> {
        let outgoing = Outgoing {
            // The methods of calls are those of HTTP.
            method: call.method.parse().unwrap_or(Method::GET),
            path: call.path.clone(),
            body: call.body.as_ref().map(ToString::to_string),
            extras,
        };
        let received = self.exchange(outgoing).await?;
        let status = received.answer.status;
        call.read(&received.answer).map_err(|problem| {
            if status < 400 {
                Error::UnexpectedAnswer {
                    status,
                    detail: problem.detail,
                }
            } else {
                Error::Problem {
                    problem,
                    retry_after: received.retry_after,
                }
            }
        })
    }

    /// Sends a request until there is an answer that another try would not better.
    async fn exchange(&self, outgoing: Outgoing) -> Result<Received, Error> {
        let mut retries = 0;
        loop {
            let last = retries == self.max_retries;
            let (what, asked_for) = match self.try_once(&outgoing).await {
                Ok(received) => {
                    let too_long = received.retry_after > Some(LONGEST_RETRY_AFTER);
                    if last || too_long || !TRY_AGAIN.contains(&received.answer.status) {
                        return Ok(received);
                    }
                    (format!("status {}", received.answer.status), received.retry_after)
                }
                Err(error) if last || error.is_builder() => return Err(self.no_answer(error)),
                Err(error) => (error.to_string(), None),
            };
            let pause = pause(self.backoff_base, retries, asked_for);
            retries += 1;
            log::info!(
                "{} {}: {what}; try {} follows in {pause:.2?}",
                outgoing.method,
                outgoing.path,
                retries + 1
            );
            machine::sleep(pause).await;
        }
    }

    async fn try_once(&self, outgoing: &Outgoing) -> reqwest::Result<Received> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(key) = &outgoing.extras.idempotency_key {
            headers.insert(IDEMPOTENCY_KEY, key.clone());
        }
        if let (true, Some(key)) = (outgoing.extras.with_api_key, &self.api_key) {
            headers.insert(API_KEY, key.clone());
        }
        // A browser says itself what it is.
        #[cfg(not(target_family = "wasm"))]
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static(concat!("vinzy-client-rust/", env!("CARGO_PKG_VERSION"))),
        );
        let url = format!("{}{}", self.server_url, outgoing.path);
        let mut request = self
            .http
            .request(outgoing.method.clone(), url)
            .timeout(self.timeout);
        if let Some(body) = &outgoing.body {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            request = request.body(body.clone());
        }
        let response = request.headers(headers).send().await?;
        let text = |name: &str| response.headers().get(name)?.to_str().ok().map(str::to_owned);
        let retry_after = text("retry-after").and_then(|at| retry_after(&at, text("date").as_deref()));
        let answer = Answer {
            status: response.status().as_u16(),
            total: text("x-total-count").and_then(|total| total.parse().ok()),
            link: text("link"),
            request_id: text("x-request-id"),
            body: vec![],
        };
        let body = response.bytes().await?.to_vec();
        Ok(Received {
            answer: Answer { body, ..answer },
            retry_after,
        })
    }

    fn no_answer(&self, error: reqwest::Error) -> Error {
        let server_url = self.server_url.clone();
        if error.is_timeout() {
            Error::Timeout {
                server_url,
                timeout: self.timeout,
            }
        } else {
            Error::Unreachable {
                server_url,
                source: Box::new(error.without_url()),
            }
        }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("server_url", &self.server_url)
            .finish_non_exhaustive()
    }
}

/// Until the next try: any part of a time that doubles, so that clients do not come back together. Never less than the
/// server asked for.
fn pause(base: Duration, retries: u32, asked_for: Option<Duration>) -> Duration {
    let longest = base
        .saturating_mul(2_u32.saturating_pow(retries))
        .min(LONGEST_PAUSE);
    asked_for.unwrap_or_default() + machine::part_of(longest)
}

/// After how long to come again: `Retry-After`, in seconds or as a date, which is seen from the server's `Date`.
fn retry_after(text: &str, date: Option<&str>) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // So many that they cannot be counted are too many, too.
        return Some(Duration::from_secs(text.parse().unwrap_or(u32::MAX).into()));
    }
    let at = httpdate::parse_http_date(text).ok()?;
    let sent = httpdate::parse_http_date(date?).ok()?;
    Some(at.duration_since(sent).unwrap_or_default())
}

/// The server's address without a slash at its end.
fn checked(server_url: &str) -> Option<String> {
    let url = Url::parse(server_url).ok()?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.query().is_none()
        && url.fragment().is_none()
        // It is logged.
        && url.username().is_empty()
        && url.password().is_none();
    plain.then(|| server_url.trim().trim_end_matches('/').to_owned())
}

/// Text that may stand in a header, and that nobody will see.
fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = visible(text)?;
    value.set_sensitive(true);
    Some(value)
}

fn visible(text: &str) -> Option<HeaderValue> {
    let printable = !text.is_empty() && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    printable.then(|| HeaderValue::from_str(text).ok()).flatten()
}

#[cfg(target_family = "wasm")]
fn http_client(_server_url: &str) -> Result<reqwest::Client, BuildError> {
    Ok(reqwest::Client::new())
}

/// One that trusts whom the machine trusts, and follows no redirects: what is sent is for the server alone.
#[cfg(not(target_family = "wasm"))]
fn http_client(server_url: &str) -> Result<reqwest::Client, BuildError> {
    let tls = tls(server_url.starts_with("https:")).map_err(|error| BuildError::Http(error.into()))?;
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| BuildError::Http(error.into()))
}

/// With the process's cryptography if it has chosen one, else with ring: whoever uses this need choose nothing.
#[cfg(not(target_family = "wasm"))]
fn tls(needed: bool) -> Result<rustls::ClientConfig, rustls::Error> {
    use std::sync::Arc;

    use rustls::crypto::{CryptoProvider, ring};
    use rustls_platform_verifier::BuilderVerifierExt;

    let provider = CryptoProvider::get_default()
        .cloned()
        .unwrap_or_else(|| Arc::new(ring::default_provider()));
    let config =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = if needed {
        config.with_platform_verifier()?
    } else {
        // A machine that has no certificates of authorities can speak plain HTTP nevertheless.
        config.with_root_certificates(rustls::RootCertStore::empty())
    };
    Ok(config.with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_random_and_grow_to_a_bound() {
        let half = Duration::from_millis(500);
        for (retries, bound) in [(0, 0.5), (1, 1.0), (2, 2.0), (3, 4.0), (50, 30.0)] {
            let pauses: Vec<f64> = (0..200)
                .map(|_| pause(half, retries, None).as_secs_f64())
                .collect();
            assert!(pauses.iter().all(|seconds| (0.0..=bound).contains(seconds)));
            let (least, most) = pauses
                .iter()
                .fold((f64::MAX, 0.0), |(least, most): (f64, f64), seconds| {
                    (least.min(*seconds), most.max(*seconds))
                });
            assert!(most > bound / 2.0 && bound / 2.0 > least, "{least} {most}");
        }
        assert_eq!(pause(Duration::ZERO, 5, None), Duration::ZERO);
        let ten = Duration::from_secs(10);
        assert!((0..200).all(|_| (ten..=ten + half).contains(&pause(half, 0, Some(ten)))));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let sent = Some("Sun, 29 Nov 2026 04:00:00 GMT");
        for (text, seconds) in [
            ("7", Some(7)),
            ("0", Some(0)),
            ("Sun, 29 Nov 2026 04:00:30 GMT", Some(30)),
            ("Sun, 29 Nov 2026 03:00:00 GMT", Some(0)),
            ("99999999999999999999", Some(u64::from(u32::MAX))),
            ("soon", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(
                retry_after(text, sent),
                seconds.map(Duration::from_secs),
                "{text}"
            );
        }
        assert_eq!(retry_after("Sun, 29 Nov 2026 04:00:30 GMT", None), None);
    }

    #[test]
    fn whoever_uses_it_chooses_no_cryptography() {
        assert!(rustls::crypto::CryptoProvider::get_default().is_none());
        for url in ["https://licenses.example.com", "http://licenses.example.com"] {
            Reach::new(url.into()).build().unwrap();
        }
        assert!(rustls::crypto::CryptoProvider::get_default().is_none());
    }

    #[test]
    fn addresses_are_checked() {
        assert_eq!(
            checked("https://licenses.example.com/api/").as_deref(),
            Some("https://licenses.example.com/api")
        );
        assert_eq!(
            checked("http://127.0.0.1:8080").as_deref(),
            Some("http://127.0.0.1:8080")
        );
        for wrong in [
            "",
            "licenses.example.com",
            "ftp://example.com",
            "https://",
            "https://example.com?a",
            "https://example.com#a",
            "https://user@example.com",
            "https://user:secret@example.com",
        ] {
            assert_eq!(checked(wrong), None, "{wrong}");
        }
    }
}
